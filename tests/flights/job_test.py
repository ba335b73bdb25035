#!/usr/bin/env python3
"""The flights job as its user meets it: results against the oracle's, and what is wrong with the input.

job_test.py PROGRAM [unittest arguments]
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import flight_rows

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "../../examples/flights/data/flights-2001-01.csv.zst")
PROGRAM = None
SLICE = 20_000  # rows, about a day and a half


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

    def command(self, *arguments):
        return [
            PROGRAM, "--quiet",
            "--log", "lmdb:" + self.path("log"), "--state", self.path("state"),
            "--out", self.path("out"), "--rejects", self.path("out"), *arguments,
        ]

    def job(self, *arguments, status=0):
        """What the job says, both streams."""
        done = subprocess.run(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=200,
        )
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def refused(self, *arguments, status, words):
        said = self.job(*arguments, status=status)
        self.assertIn("error: ", said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn("hours in", said)

    def write(self, rows, name="in.csv", header=flight_rows.HEADER):
        lines = [header] if header is not None else []
        lines += [row.encode() if isinstance(row, str) else row for row in rows]
        with open(self.path(name), "wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        return self.path(name)

    def slice(self, *arguments, rows=SLICE, name="in.csv"):
        tool("mangle.py", "--input", DATA, "--out", self.path(name), "--rows", str(rows), *arguments)
        return self.path(name)

    def read(self, name):
        with open(os.path.join(self.folder, "out", name), encoding="ascii") as file:
            return file.read()

    def agrees_with_the_oracle(self, source, *arguments):
        said = tool("oracle.py", "--input", source, "--out", self.path("expected"), *arguments)
        tool("compare.py", "--dead-letters", self.path("expected"), self.path("out"))
        return dict(line.rsplit(" ", 1) for line in said.splitlines() if " " in line)


class Results(Job):
    def test_the_month_agrees_with_sql(self):
        said = self.job("--input", DATA)
        self.assertIn("508239 rows in this run; 0 late rows and 3 dead letters in all", said)
        self.assertIn("72839 hours in", said)
        self.assertIn("462 alerts in", said)
        self.agrees_with_the_oracle(DATA)

    def test_rows_in_another_order_within_the_lateness_give_the_same(self):
        source = self.slice("--shuffle-within-minutes", "10")
        said = self.job("--input", source)
        self.assertIn(" 0 late rows", said)
        self.agrees_with_the_oracle(source)
        shuffled = self.read("hourly-delays.csv")
        self.job("--input", self.slice(name="ordered.csv"), "--fresh")
        self.assertEqual(shuffled, self.read("hourly-delays.csv"))

    def test_one_percent_of_garbage_goes_to_dead_letters_and_nothing_else_changes(self):
        source = self.slice("--garbage", "0.01")
        self.job("--input", source)
        facts = self.agrees_with_the_oracle(source)
        self.assertGreater(int(facts["dead-letters"]), SLICE // 200)
        with_garbage = self.read("hourly-delays.csv")
        self.job("--input", self.slice(name="clean.csv"), "--fresh")
        self.assertEqual(with_garbage, self.read("hourly-delays.csv"))

    def test_windows_and_late_rows_together_are_all_rows(self):
        source = self.slice("--shuffle-within-minutes", "10", "--late", "0.02", "--garbage", "0.01")
        # What is late depends on when the watermark moves: here every few rows, not once.
        said = self.job("--input", source, "--rate", "20000", "--commit-interval", "1ms")
        late = len(self.read("late-rows.csv").splitlines()) - 1
        self.assertGreater(late, SLICE // 200)
        self.assertIn(f"; {late} late rows and ", said)
        self.agrees_with_the_oracle(source, "--late", os.path.join(self.path("out"), "late-rows.csv"))

    def test_compressed_and_crlf_input_give_the_same(self):
        source = self.slice()
        self.job("--input", source)
        plain = self.read("hourly-delays.csv")
        for name, *arguments in (("in.csv.zst",), ("crlf.csv", "--crlf")):
            self.job("--input", self.slice(*arguments, name=name), "--fresh")
            self.assertEqual(plain, self.read("hourly-delays.csv"))

    def test_partitions_and_threads_change_nothing(self):
        source = self.slice()
        self.job("--input", source)
        want = self.read("hourly-delays.csv"), self.read("delay-alerts.csv")
        for partitions in ("1", "7"):
            self.job("--input", source, "--fresh", "--partitions", partitions, "--threads", "3",
                     "--commit-interval", "1ms", "--snapshot-interval", "5ms")
            self.assertEqual(want, (self.read("hourly-delays.csv"), self.read("delay-alerts.csv")))

    def test_a_row_of_the_year_9999_first_closes_nothing(self):
        with open(self.slice(rows=3000), "rb") as file:
            rows = file.read().splitlines()[1:]
        source = self.write([b"9999-12-31T23:59:59Z,5,300,ORD,LAX"] + rows, "far.csv")
        said = self.job("--input", source)
        self.assertIn(" 0 late rows and 1 dead letters", said)
        self.assertIn("far.csv:1: ", said)
        self.assertIn("time out of bounds", said)
        self.agrees_with_the_oracle(source)
        # Within the bounds of the job's default it would be a day ahead of nothing.
        self.assertEqual(self.read("dead-letters.txt"), "1\n")

    def test_a_record_over_the_size_limit_is_a_dead_letter_cut_to_size(self):
        long = b"2001-01-01T08:10:00Z,5,300,ORD," + b"X" * 3_000_000
        source = self.write([b"2001-01-01T08:00:00Z,5,300,ORD,LAX", long,
                             b"2001-01-01T08:20:00Z,7,300,ORD,LAX"])
        said = self.job("--input", source)
        self.assertIn("in.csv:2: ", said)
        self.assertEqual(self.read("dead-letters.txt"), "2\n")
        self.assertIn("ORD,2001-01-01T08:00:00Z,2,6.000000,5,7,0.000000\n", self.read("hourly-delays.csv"))


class RunAgain(Job):
    def test_a_second_run_finds_everything_done_and_fresh_starts_over(self):
        source = self.slice(rows=3000)
        first = self.job("--input", source)
        self.assertIn("3000 rows in this run", first)
        want = self.read("hourly-delays.csv")
        shutil.rmtree(self.path("out"))
        again = self.job("--input", source)
        self.assertIn("Nothing to do: everything had been done before (--fresh starts over).", again)
        self.assertIn("0 rows in this run", again)
        self.assertEqual(want, self.read("hourly-delays.csv"))
        self.assertIn("3000 rows in this run", self.job("--input", source, "--fresh"))
        self.assertEqual(want, self.read("hourly-delays.csv"))

    def test_without_its_state_it_appends_nothing_and_gives_the_same(self):
        source = self.slice(rows=3000)
        self.job("--input", source, "--dump-state", self.path("dump"))
        with open(self.path("dump"), "rb") as file:
            dump = file.read()
        want = self.read("hourly-delays.csv"), self.read("delay-alerts.csv")
        shutil.rmtree(self.path("state"))
        shutil.rmtree(self.path("out"))
        said = self.job("--input", source, "--dump-state", self.path("dump"))
        self.assertIn("Nothing to do", said)
        self.assertEqual(want, (self.read("hourly-delays.csv"), self.read("delay-alerts.csv")))
        with open(self.path("dump"), "rb") as file:
            self.assertEqual(dump, file.read())

    def test_fresh_leaves_alone_what_is_not_its_own(self):
        source = self.slice(rows=100)
        self.job("--input", source)
        os.makedirs(self.path("state/other-app"))
        with open(self.path("state/other-app/precious"), "w", encoding="ascii") as file:
            file.write("x")
        with open(self.path("log/notes"), "w", encoding="ascii") as file:
            file.write("x")
        self.job("--input", source, "--fresh")
        self.assertTrue(os.path.exists(self.path("state/other-app/precious")))
        self.assertTrue(os.path.exists(self.path("log/notes")))

    def test_fresh_deletes_nothing_when_the_input_cannot_be_read(self):
        source = self.slice(rows=100)
        self.job("--input", source)
        self.refused("--input", self.path("absent.csv"), "--fresh", status=3, words=["no such file"])
        self.assertIn("Nothing to do", self.job("--input", source))


class Input(Job):
    def test_a_header_alone_gives_headers_alone(self):
        said = self.job("--input", self.write([]))
        self.assertIn("0 rows in this run", said)
        self.assertIn("0 hours in", said)
        self.assertEqual(
            self.read("hourly-delays.csv"),
            "origin,hour,flights,mean_delay,min_delay,max_delay,share_delayed\n",
        )
        self.assertEqual(
            self.read("delay-alerts.csv"),
            "origin,hour,flights,mean_delay,history_mean,history_deviation\n",
        )

    def test_an_empty_file_is_refused(self):
        self.refused("--input", self.write([], header=None), status=2,
                     words=["in.csv", "is empty: it needs a header line"])

    def test_other_columns_are_refused_with_both_headers(self):
        self.refused("--input", self.write([], header=b"when,delay,distance,origin,destination"),
                     status=2, words=["in.csv", "scheduled,delay,distance,origin,destination", "when"])

    def test_a_missing_file_is_refused_by_name(self):
        self.refused("--input", self.path("absent.csv"), status=3, words=["absent.csv", "no such file"])

    def test_a_folder_is_refused(self):
        self.refused("--input", self.folder, status=2, words=["not a regular file"])

    def test_a_file_that_grew_after_its_end_is_refused_and_fresh_mends_it(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        with open(source, "ab") as file:
            file.write(b"2001-01-20T08:10:00Z,5,300,ORD,LAX\n")
        self.refused("--input", source, status=3, words=["in.csv", "changed since", "--fresh"])
        self.assertIn("501 rows in this run", self.job("--input", source, "--fresh"))

    def test_another_file_under_the_same_name_is_refused(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        with open(source, "r+b") as file:
            content = file.read()
            file.seek(content.index(b"2001-01-01T00:01:00Z"))
            file.write(b"2001-01-01T00:02:00Z")
        self.refused("--input", source, status=3, words=["in.csv", "changed since", "--fresh"])

    def test_a_file_that_grows_while_it_is_read_is_reported(self):
        source = self.slice(rows=3000)
        running = subprocess.Popen(
            self.command("--input", source, "--rate", "1500", "--log-level", "info"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        try:
            started = running.stdout.readline()
            while started and "started" not in started:
                started = running.stdout.readline()
            with open(source, "ab") as file:
                file.write(b"2001-01-20T08:10:00Z,5,300,ORD,LAX\n")
            said, _ = running.communicate(timeout=100)
        finally:
            running.kill()
        self.assertEqual(running.returncode, 1, said)
        self.assertIn("was written to while it was being read", said)
        self.assertIn("--fresh", said)
        self.assertIn("3001 rows in this run", self.job("--input", source, "--fresh"))


class State(Job):
    def test_a_state_of_another_stage_or_task_is_refused_by_name(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        ours = self.path("state/flights/hourly-delays.g1/0")
        for other, word in (("delay-alerts.g1/0", "delay-alerts"), ("hourly-delays.g1/1", "task 1")):
            shutil.rmtree(ours)
            shutil.copytree(self.path("state/flights/" + other), ours)
            self.refused("--input", source, status=3,
                         words=["flights/hourly-delays.g1[0]", word, "its own state folder"])

    def test_a_state_of_another_log_is_refused(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        shutil.rmtree(self.path("log"))
        self.refused("--input", source, status=3, words=["of log", "remove the folder"])

    def test_without_its_own_place_the_source_is_refused(self):
        # The log is another one, so both the place and the state are gone: it is a first start.
        source = self.slice(rows=500)
        self.job("--input", source)
        shutil.rmtree(self.path("log"))
        shutil.rmtree(self.path("state"))
        self.assertIn("500 rows in this run", self.job("--input", source))


class CommandLine(Job):
    def test_wrong_flags_and_keys_are_told_the_nearest_right_one(self):
        self.refused("--imput", "x", status=2, words=["--imput", "did you mean --input?"])
        self.refused("--rejets=x", status=2, words=["did you mean --rejects?"])
        self.refused("--from", "yesterday", status=2, words=["--from", "not a time: yesterday"])
        self.refused("surplus", status=2, words=["surplus"])
        self.refused("--threads", "-1", status=2, words=["--threads"])
        with open(self.path("conf"), "w", encoding="ascii") as file:
            file.write("inptu=x\n")
        self.refused("--config", self.path("conf"), status=2, words=["inptu", "did you mean input?"])

    def test_help_names_every_option(self):
        said = self.job("--help")
        for option in ("--input", "--fresh", "--keep-running", "--http", "--rate", "--config"):
            self.assertIn(option, said)

    def test_a_configuration_file_is_read(self):
        source = self.write(["2001-01-01T08:00:00Z,5,300,ORD,LAX"])
        with open(self.path("conf"), "w", encoding="ascii") as file:
            file.write(f'input="{source}"\npartitions=3\n')
        self.assertIn("1 rows in this run", self.job("--config", self.path("conf")))


class Serving(Job):
    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def test_after_the_end_a_closed_hour_has_the_figures_of_the_csv(self):
        source = self.slice()
        errors = self.path("errors")
        with open(errors, "w", encoding="utf-8") as err:
            running = subprocess.Popen(
                self.command("--input", source, "--keep-running", "--http", "127.0.0.1:0"),
                stdout=subprocess.PIPE, stderr=err, text=True,
            )
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.kill)
        for line in running.stdout:
            if "alerts in" in line:
                break
        with open(errors, encoding="utf-8") as err:
            self.port = int(err.read().split("serving http on port ")[1].split()[0])
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
    PROGRAM = sys.argv.pop(1)
    unittest.main()
