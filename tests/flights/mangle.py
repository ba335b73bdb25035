#!/usr/bin/env python3
"""Makes a worse file of a good one: shuffled, with garbage rows mixed in, with rows that come late.

  --shuffle-within-minutes M   no row stands after one whose time is more than M minutes later
  --late SHARE                 of the rows stand 20 to 240 minutes later than that: most of them
                               come after their hour and its lateness
  --garbage SHARE              garbage rows are added, as a share of the rows that are there

All rows of the input stay, so that oracle.py and the job must agree on what is good. The same seed
makes the same file. Garbage never makes a good row implausible: whatever is readable in it is
dropped by the rules of the job.
"""

import argparse
import collections
import random

import flight_rows

VERY_LONG_ROWS = 5  # each is over 64 KiB


def late_and_shuffled(rows, minutes, late, rng):
    """The rows in their new order. `rows`: [(time, line)] in time order."""
    keyed = []
    for time, line in rows:
        moved = time + rng.uniform(0, minutes * 60)
        if rng.random() < late:
            moved += rng.uniform(20, 240) * 60
        keyed.append((moved, time, line))
    # Stable, and by the key alone: if a row stands after another, key >= key, so its time is at
    # most M minutes before the other's.
    keyed.sort(key=lambda row: row[0])
    return [(time, line) for _, time, line in keyed]


def with_column(line, column, text):
    columns = line.split(b",")
    columns[column] = text
    return b",".join(columns)


def one_of(*texts):
    return lambda rng: rng.choice(texts)


def random_bytes(rng):
    size = rng.randrange(1, 200)
    return bytes(b for b in (rng.randrange(256) for _ in range(size)) if b != 0x0A)


BAD_NUMBERS = one_of(
    b"", b"-", b"+5", b" 5", b"5 ", b"5.0", b"1e3", b"0x10", b"NaN", b"five", b"--5", b"5\x00",
    b"2147483648", b"-2147483649", b"99999999999999999999999999", b"\xd9\xa3",
)
BAD_TIMES = one_of(
    b"", b"2001-01-01", b"2001-01-01T08:10Z", b"2001-01-01T08:10:00", b"2001-01-01 08:10:00Z",
    b"2001-02-29T08:10:00Z", b"2001-13-01T08:10:00Z", b"2001-01-32T08:10:00Z",
    b"2001-01-01T24:00:00Z", b"2001-01-01T08:60:00Z", b"2001-01-01T08:10:60Z",
    b"2001-01-01T08:10:00.000Z", b"2001-01-01t08:10:00z", b"978336600", b"yesterday",
)
BAD_AIRPORTS = one_of(b"", b"ord", b"Ord", b"OR", b"ORDX", b"O D", b"OR1", b"\xc3\x96RD", b"OR\x00")
FAR_TIMES = one_of(b"9999-12-31T23:59:59Z", b"1970-01-01T00:00:00Z", b"2000-12-31T23:59:59Z",
                   b"0001-01-01T00:00:00Z", b"2002-01-01T00:00:00Z")

# Kind → (line of a good row, largest time before it, rng) → garbage.
GARBAGE = {
    "too few columns": lambda line, _, rng: line.rsplit(b",", rng.randrange(1, 5))[0],
    "too many columns": lambda line, _, rng: line + rng.choice([b",", b",x", b",,,,,"]),
    "bad delay": lambda line, _, rng: with_column(line, 1, BAD_NUMBERS(rng)),
    "bad distance": lambda line, _, rng: with_column(line, 2, BAD_NUMBERS(rng)),
    "bad time": lambda line, _, rng: with_column(line, 0, BAD_TIMES(rng)),
    "bad origin": lambda line, _, rng: with_column(line, 3, BAD_AIRPORTS(rng)),
    "bad destination": lambda line, _, rng: with_column(line, 4, BAD_AIRPORTS(rng)),
    "binary": lambda line, _, rng: random_bytes(rng),
    "empty line": lambda line, _, rng: b"",
    "cut": lambda line, _, rng: line[: rng.randrange(1, len(line) - 1)],
    "quotes": lambda line, _, rng: rng.choice(
        [b'"' + line, line + b'"', b'"' + line + b'"', line.replace(b",", b'","', 1)]
    ),
    "header again": lambda line, _, rng: flight_rows.HEADER,
    "absurd delay": lambda line, _, rng: with_column(
        line, 1, rng.choice([b"-120", b"1440", b"-1116", b"2147483647", b"-2147483648"])
    ),
    "no distance": lambda line, _, rng: with_column(line, 2, rng.choice([b"0", b"-1", b"-0"])),
    "far time": lambda line, _, rng: with_column(line, 0, FAR_TIMES(rng)),
    "over a day ahead": lambda line, largest, rng: with_column(
        line, 0, flight_rows.format_time(largest + 86400 + rng.randrange(1, 90 * 86400)).encode()
    ),
}


def with_garbage(rows, share, rng):
    """Lines: the rows with garbage between them; and how many of each kind."""
    lines, kinds, very_long = [], collections.Counter(), 0
    names = sorted(GARBAGE)
    largest = None
    for time, line in rows:
        while rng.random() < share / (1 + share):
            kind = rng.choice(names)
            # Before the first row everything would be plausible.
            if largest is None and kind == "over a day ahead":
                kind = "far time"
            garbage = GARBAGE[kind](line, largest, rng)
            if very_long < VERY_LONG_ROWS and rng.random() < 0.02:
                kind = "very long"
                garbage = line + b"X" * rng.choice([64 * 1024, 100_000, 600_000])
                very_long += 1
            kinds[kind] += 1
            lines.append(garbage)
        lines.append(line)
        largest = time if largest is None else max(largest, time)
    return lines, kinds


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--input", required=True, help="CSV of flights, plain or zstd")
    options.add_argument("--out", required=True, help="compressed if it ends with .zst")
    options.add_argument("--shuffle-within-minutes", type=float, default=0, metavar="M")
    options.add_argument("--garbage", type=float, default=0, metavar="SHARE")
    options.add_argument("--late", type=float, default=0, metavar="SHARE")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rows", type=int, help="only the first so many rows of the input")
    options.add_argument("--crlf", action="store_true", help="lines end with CR LF")
    args = options.parse_args()

    rng = random.Random(args.seed)
    rows = []
    for line in flight_rows.read_lines(args.input)[: args.rows]:
        rows.append((flight_rows.parse_row(line)[0], line))
    if args.shuffle_within_minutes or args.late:
        rows = late_and_shuffled(rows, args.shuffle_within_minutes, args.late, rng)
    lines, kinds = with_garbage(rows, args.garbage, rng)
    end = b"\r\n" if args.crlf else b"\n"
    flight_rows.write_bytes(args.out, b"".join(line + end for line in [flight_rows.HEADER] + lines))
    print(f"rows {len(lines)}, of them garbage {sum(kinds.values())}")
    for kind, count in sorted(kinds.items()):
        print(f"  {kind}: {count}")


if __name__ == "__main__":
    main()
