#!/usr/bin/env python3
"""kappa_bench_kafka as a program: tiny sizes, every row, valid JSON, nothing left behind. No claims about speed.

Arguments: the program, a folder to work in, and the benchmarks to run.
"""

import pathlib
import subprocess
import sys
import unittest

import rows

PROGRAM = sys.argv[1]
WORK = pathlib.Path(sys.argv[2])
BENCHMARKS = sys.argv[3:]

# (benchmark, rows, of those with an aim)
ROWS = {"read": (1, 1), "count": (3, 2), "latency": (3, 0), "placement": (6, 0), "commands": (8, 0)}


class Program(unittest.TestCase):
    def test_every_row_is_there_as_json_and_the_folder_is_gone(self):
        for name in BENCHMARKS:
            done = subprocess.run([PROGRAM, "--work", str(WORK), "--quick", "--json", "--filter", name],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=800)
            for row in rows.check(self, done, {name: ROWS[name]}, WORK):
                self.assertGreater(row["reached"], 0, row)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
