#!/usr/bin/env python3
"""The flights job as a program: command line, what it says while it runs, files, serving.

program_test.py PROGRAM LOG_TOOL [unittest arguments]
"""

import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import flight_rows
import job_case
from job_case import HERE, Job, Programs

PAGE = os.path.join(HERE, "../../docs/reference/programs.md")

# go-logfmt's grammar: a bare name, "=", and a JSON string or a bare value; one space between.
PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_.]*)=("(?:[^"\\\x00-\x1f]|\\.)*"|[^\s"=]+)(?: |$)')


def parse_logfmt(line):
    """[(name, value)], or a ValueError."""
    pairs, at = [], 0
    while at < len(line):
        match = PAIR.match(line, at)
        if not match:
            raise ValueError(f"no logfmt at {at}: {line!r}")
        value = match[2]
        pairs.append((match[1], json.loads(value) if value.startswith('"') else value))
        at = match.end()
    return pairs


class CommandLine(Job):
    def test_wrong_flags_and_keys_are_told_the_nearest_right_one(self):
        self.refused("--imput", "x", status=2, words=["--imput", "did you mean --input?"])
        self.refused("--rejets=x", status=2, words=["did you mean --rejects?"])
        self.refused("--from", "yesterday", status=2, words=["--from", "not a time: yesterday"])
        self.refused("surplus", status=2, words=["surplus"])
        for day in ("2001-01-01", "2001-01-02"):
            self.refused("--from", "2001-01-02", "--to", day, status=2,
                         words=["--from", "must be before --to", f"2001-01-02 is not before {day}"])
        self.refused("--threads", "-1", status=2, words=["--threads"])
        with open(self.path("conf"), "w", encoding="ascii") as file:
            file.write("inptu=x\n")
        self.refused("--config", self.path("conf"), status=2, words=["inptu", "did you mean input?"])

    def test_help_and_the_reference_name_the_same_flags(self):
        told = set(re.findall(r"^ *(?:-h,)?(--[a-z-]+)", self.job("--help"), re.MULTILINE))
        self.assertTrue({"--help", "--input", "--rejects", "--fresh", "--config"} <= told, told)
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        written = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
        self.assertEqual(sorted(told), sorted(written))

    def test_a_configuration_file_is_read(self):
        source = self.write(["2001-01-01T08:00:00Z,5,300,ORD,LAX"])
        with open(self.path("conf"), "w", encoding="ascii") as file:
            file.write(f'input="{source}"\npartitions=3\n')
        self.assertIn("1 rows in this run", self.job("--config", self.path("conf")))

    def test_sections_and_dots_in_a_configuration_file_are_refused(self):
        for text, word in (
            ("[flights]\ninput=x\n", "section [flights]: keys stand without sections"),
            ("quiet=true\n[a.b]\ninput=x\n[c]\nrate=1\n", "section [a.b]: keys stand without sections"),
            ("flights.input=x\n", "unknown key flights.input: keys stand without sections and dots"),
        ):
            with open(self.path("conf"), "w", encoding="ascii") as file:
                file.write(text)
            self.refused("--config", self.path("conf"), status=2, words=["--config", word])


class MemoryLog(Job):
    def left(self):
        return [name for name in os.listdir(self.path("state")) if name.startswith(".memory-")]

    def test_every_run_is_a_first_one_and_leaves_nothing(self):
        source = self.slice(rows=3000)
        said = self.job("--input", source, "--log", "memory:")
        self.assertIn("3000 rows in this run", said)
        want = self.results()
        self.assertEqual(os.listdir(self.path("state")), [])
        for log in "memory:", "memory":
            shutil.rmtree(self.path("out"))
            self.assertEqual(said, self.job("--input", source, "--log", log))
            self.assertEqual(want, self.results())

    def test_the_state_of_another_log_stays(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        for more in ((), ("--fresh",)):
            self.assertIn("500 rows in this run", self.job("--input", source, "--log", "memory:", *more))
        self.assertIn("Nothing to do", self.job("--input", source))

    def test_what_a_killed_run_left_goes_with_the_next_and_a_living_one_keeps_its_own(self):
        source = self.slice(rows=3000)
        killed = self.started("--input", source, "--rate", "100", "--log", "memory:")
        killed.kill()
        killed.wait()
        (old,) = self.left()
        living = self.started("--input", source, "--rate", "100", "--log", "memory:")
        (own,) = self.left()
        self.assertNotEqual(old, own)
        self.job("--input", source, "--log", "memory:")
        self.assertEqual(self.left(), [own])
        living.send_signal(signal.SIGTERM)
        self.assertEqual(living.wait(timeout=60), 0)
        self.assertEqual(self.left(), [])


class Output(Job):
    FILES = ["dead-letters.txt", "delay-alerts.csv", "hourly-delays.csv", "late-rows.csv"]

    def files(self):
        return sorted(os.listdir(self.path("out")))

    def test_a_file_that_a_killed_run_began_is_replaced(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        self.assertEqual(self.files(), self.FILES)
        want = self.results()
        # To somewhere else: it is not written through.
        with open(self.path("precious"), "w", encoding="ascii") as file:
            file.write("x")
        os.symlink(self.path("precious"), self.path("out/hourly-delays.csv.tmp"))
        with open(self.path("out/delay-alerts.csv.tmp"), "w", encoding="ascii") as file:
            file.write("x" * 100_000)
        self.job("--input", source)
        self.assertEqual(self.files(), self.FILES)
        self.assertEqual(want, self.results())
        with open(self.path("precious"), encoding="ascii") as file:
            self.assertEqual(file.read(), "x")

    def test_a_file_that_cannot_be_made_is_named_and_the_old_one_stays(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        old = self.results()
        os.mkdir(self.path("out/hourly-delays.csv.tmp"))
        said = self.job("--input", self.slice(rows=1000), "--fresh", status=1)
        self.assertRegex(said, "error: .*out/hourly-delays.csv.tmp: .*Is a directory")
        self.assertEqual(old, self.results())
        os.rmdir(self.path("out/hourly-delays.csv.tmp"))
        self.assertEqual(self.files(), self.FILES)

    def test_a_file_that_the_disk_does_not_take_is_named_and_the_old_one_stays(self):
        self.job("--input", self.slice(rows=500))
        old = self.results()
        most = 200 << 10  # of a file; the states are smaller in so many partitions
        # Python ignores SIGXFSZ, and so does what it starts without restore_signals.
        done = subprocess.run(
            self.command("--input", self.slice(), "--log", "memory:", "--partitions", "64"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            restore_signals=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        )
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, "error: .*out/hourly-delays.csv.tmp: no space: .*File too large")
        self.assertEqual(self.files(), self.FILES)
        self.assertEqual(old, self.results())


class Telling(Job):
    def test_log_lines_are_logfmt_whatever_is_in_them(self):
        rows = ["2001-01-01T08:00:00Z,5,300,ORD,LAX", 'x,"y" = \\\t"z']
        # As bytes: no text in UTF-8.
        name = 'a "b" = \\ \n \x01 \udcff é.csv'
        source = self.write(rows, name)
        said = self.job("--input", source, "--on-failure", "stop", "--log-level", "info", status=1)
        lines = [dict(parse_logfmt(line)) for line in said.split("\n") if line.startswith("ts=")]
        for line in lines:
            self.assertEqual(list(line)[:3], ["ts", "level", "msg"])
            self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        failures = [line for line in lines if line["msg"] == "a task failed"]
        self.assertEqual([line["failures"] for line in failures], ["1", "2", "3", "4", "5"])
        for line in failures:
            self.assertEqual(line["level"], "error")
            self.assertEqual(line["task"], "flights/ingest.g1[0]")
            self.assertIn(name.replace("\udcff", "\ufffd") + ":2: ", line["error"])
            self.assertIn('operator "ingest"', line["error"])
            self.assertTrue(line["error"].endswith(': ""y" = \\x5c\\x09"z"'), line["error"])

    LINE = re.compile(r" *(\d+) rows +(\d+) rows/s  lag +(\d+)(?:  ETA (\d+) s)? *")

    def progress(self, text):
        """[(rows, rows/s, lag, ETA or None)]"""
        lines = [line for line in re.split("[\r\n]+", text) if line.strip()]
        found = [self.LINE.fullmatch(line) for line in lines]
        self.assertTrue(all(found), lines)
        return [tuple(None if n is None else int(n) for n in match.groups()) for match in found]

    def check_progress(self, lines, rows, rate):
        numbers = [line[0] for line in lines]
        self.assertEqual(numbers, sorted(numbers))
        self.assertEqual(lines[-1][0], rows)
        self.assertEqual(lines[-1][2:], (0, None))
        self.assertTrue(rate / 4 < lines[-1][1], lines)
        for done, speed, _, left in lines[:-1]:
            # Never more than it may; how much less at first is up to how long the app takes to start.
            self.assertTrue(0 < done <= rows and 0 < speed < rate * 1.25, lines)
            if left is not None:  # what was done in its time, and what is left in the rest
                self.assertAlmostEqual(done / rate + left, rows / rate, delta=1.5, msg=str(lines))

    def test_progress_has_rows_their_rate_lag_and_the_time_left(self):
        source = self.slice(rows=10_000)
        with open(self.path("told"), "w", encoding="ascii") as told:
            subprocess.run(self.command("--input", source, "--rate", "2000", quiet=False),
                           stderr=told, stdout=subprocess.PIPE, check=True)
        with open(self.path("told"), encoding="ascii") as told:
            lines = self.progress(told.read())
        self.check_progress(lines, 10_000, 2000)
        self.assertGreaterEqual(len(lines), 3)  # every two seconds, and at the end
        self.assertTrue(all(line[3] is not None for line in lines[:-1]), lines)

    def test_on_a_terminal_progress_is_one_line_that_renews_itself(self):
        source = self.slice(rows=3000)
        ours, theirs = pty.openpty()
        running = subprocess.Popen(self.command("--input", source, "--rate", "1500", quiet=False),
                                   stderr=theirs, stdout=subprocess.DEVNULL)
        os.close(theirs)
        told = b""
        try:
            while part := os.read(ours, 4096):
                told += part
        except OSError:  # EIO: the other side is closed
            pass
        os.close(ours)
        self.assertEqual(running.wait(timeout=60), 0)
        told = told.decode("ascii")
        self.assertEqual(told.count("\n"), 1)
        lines = self.progress(told)
        self.check_progress(lines, 3000, 1500)
        self.assertGreaterEqual(len(lines), 5)
        self.assertTrue(any(line[3] is not None for line in lines), lines)

    def test_quiet_tells_nothing(self):
        done = subprocess.run(self.command("--input", self.slice(rows=500)), stderr=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, check=True)
        self.assertEqual(done.stderr, b"")


class Serving(Job):
    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def serve(self, *arguments):
        """The process, once it has come to the end of its input."""
        errors = self.path("errors")
        with open(errors, "w", encoding="utf-8") as err:
            running = subprocess.Popen(self.command(*arguments, "--keep-running", "--http", "127.0.0.1:0"),
                                       stdout=subprocess.PIPE, stderr=err, text=True)
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.kill)
        for line in running.stdout:
            if "alerts in" in line:
                break
        with open(errors, encoding="utf-8") as err:
            self.port = int(err.read().split("serving http on port ")[1].split()[0])
        return running

    def test_alerts_open_disruptions_and_the_first_calm_hour_closes_them(self):
        running = self.serve("--input", self.slice(), "--disruptions")
        expected = {}  # by origin: is it open, how many, so many events
        alerts = {tuple(line.split(",")[:2]) for line in self.read("delay-alerts.csv").splitlines()[1:]}
        for line in self.read("hourly-delays.csv").splitlines()[1:]:
            origin, hour, flights = line.split(",")[:3]
            if int(flights) < 5:
                continue
            is_open, count, events = expected.get(origin, (False, 0, 0))
            alarming = (origin, hour) in alerts
            expected[origin] = (alarming, count + (alarming and not is_open), events + (alarming or is_open))
        disrupted = {origin: what for origin, what in expected.items() if what[2]}
        self.assertGreater(len(disrupted), 3)
        for origin, (is_open, count, events) in expected.items():
            status, body = self.get(f"/aggregates/airport-disruptions/{origin}")
            self.assertEqual(status, 200 if events else 404, body)
            if events:
                answer = json.loads(body)
                state = answer["state"]
                self.assertEqual((state["open"], int(state["disruptions"]), answer["version"]), (is_open, count, events), origin)
        running.send_signal(signal.SIGTERM)
        self.assertEqual(running.wait(timeout=60), 0)

    def test_after_the_end_a_closed_hour_has_the_figures_of_the_csv(self):
        source = self.slice()
        running = self.serve("--input", source)
        rows = [line.split(",") for line in self.read("hourly-delays.csv").splitlines()[1:]]
        for origin, hour, flights, mean, least, most, share in rows[:: len(rows) // 20]:
            status, body = self.get(f"/state/hourly-delays/{origin}?window={hour}")
            self.assertEqual(status, 200, body)
            answer = json.loads(body)
            value = answer["value"]
            # int64 is a string in JSON, as Cap'n Proto writes it.
            self.assertEqual(int(value["flights"]), int(flights))
            self.assertEqual(value["minDelay"], int(least))
            self.assertEqual(value["maxDelay"], int(most))
            self.assertEqual(f"{int(value['delaySum']) / int(flights):.6f}", mean)
            self.assertEqual(f"{int(value['delayed']) / int(flights):.6f}", share)
            self.assertFalse(answer["stale"])
        origin = rows[0][0]
        status, body = self.get(f"/state/hourly-delays/{origin}")
        self.assertEqual(len(json.loads(body)["windows"]), sum(row[0] == origin for row in rows))
        status, body = self.get(f"/state/delay-alerts/{origin}")
        self.assertEqual(status, 200, body)
        self.assertEqual(self.get("/state/hourly-delays/ORD?window=1999-01-01T00:00:00Z")[0], 404)
        self.assertEqual(self.get("/state/nothing/ORD")[0], 404)
        status, body = self.get("/health")
        self.assertEqual((status, json.loads(body)["status"]), (200, "up"))
        status, body = self.get("/metrics")
        self.assertIn('kappa_records_in_total{app="flights",stage="ingest"', body)
        running.send_signal(signal.SIGTERM)
        self.assertEqual(running.wait(timeout=60), 0)
        self.assertIn("Nothing to do", self.job("--input", source))


if __name__ == "__main__":
    job_case.main()
