"""What the tests of the flights job share: a folder, the program, and its input.

Their command line: SCRIPT PROGRAM LOG_TOOL [unittest arguments]
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import flight_rows

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "../../examples/flights/data/flights-2001-01.csv.zst")
SLICE = 60_000  # rows, nearly four days: enough history for alerts
# The watermark moves with a commit: so that it moves every few minutes of event time.
OFTEN = ("--rate", "30000", "--commit-interval", "1ms")


@functools.cache
def first_rows():
    """The first rows of the month: lines."""
    return flight_rows.read_lines(DATA)[:SLICE]


class Programs:
    flights = None
    log_tool = None


def tool(name, *arguments, status=0):
    done = subprocess.run(
        [sys.executable, "-B", os.path.join(HERE, name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != status:
        raise AssertionError(f"{name} {' '.join(arguments)}: {done.returncode}\n{done.stdout}")
    return done.stdout


class Job(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kappa-flights-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *arguments, quiet=True):
        usual = {
            "--log": "lmdb:" + self.path("log"), "--state": self.path("state"),
            "--out": self.path("out"), "--rejects": self.path("out"),
        }
        own = [text for flag, value in usual.items() if flag not in arguments for text in (flag, value)]
        return [Programs.flights, *(["--quiet"] if quiet else []), *own, *arguments]

    def job(self, *arguments, status=0, quiet=True):
        """What the job says, both streams."""
        done = subprocess.run(
            self.command(*arguments, quiet=quiet), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=200, errors="surrogateescape",
        )
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def refused(self, *arguments, status, words):
        said = self.job(*arguments, status=status)
        self.assertIn("error: ", said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn("hours in", said)

    def started(self, *arguments):
        """A job that has said that it is up. Its lines: both streams."""
        running = subprocess.Popen(
            self.command(*arguments, "--log-level", "info"), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        said = ""
        for line in running.stdout:
            said += line
            if 'msg="started"' in line:
                return running
        self.fail(said)

    def write(self, rows, name="in.csv", header=flight_rows.HEADER, end=b"\n"):
        lines = [header] if header is not None else []
        lines += [row.encode() if isinstance(row, str) else row for row in rows]
        flight_rows.write_bytes(self.path(name), b"".join(line + end for line in lines))
        return self.path(name)

    def slice(self, *arguments, rows=SLICE, name="in.csv"):
        """The month's first rows, made worse as mangle.py's arguments say."""
        if not arguments:
            return self.write(first_rows()[:rows], name)
        good = self.write(first_rows()[:rows], "good.csv")
        tool("mangle.py", "--input", good, "--out", self.path(name), *arguments)
        return self.path(name)

    def read(self, name):
        with open(os.path.join(self.folder, "out", name), encoding="ascii") as file:
            return file.read()

    def results(self):
        return self.read("hourly-delays.csv"), self.read("delay-alerts.csv")

    def late(self):
        """How many rows were late; the file of them."""
        return self.read("late-rows.csv").count("\n") - 1, os.path.join(self.path("out"), "late-rows.csv")

    def agrees_with_the_oracle(self, source, *arguments, alerts=True):
        """The facts that the oracle tells. `alerts`: there must be some."""
        said = tool("oracle.py", "--input", source, "--out", self.path("expected"), *arguments)
        tool("compare.py", "--dead-letters", self.path("expected"), self.path("out"))
        facts = dict(line.rsplit(" ", 1) for line in said.splitlines() if " " in line)
        if alerts:
            self.assertGreater(int(facts["alerts"]), 0)
        return facts

    def log_tool(self, what, *arguments):
        return subprocess.run(
            [Programs.log_tool, what, self.path("log"), *arguments], stdout=subprocess.PIPE,
            text=True, check=True,
        ).stdout


def main():
    Programs.flights = sys.argv.pop(1)
    Programs.log_tool = sys.argv.pop(1)
    unittest.main()
