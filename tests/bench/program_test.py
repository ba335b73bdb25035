#!/usr/bin/env python3
"""kappa_bench as a program: tiny sizes, every row, valid JSON, nothing left behind. No claims about speed."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import rows

PROGRAM = sys.argv[1]
WORK = pathlib.Path(sys.argv[2])

# (benchmark, rows, of those with an aim)
ROWS = {
    "append": (6, 6),
    "filter": (1, 1),
    "pass-through": (1, 1),
    "count": (4, 2),
    "count-with-updates": (2, 2),
    "snapshot": (1, 0),
    "recovery": (1, 0),
    "host": (1, 0),
    "partitions": (4, 0),
    "keys": (3, 0),
    "first-query": (4, 2),
    "memory": (2, 2),
    "commands": (24, 15),
}


def bench(*arguments, work=WORK):
    command = [PROGRAM, "--work", str(work), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=280)


class Program(unittest.TestCase):
    def test_every_row_is_there_as_json_and_the_folder_is_gone(self):
        done = bench("--quick", "--json")
        rows.check(self, done, ROWS, WORK)

    def test_the_filter_chooses_and_the_table_says_what_the_columns_are(self):
        done = bench("--quick", "--filter", "snapshot")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("aim", "reached", "limit", "snapshot: 100 k changed keys", "mean nothing"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("append:", done.stdout)

    def test_a_filter_that_chooses_nothing_is_an_error(self):
        done = bench("--quick", "--filter", "no-such-benchmark")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-benchmark", done.stderr)

    def test_memory_is_not_taken_for_a_disk(self):
        if not os.path.isdir("/dev/shm"):
            self.skipTest("no file system in memory here")
        done = bench("--quick", work=f"/dev/shm/kappa-bench-{os.getpid()}")
        os.rmdir(f"/dev/shm/kappa-bench-{os.getpid()}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--work FOLDER", done.stderr)

    def test_an_interrupt_ends_it_and_leaves_no_folder(self):
        work = WORK.with_name("interrupted")
        running = subprocess.Popen([PROGRAM, "--quick", "--work", str(work)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 120
            while not list(work.glob("run-*/now")):
                self.assertIsNone(running.poll(), "it ended by itself")
                self.assertLess(time.monotonic(), deadline, "it wrote nothing")
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(timeout=120), 128 + signal.SIGINT)
        finally:
            running.kill()
            running.wait()
        self.assertFalse(work.exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
