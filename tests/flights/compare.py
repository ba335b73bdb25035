#!/usr/bin/env python3
"""Compares two folders of result files of the flights job: EXPECTED (the oracle's) and FOUND.

hourly-delays.csv and delay-alerts.csv must be the same text, the columns history_mean and
history_deviation apart, which may differ by --tolerance. With --dead-letters, dead-letters.txt must
be the same too. Exit status: 0 the same, 1 different, 2 not comparable.
"""

import argparse
import os
import signal
import sys
from decimal import Decimal, InvalidOperation

LOOSE = {"history_mean", "history_deviation"}


class NotComparable(Exception):
    pass


def read_lines(path):
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as problem:
        raise NotComparable(f"{path}: {problem.strerror}") from problem
    if b"\r" in text:
        raise NotComparable(f"{path}: has a CR; lines must end with LF")
    if text and not text.endswith(b"\n"):
        raise NotComparable(f"{path}: its last line has no end")
    return text.decode("ascii", "backslashreplace").split("\n")[:-1]


def read_table(path):
    """(column names, {(origin, hour): columns}), in an order that is checked."""
    lines = read_lines(path)
    if not lines:
        raise NotComparable(f"{path}: is empty; it needs a header line")
    names = lines[0].split(",")
    table, before = {}, None
    for number, line in enumerate(lines[1:], start=2):
        columns = line.split(",")
        if len(columns) != len(names):
            raise NotComparable(
                f"{path}:{number}: {len(columns)} columns, not {len(names)}: {line}"
            )
        key = tuple(columns[:2])
        if key == before or key in table:
            raise NotComparable(f"{path}:{number}: {' '.join(key)} is there twice")
        if before is not None and key < before:
            raise NotComparable(f"{path}:{number}: {' '.join(key)} is not in order")
        table[key] = columns
        before = key
    return names, table


def same(name, expected, found, tolerance):
    if expected == found:
        return True
    if name not in LOOSE:
        return False
    try:
        close = abs(Decimal(expected) - Decimal(found)) <= tolerance
        return close and len(found.partition(".")[2]) == 6
    except InvalidOperation:
        return False


def compare_tables(expected, found, tolerance):
    """Differences of the two files, one a line."""
    names, left = read_table(expected)
    found_names, right = read_table(found)
    if names != found_names:
        return [f"header: expected {','.join(names)}, found {','.join(found_names)}"]
    differences = []
    for key in sorted(left.keys() | right.keys()):
        label = " ".join(key)
        if key not in right:
            differences.append(f"{label}: missing, expected {','.join(left[key][2:])}")
        elif key not in left:
            differences.append(f"{label}: not expected, found {','.join(right[key][2:])}")
        else:
            wrong = [
                f"{name} expected {a}, found {b}"
                for name, a, b in zip(names, left[key], right[key])
                if not same(name, a, b, tolerance)
            ]
            if wrong:
                differences.append(f"{label}: {'; '.join(wrong)}")
    return differences


def compare_dead_letters(expected, found):
    left, right = read_lines(expected), read_lines(found)
    differences = []
    for row in sorted(set(left) | set(right), key=lambda text: (len(text), text)):
        a, b = left.count(row), right.count(row)
        if a != b:
            differences.append(f"row {row}: expected {a} times, found {b} times")
    return differences


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("expected")
    options.add_argument("found")
    options.add_argument("--tolerance", type=Decimal, default=Decimal("0.000001"))
    options.add_argument("--dead-letters", action="store_true", help="dead-letters.txt too")
    options.add_argument("--show", type=int, default=20, help="differences to show of each file")
    args = options.parse_args()

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # compare.py … | head
    total = 0
    try:
        for name in ("hourly-delays.csv", "delay-alerts.csv", "dead-letters.txt"):
            expected, found = (os.path.join(folder, name) for folder in (args.expected, args.found))
            if name == "dead-letters.txt":
                if not args.dead_letters:
                    continue
                differences = compare_dead_letters(expected, found)
            else:
                differences = compare_tables(expected, found, args.tolerance)
            total += len(differences)
            print(f"{name}: {f'{len(differences)} differences' if differences else 'the same'}")
            for line in differences[: args.show]:
                print(f"  {line}")
            if len(differences) > args.show:
                print(f"  … and {len(differences) - args.show} more")
    except NotComparable as problem:
        print(f"cannot be compared: {problem}", file=sys.stderr)
        return 2
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
