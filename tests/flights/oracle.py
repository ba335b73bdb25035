#!/usr/bin/env python3
"""The flights job a second time, in SQL: what its result files must hold.

Reads the rows (flight_rows.py has the rules), puts the plausible ones into SQLite, groups them
there, and writes into --out:

  hourly-delays.csv   as the job does
  delay-alerts.csv    as the job does
  dead-letters.txt    numbers of the rows (from 1) that cannot be parsed or are not plausible
  summary.txt         rows, plausible rows, dead letters, …

Rows that came too late for their window are not in the windows. Which ones they are depends on when
the job moved its watermark, so the job says so: --late FILE (a CSV of the same columns) takes these
rows out, after checking that each is one of the plausible rows and that it can have been late, i.e.
that a plausible row before it in the file had reached the end of its hour + lateness. Then windows
and late rows together are all plausible rows if and only if the files agree.

Rounding: a mean or share is one division of two integers in double precision, printed as C's %.6f
prints it, the same on both sides. History mean and deviation are computed here exactly, from the
hourly means as doubles, and rounded at the end; the job adds up in double precision (Welford), so
that these two columns may differ by one in the last place (compare.py allows it). Whether an hour
is an alert is decided here without rounding; summary.txt names the closest call.
"""

import argparse
import collections
import math
import os
import sqlite3
import sys
from fractions import Fraction

import flight_rows

HOUR = 3600
MIN_FLIGHTS = 5
MIN_HISTORY = 24
# Every hourly mean times this is an integer: a quotient of 2^31 or less has no lower bits.
SCALE = 2**128


def read(path, begin, end):
    """Plausible rows [(number, largest plausible time before, row…)], {dead row: why}, rows."""
    rows, dead, largest = [], {}, None
    number = 0
    for number, line in enumerate(flight_rows.read_lines(path), start=1):
        try:
            row = flight_rows.parse_row(line)
        except flight_rows.BadRow as why:
            dead[number] = str(why)
            continue
        why = flight_rows.implausible(row, largest, begin, end)
        if why:
            dead[number] = why
            continue
        rows.append((number, largest) + row)
        largest = row[0] if largest is None else max(largest, row[0])
    return rows, dead, number


def take_out_late(rows, path, lateness):
    """The rows without those of the file, which are checked."""
    wanted = collections.Counter()
    for line in flight_rows.read_lines(path):
        try:
            wanted[flight_rows.parse_row(line)] += 1
        except flight_rows.BadRow as why:
            sys.exit(f"{path}: a late row that cannot be parsed ({why}): {line[:200]!r}")
    taken, kept = 0, []
    # From the back: of equal rows the last one had the best chance to be late.
    for row in reversed(rows):
        largest, flight = row[1], row[2:]
        closes = flight[0] // HOUR * HOUR + HOUR + lateness
        if wanted[flight] and largest is not None and largest >= closes:
            wanted[flight] -= 1
            taken += 1
        else:
            kept.append(row)
    left = +wanted
    if left:
        flight, times = next(iter(left.items()))
        sys.exit(
            f"{path}: {sum(left.values())} of {taken + sum(left.values())} late rows are not in "
            f"the input, or not late there: "
            f"{flight_rows.format_time(flight[0])},{','.join(map(str, flight[1:]))} ({times} times)"
        )
    return kept[::-1], taken


class History:
    """Exact count, sum and sum of squares over a window frame, as one text."""

    def __init__(self):
        self.count = self.sum = self.squares = 0

    def step(self, mean):
        over, under = mean.as_integer_ratio()
        if SCALE % under:
            raise ValueError(f"hourly mean {mean!r} has bits below the scale")
        value = over * (SCALE // under)
        self.count += 1
        self.sum += value
        self.squares += value * value

    def inverse(self, mean):
        raise NotImplementedError("frames begin at the first hour")

    def value(self):
        return f"{self.count} {self.sum} {self.squares}"

    finalize = value


def history_of(text):
    count, total, squares = map(int, text.split())
    mean = Fraction(total, count * SCALE)
    variance = Fraction(squares * count - total * total, (count * SCALE) ** 2)
    return count, mean, variance


def history_mean(text):
    return float(history_of(text)[1])


def history_deviation(text):
    return math.sqrt(float(history_of(text)[2]))


def alerts(mean, text):
    """mean > history mean + 3 deviations, exactly; and how close it was."""
    count, history, variance = history_of(text)
    over = Fraction(mean) - history
    return int(over > 0 and over * over > 9 * variance)


def distance_to_call(mean, text):
    return abs(mean - history_mean(text) - 3 * history_deviation(text))


SCHEMA = """
CREATE TABLE flight (number INTEGER PRIMARY KEY, largest INTEGER, scheduled INTEGER NOT NULL,
                     delay INTEGER NOT NULL, distance INTEGER NOT NULL, origin TEXT NOT NULL,
                     destination TEXT NOT NULL);

CREATE TABLE hourly (origin TEXT, hour INTEGER, flights INTEGER, mean REAL, least INTEGER,
                     most INTEGER, share REAL, PRIMARY KEY (origin, hour)) WITHOUT ROWID;
"""

HOURLY = f"""
INSERT INTO hourly
SELECT origin, scheduled / {HOUR} * {HOUR}, count(*), CAST(sum(delay) AS REAL) / count(*),
       min(delay), max(delay), CAST(sum(delay >= 15) AS REAL) / count(*)
FROM flight
GROUP BY 1, 2
"""

ALERTS = f"""
WITH through AS (
  -- Through this hour: Python's sqlite3 crashes on a frame that may be empty.
  SELECT origin, hour, flights, mean,
         history(mean) OVER (PARTITION BY origin ORDER BY hour
                             ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS past
  FROM hourly
  WHERE flights >= {MIN_FLIGHTS}
), judged AS (
  SELECT origin, hour, flights, mean, lag(past) OVER earlier AS past,
         row_number() OVER earlier - 1 AS hours
  FROM through
  WINDOW earlier AS (PARTITION BY origin ORDER BY hour)
)
SELECT origin, hour, flights, mean, history_mean(past), history_deviation(past), alerts(mean, past),
       distance_to_call(mean, past)
FROM judged
WHERE hours >= {MIN_HISTORY}
ORDER BY origin, hour
"""


def compute(rows):
    """(hourly rows, alert rows, closest call)."""
    db = sqlite3.connect(":memory:")
    db.create_window_function("history", 1, History)
    db.create_function("history_mean", 1, history_mean, deterministic=True)
    db.create_function("history_deviation", 1, history_deviation, deterministic=True)
    db.create_function("alerts", 2, alerts, deterministic=True)
    db.create_function("distance_to_call", 2, distance_to_call, deterministic=True)
    db.executescript(SCHEMA)
    db.executemany("INSERT INTO flight VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.execute(HOURLY)
    hourly = db.execute("SELECT * FROM hourly ORDER BY origin, hour").fetchall()
    judged = db.execute(ALERTS).fetchall()
    closest = min(judged, key=lambda row: row[7], default=None)
    return hourly, [row[:6] for row in judged if row[6]], closest


def write(folder, name, header, lines):
    with open(os.path.join(folder, name), "w", encoding="ascii", newline="\n") as file:
        if header:
            file.write(header + "\n")
        for line in lines:
            file.write(line + "\n")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--input", required=True, help="CSV of flights, plain or zstd")
    options.add_argument("--out", required=True, help="folder for the result files")
    options.add_argument("--from", dest="begin", default="2001-01-01", help="first time (a day)")
    options.add_argument("--to", dest="end", default="2002-01-01", help="after the last (a day)")
    options.add_argument("--late", help="CSV of the rows that the job reported as late")
    options.add_argument("--lateness-minutes", type=int, default=10)
    args = options.parse_args()

    begin, end = flight_rows.parse_day(args.begin), flight_rows.parse_day(args.end)
    rows, dead, total = read(args.input, begin, end)
    plausible, late = len(rows), 0
    if args.late:
        rows, late = take_out_late(rows, args.late, args.lateness_minutes * 60)
    hourly, alerted, closest = compute(rows)

    os.makedirs(args.out, exist_ok=True)
    time = flight_rows.format_time
    write(
        args.out,
        "hourly-delays.csv",
        "origin,hour,flights,mean_delay,min_delay,max_delay,share_delayed",
        (f"{o},{time(h)},{n},{mean:.6f},{least},{most},{share:.6f}"
         for o, h, n, mean, least, most, share in hourly),
    )
    write(
        args.out,
        "delay-alerts.csv",
        "origin,hour,flights,mean_delay,history_mean,history_deviation",
        (f"{o},{time(h)},{n},{mean:.6f},{past:.6f},{deviation:.6f}"
         for o, h, n, mean, past, deviation in alerted),
    )
    write(args.out, "dead-letters.txt", None, (str(number) for number in sorted(dead)))
    reasons = collections.Counter(dead.values())
    summary = [
        f"rows {total}",
        f"plausible {plausible}",
        f"late {late}",
        f"dead-letters {len(dead)}",
        *(f"dead-letters: {why} {n}" for why, n in sorted(reasons.items())),
        f"hours {len(hourly)}",
        f"flights-in-hours {sum(row[2] for row in hourly)}",
        f"alerts {len(alerted)}",
    ]
    if closest:
        summary.append(f"closest-call {closest[0]} {time(closest[1])} {closest[7]:.3e}")
    write(args.out, "summary.txt", None, summary)
    print("\n".join(summary))


if __name__ == "__main__":
    main()
