#!/usr/bin/env python3
"""Every n-th row of a flights file: the same weeks in fewer rows, so that hours close more often."""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flights"))

import flight_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--every", type=int, required=True)
    options = parser.parse_args()
    rows = flight_rows.read_lines(options.input)[:: options.every]
    flight_rows.write_bytes(options.out, b"\n".join([flight_rows.HEADER, *rows, b""]))


if __name__ == "__main__":
    main()
