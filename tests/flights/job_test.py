#!/usr/bin/env python3
"""The flights job as its user meets it: results against the oracle's, and what is wrong with the input.

job_test.py PROGRAM LOG_TOOL [unittest arguments]
"""

import os
import shutil
import signal

import flight_rows
import job_case
from job_case import DATA, OFTEN, SLICE, Job, first_rows


class Results(Job):
    def test_the_month_agrees_with_sql(self):
        said = self.job("--input", DATA)
        self.assertIn("508239 rows in this run; 0 late rows and 3 dead letters in all", said)
        self.assertIn("72839 hours in", said)
        self.assertIn("462 alerts in", said)
        self.agrees_with_the_oracle(DATA)

    def test_rows_in_another_order_within_the_lateness_are_never_late(self):
        source = self.slice("--shuffle-within-minutes", "10")
        self.assertIn(" 0 late rows", self.job("--input", source, *OFTEN))
        self.agrees_with_the_oracle(source)
        shuffled = self.results()
        self.job("--input", self.slice(name="ordered.csv"), "--fresh")
        self.assertEqual(shuffled, self.results())

    def test_rows_in_another_order_far_beyond_the_lateness_are_late(self):
        # Shows besides that the watermark moves often enough for the test above to find late rows.
        source = self.slice("--shuffle-within-minutes", "240")
        said = self.job("--input", source, *OFTEN)
        late, file = self.late()
        self.assertGreater(late, SLICE // 100)
        self.assertIn(f"; {late} late rows and ", said)
        facts = self.agrees_with_the_oracle(source, "--late", file)
        self.assertEqual(int(facts["flights-in-hours"]) + late, SLICE)

    def test_one_percent_of_garbage_goes_to_dead_letters_and_nothing_else_changes(self):
        source = self.slice("--garbage", "0.01")
        self.job("--input", source)
        facts = self.agrees_with_the_oracle(source)
        self.assertGreater(int(facts["dead-letters"]), SLICE // 200)
        with_garbage = self.results()
        self.job("--input", self.slice(name="clean.csv"), "--fresh")
        self.assertEqual(with_garbage, self.results())

    def test_windows_and_late_rows_together_are_all_rows(self):
        source = self.slice("--shuffle-within-minutes", "10", "--late", "0.02", "--garbage", "0.01")
        said = self.job("--input", source, *OFTEN)
        late, file = self.late()
        self.assertGreater(late, SLICE // 200)
        self.assertIn(f"; {late} late rows and ", said)
        facts = self.agrees_with_the_oracle(source, "--late", file)
        self.assertEqual(int(facts["flights-in-hours"]) + late, SLICE)

    def test_compressed_and_crlf_input_give_the_same(self):
        source = self.slice()
        self.job("--input", source)
        self.agrees_with_the_oracle(source)
        plain = self.results()
        for name, end in (("in.csv.zst", b"\n"), ("crlf.csv", b"\r\n")):
            self.job("--input", self.write(first_rows(), name, end=end), "--fresh")
            self.assertEqual(plain, self.results())

    def test_partitions_and_threads_change_nothing(self):
        source = self.slice()
        self.job("--input", source)
        self.agrees_with_the_oracle(source)
        want = self.results()
        for partitions in ("1", "7"):
            self.job("--input", source, "--fresh", "--partitions", partitions, "--threads", "3",
                     "--commit-interval", "1ms", "--snapshot-interval", "5ms")
            self.assertEqual(want, self.results())

    @staticmethod
    def with_rows_ahead(places, hours, seconds=0):
        """6,000 rows, and more of them that are so far ahead of the largest time before them."""
        rows = first_rows()[:6000]
        for at in sorted(places, reverse=True):
            time = max(flight_rows.parse_row(row)[0] for row in rows[:at])
            time = flight_rows.format_time(time + hours * 3600 + seconds)
            rows.insert(at, f"{time},5,300,ORD,LAX".encode())
        return rows

    def test_rows_more_than_a_day_ahead_close_nothing(self):
        for seconds, first in ((1, "9999-12-31T23:59:59Z"), (90 * 86400, "2002-01-01T00:00:00Z")):
            # Ahead of nothing: it is the bounds that refuse it.
            rows = [f"{first},5,300,ORD,LAX".encode(), *self.with_rows_ahead((1, 3000), 24, seconds)]
            source = self.write(rows, "far.csv")
            said = self.job("--input", source, "--fresh", "--rate", "6000", "--commit-interval", "1ms")
            self.assertIn(" 0 late rows and 3 dead letters", said)
            for row, why in (1, "time out of bounds"), (3, "time too far ahead"), (3003, "time too far ahead"):
                self.assertRegex(said, f"far.csv:{row}: .*{why}")
            self.agrees_with_the_oracle(source, alerts=False)
            self.assertEqual(self.read("dead-letters.txt"), "1\n3\n3003\n")

    def test_rows_less_than_a_day_ahead_close_what_is_before_them(self):
        # Shows besides that the test above would find late rows.
        for at, least in ((1, 4000), (3000, 1000)):
            source = self.write(self.with_rows_ahead((at,), 20), "near.csv")
            said = self.job("--input", source, "--fresh", "--rate", "6000", "--commit-interval", "1ms")
            late, file = self.late()
            self.assertGreater(late, least)
            self.assertIn(f"; {late} late rows and 0 dead letters", said)
            self.agrees_with_the_oracle(source, "--late", file, alerts=False)

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
        source = self.slice()
        self.job("--input", source, "--dump-state", self.path("dump"))
        with open(self.path("dump"), "rb") as file:
            dump = file.read()
        want = self.results()
        ends = self.log_tool("ends")
        self.assertIn("hourly-delays[0] 0 ", ends)
        self.assertIn("flights.ingest.g1.origin[0] 0 ", ends)
        shutil.rmtree(self.path("state"))
        shutil.rmtree(self.path("out"))
        said = self.job("--input", source, "--dump-state", self.path("dump"))
        self.assertEqual(ends, self.log_tool("ends"))
        self.assertIn("Nothing to do", said)
        self.assertEqual(want, self.results())
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
        running = self.started("--input", source, "--rate", "1500")
        with open(source, "ab") as file:
            file.write(b"2001-01-20T08:10:00Z,5,300,ORD,LAX\n")
        said, _ = running.communicate(timeout=100)
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

    def test_without_its_log_and_its_state_it_is_a_first_start(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        shutil.rmtree(self.path("log"))
        shutil.rmtree(self.path("state"))
        self.assertIn("500 rows in this run", self.job("--input", source))


class Source(Job):
    def test_a_lost_position_while_rows_are_in_the_log_is_refused_and_fresh_mends_it(self):
        source = self.slice(rows=500)
        self.job("--input", source)
        ends = self.log_tool("ends")
        self.assertEqual(self.log_tool("forget", "ingest"), "flights/ingest.g1[0]<-ingest\n")
        for more in ((), ("--adopt-state-position",)):
            self.refused("--input", source, *more, status=3,
                         words=["flights/ingest.g1[0]", "has run before", "position", "--fresh"])
        shutil.rmtree(self.path("state"))
        self.refused("--input", source, status=3, words=["flights/ingest.g1[0]", "--fresh"])
        self.assertEqual(ends, self.log_tool("ends"))
        self.assertIn("500 rows in this run", self.job("--input", source, "--fresh"))

    def test_a_lost_position_half_way_is_refused(self):
        source = self.slice(rows=3000)
        running = self.started("--input", source, "--rate", "200", "--commit-interval", "1ms")
        while "flights/ingest.g1[0]<-ingest" not in self.log_tool("positions"):
            self.assertIsNone(running.poll())
        running.kill()
        running.wait()
        ends = self.log_tool("ends")
        self.log_tool("forget", "ingest")
        self.refused("--input", source, status=3, words=["flights/ingest.g1[0]", "has run before"])
        self.assertEqual(ends, self.log_tool("ends"))

    def test_of_two_ingests_of_one_file_the_second_is_refused_and_writes_nothing(self):
        source = self.slice(rows=3000)
        first = self.started("--input", source, "--rate", "200", "--commit-interval", "1ms")
        for state in ("state", "state-of-its-own"):
            self.refused("--input", source, "--state", self.path(state), status=3,
                         words=["flights: ", "runs already", f"pid {first.pid}"])
        self.assertIsNone(first.poll())
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(timeout=60), 0)
        rest = int(self.job("--input", source).split(" rows in this run")[0])
        self.assertTrue(0 < rest < 3000, rest)
        self.assertIn("flights/ingest.g1[0]<-ingest 3000\n", self.log_tool("positions"))
        self.agrees_with_the_oracle(source, alerts=False)


if __name__ == "__main__":
    job_case.main()
