#!/usr/bin/env python3
"""The oracle itself, against results worked out by hand and against the rules done the slow way."""

import collections
import fractions
import math
import os
import random
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import flight_rows  # noqa: E402

HEADER = flight_rows.HEADER.decode() + "\n"


def run(tool, *args, status=0):
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, tool), *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    assert done.returncode == status, f"{tool}: exit {done.returncode}: {done.stdout}"
    return done.stdout


class Folder(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="kappa-oracle-")
        self.addCleanup(self.temporary.cleanup)

    def path(self, name):
        return os.path.join(self.temporary.name, name)

    def write(self, name, text):
        flight_rows.write_bytes(self.path(name), text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def read(self, *parts):
        with open(os.path.join(self.temporary.name, *parts), encoding="utf-8", newline="") as file:
            return file.read()

    def oracle(self, text, *args, out="out", status=0):
        source = self.write("in.csv", text)
        return run("oracle.py", "--input", source, "--out", self.path(out), *args, status=status)


class Hours(Folder):
    def test_an_hour_is_a_line_with_six_decimals(self):
        self.oracle(
            HEADER
            + "2001-01-01T08:59:59Z,15,100,ORD,LAX\n"
            + "2001-01-01T08:00:00Z,14,100,ORD,SFO\r\n"
            + "2001-01-01T08:30:00Z,-9,100,ORD,SFO\n"
            + "2001-01-01T09:00:00Z,-1,100,ORD,SFO\n"
            + "2001-01-01T09:00:00Z,0,100,ABE,SFO"
        )
        self.assertEqual(
            self.read("out", "hourly-delays.csv"),
            "origin,hour,flights,mean_delay,min_delay,max_delay,share_delayed\n"
            "ABE,2001-01-01T09:00:00Z,1,0.000000,0,0,0.000000\n"
            "ORD,2001-01-01T08:00:00Z,3,6.666667,-9,15,0.333333\n"
            "ORD,2001-01-01T09:00:00Z,1,-1.000000,-1,-1,0.000000\n",
        )
        self.assertEqual(self.read("out", "dead-letters.txt"), "")

    def test_compressed_input_gives_the_same(self):
        text = HEADER + "2001-01-01T08:00:00Z,1,1,ORD,LAX\n"
        self.oracle(text)
        run("oracle.py", "--input", self.write("in.csv.zst", text), "--out", self.path("two"))
        run("compare.py", "--dead-letters", self.path("out"), self.path("two"))


class DeadLetters(Folder):
    def test_each_rule_has_its_bounds(self):
        good = "2001-01-01T08:00:00Z,1,1,ORD,LAX"
        rows = [
            ("9999-01-01T00:00:00Z,1,1,ORD,LAX", True),  # first, and moves no clock
            ("2000-12-31T23:59:59Z,1,1,ORD,LAX", True),
            ("2001-01-01T00:00:00Z,1,1,ORD,LAX", False),
            ("2001-01-02T00:00:01Z,1,1,ORD,LAX", True),  # 24 h and 1 s ahead
            ("2001-01-02T00:00:00Z,1,1,ORD,LAX", False),
            ("2001-01-03T00:00:00Z,1,1,ORD,LAX", False),
            (good.replace(",1,", ",-120,", 1), True),
            (good.replace(",1,", ",-119,", 1), False),
            (good.replace(",1,", ",1440,", 1), True),
            (good.replace(",1,", ",1439,", 1), False),
            (good.replace(",1,O", ",0,O"), True),
            (good.replace(",1,O", ",2147483647,O"), False),
            (good.replace(",1,O", ",2147483648,O"), True),
            (good.replace(",1,O", ",0001,O"), False),
            (good.replace(",1,", ",-0,", 1), False),
            (good.replace(",1,", ",+1,", 1), True),
            (good.replace("Z", "z"), True),
            (good.replace("01-01T", "02-29T"), True),
            (good.replace("ORD", "OrD"), True),
            (good.replace("ORD", '"ORD"'), False),
            ('"' + good, True),
            (good + ",", True),
            ("", True),
            (good + "\0", True),
            (good + "X" * 65536, True),
            (good, False),
        ]
        self.oracle(HEADER + "".join(row + "\n" for row, _ in rows))
        expected = [str(n) for n, (_, dead) in enumerate(rows, start=1) if dead]
        self.assertEqual(self.read("out", "dead-letters.txt").split(), expected)

    def test_the_last_day_is_before_to(self):
        text = HEADER + "2001-01-01T00:00:00Z,1,1,ORD,LAX\n2001-01-02T00:00:00Z,1,1,ORD,LAX\n"
        self.oracle(text, "--to", "2001-01-02")
        self.assertEqual(self.read("out", "dead-letters.txt"), "2\n")
        self.oracle(text, "--from", "2001-01-01T00:00:01Z")
        self.assertEqual(self.read("out", "dead-letters.txt"), "1\n")

    def test_another_header_is_refused(self):
        self.assertIn("header", self.oracle("a,b\n", status=1))


def slow_job(lines, begin, end):
    """The rules, one by one, with fractions: (hours {(origin, hour): [delays]}, alerts)."""
    hours, largest = collections.defaultdict(list), None
    for line in lines:
        try:
            row = flight_rows.parse_row(line)
        except flight_rows.BadRow:
            continue
        if flight_rows.implausible(row, largest, begin, end):
            continue
        largest = row[0] if largest is None else max(largest, row[0])
        hours[row[3], row[0] - row[0] % 3600].append(row[1])
    alerts, history = [], collections.defaultdict(list)
    for (origin, hour), delays in sorted(hours.items()):
        if len(delays) < 5:
            continue
        mean, past = fractions.Fraction(sum(delays), len(delays)), history[origin]
        if len(past) >= 24:
            average = sum(past) / len(past)
            deviation = math.sqrt(sum((x - average) ** 2 for x in past) / len(past))
            if mean - average > 3 * deviation:
                alerts.append((origin, hour, len(delays), mean, average, deviation))
        past.append(mean)
    return hours, alerts


class Alerts(Folder):
    def test_the_slow_way_gives_the_same(self):
        rng, lines = random.Random(7), []
        for minute in range(15 * 24 * 60):
            for origin in "ABE", "ORD", "XXX":
                if rng.random() < 0.12:
                    late = 300 if rng.random() < 0.001 * (minute // 60 % 13) ** 2 else 0
                    time = flight_rows.format_time(978307200 + 60 * minute)
                    lines.append(f"{time},{int(rng.gauss(late, 20))},100,{origin},LAX".encode())
        self.oracle(b"\n".join([flight_rows.HEADER] + lines))
        hours, alerts = slow_job(lines, 0, 10**10)
        self.assertGreater(len(alerts), 10)
        time = flight_rows.format_time
        expected = "origin,hour,flights,mean_delay,min_delay,max_delay,share_delayed\n"
        for (o, h), d in sorted(hours.items()):
            share = sum(x >= 15 for x in d) / len(d)
            expected += (f"{o},{time(h)},{len(d)},{sum(d) / len(d):.6f},{min(d)},{max(d)},"
                         f"{share:.6f}\n")
        self.assertEqual(self.read("out", "hourly-delays.csv"), expected)
        expected = "origin,hour,flights,mean_delay,history_mean,history_deviation\n"
        for o, h, n, mean, average, deviation in alerts:
            expected += (f"{o},{time(h)},{n},{float(mean):.6f},{float(average):.6f},"
                         f"{deviation:.6f}\n")
        os.mkdir(self.path("slow"))
        self.write("slow/delay-alerts.csv", expected)
        self.write("slow/hourly-delays.csv", self.read("out", "hourly-delays.csv"))
        run("compare.py", self.path("slow"), self.path("out"))

    def flat(self, hours, last):
        """`hours` hours of five flights without delay, then one of five with `last`."""
        lines = [HEADER]
        for hour in range(hours + 1):
            delay = last if hour == hours else 0
            time = flight_rows.format_time(978307200 + 3600 * hour)
            lines += [f"{time},{delay},1,ORD,LAX\n"] * 5
        self.oracle("".join(lines))
        return self.read("out", "delay-alerts.csv").count("\n") - 1

    def test_an_alert_needs_24_hours_of_history_and_strictly_more(self):
        self.assertEqual(self.flat(23, 100), 0)
        self.assertEqual(self.flat(24, 100), 1)
        self.assertEqual(self.flat(24, 0), 0)
        self.assertEqual(self.flat(24, 1), 1)


class Late(Folder):
    TEXT = (
        HEADER
        + "2001-01-01T08:00:00Z,1,1,ORD,LAX\n"
        + "2001-01-01T09:10:00Z,2,1,ORD,LAX\n"
        + "2001-01-01T08:00:00Z,1,1,ORD,LAX\n"  # its hour closed at 09:10:00
    )

    def test_late_rows_are_taken_out_of_the_windows(self):
        late = self.write("late.csv", HEADER + "2001-01-01T08:00:00Z,1,1,ORD,LAX\n")
        self.oracle(self.TEXT)
        self.assertIn("ORD,2001-01-01T08:00:00Z,2,", self.read("out", "hourly-delays.csv"))
        self.assertIn("late 1\n", self.oracle(self.TEXT, "--late", late))
        self.assertIn("ORD,2001-01-01T08:00:00Z,1,", self.read("out", "hourly-delays.csv"))

    def test_a_late_row_that_is_not_there_or_cannot_be_late_is_refused(self):
        for row in ("2001-01-01T08:00:00Z,1,1,ORD,LAX\n" * 2,
                    "2001-01-01T09:10:00Z,2,1,ORD,LAX\n",
                    "2001-01-01T08:00:00Z,9,1,ORD,LAX\n"):
            late = self.write("late.csv", HEADER + row)
            self.assertIn("late rows are not in the input", self.oracle(
                self.TEXT, "--late", late, status=1))
        in_time = self.TEXT.replace("09:10:00", "09:09:59")
        late = self.write("late.csv", HEADER + "2001-01-01T08:00:00Z,1,1,ORD,LAX\n")
        self.oracle(in_time, "--late", late, status=1)


class Mangled(Folder):
    def good(self, rows=4000):
        rng = random.Random(3)
        text = HEADER
        for i in range(rows):
            time = flight_rows.format_time(978307200 + 60 * (i // 4))
            text += f"{time},{rng.randrange(-30, 90)},{rng.randrange(1, 3000)},ORD,LAX\n"
        return self.write("good.csv", text)

    def test_shuffled_and_garbled_rows_give_the_same_windows(self):
        run("oracle.py", "--input", self.good(), "--out", self.path("good"))
        run("mangle.py", "--input", self.path("good.csv"), "--out", self.path("bad.csv.zst"),
            "--shuffle-within-minutes", "10", "--garbage", "0.2", "--crlf")
        said = run("oracle.py", "--input", self.path("bad.csv.zst"), "--out", self.path("bad"))
        run("compare.py", self.path("good"), self.path("bad"))
        dead = int(said.split("dead-letters ")[1].split()[0])
        self.assertGreater(dead, 600)
        self.assertIn("plausible 4000\n", said)

    def test_a_shuffled_row_never_stands_after_one_that_is_too_much_later(self):
        run("mangle.py", "--input", self.good(), "--out", self.path("shuffled.csv"),
            "--shuffle-within-minutes", "10")
        largest, moved = 0, 0
        lines = flight_rows.read_lines(self.path("shuffled.csv"))
        for line in lines:
            time = flight_rows.parse_row(line)[0]
            largest = max(largest, time)
            self.assertLessEqual(largest - time, 600)
            moved += time < largest
        self.assertGreater(moved, len(lines) // 2)
        self.assertEqual(sorted(lines), sorted(flight_rows.read_lines(self.path("good.csv"))))

    def test_late_rows_are_late_and_the_same_seed_makes_the_same_file(self):
        args = ("--input", self.good(), "--late", "0.1", "--garbage", "0.1")
        for name in "one", "two":
            run("mangle.py", *args, "--out", self.path(name))
        run("mangle.py", *args, "--out", self.path("three"), "--seed", "2")
        self.assertEqual(flight_rows.read_bytes(self.path("one")),
                         flight_rows.read_bytes(self.path("two")))
        self.assertNotEqual(flight_rows.read_bytes(self.path("one")),
                            flight_rows.read_bytes(self.path("three")))
        run("mangle.py", *args[:4], "--out", self.path("late"))
        largest, late = 0, 0
        for line in flight_rows.read_lines(self.path("late")):
            time = flight_rows.parse_row(line)[0]
            late += largest >= time - time % 3600 + 4200
            largest = max(largest, time)
        self.assertGreater(late, 100)


class Compare(Folder):
    def both(self):
        for name in "a", "b":
            os.makedirs(self.path(name), exist_ok=True)
            self.write(f"{name}/hourly-delays.csv",
                       "origin,hour,flights,mean_delay,min_delay,max_delay,share_delayed\n"
                       "ABE,2001-01-01T06:00:00Z,1,9.000000,9,9,0.000000\n"
                       "ORD,2001-01-01T06:00:00Z,1,9.000000,9,9,0.000000\n")
            self.write(f"{name}/delay-alerts.csv",
                       "origin,hour,flights,mean_delay,history_mean,history_deviation\n"
                       "ABQ,2001-01-03T11:00:00Z,8,30.500000,5.540827,8.184449\n")
            self.write(f"{name}/dead-letters.txt", "3\n17\n")

    def change(self, name, old, new):
        self.both()
        text = self.read("b", name)
        self.assertIn(old, text)
        self.write(f"b/{name}", text.replace(old, new))

    def compared(self, status):
        return run("compare.py", "--dead-letters", self.path("a"), self.path("b"), status=status)

    def test_the_same_files_are_the_same(self):
        self.both()
        self.compared(0)

    def test_history_columns_may_differ_in_the_last_place_and_no_more(self):
        self.change("delay-alerts.csv", "8.184449", "8.184450")
        self.compared(0)
        self.change("delay-alerts.csv", "8.184449", "8.184451")
        self.assertIn("history_deviation expected 8.184449, found 8.184451", self.compared(1))
        self.change("delay-alerts.csv", "5.540827", "5.54083")
        self.compared(1)
        self.change("delay-alerts.csv", "5.540827", "nan")
        self.compared(1)
        self.change("delay-alerts.csv", "30.500000", "30.500001")
        self.compared(1)

    def test_each_other_difference_is_named(self):
        self.change("hourly-delays.csv", "ABE,2001-01-01T06:00:00Z,1,9.000000,9,9,0.000000\n", "")
        self.assertIn("ABE 2001-01-01T06:00:00Z: missing", self.compared(1))
        self.change("hourly-delays.csv", "ABE", "ABF")
        self.assertIn("ABF 2001-01-01T06:00:00Z: not expected", self.compared(1))
        self.change("hourly-delays.csv", "mean_delay", "mean")
        self.assertIn("header", self.compared(1))
        self.change("dead-letters.txt", "17\n", "17\n17\n")
        self.assertIn("row 17: expected 1 times, found 2 times", self.compared(1))

    def test_a_file_of_another_form_is_not_compared(self):
        self.change("hourly-delays.csv", "ABE", "XYZ")
        self.assertIn("not in order", self.compared(2))
        self.change("hourly-delays.csv", "ABE", "ORD")
        self.assertIn("there twice", self.compared(2))
        self.change("hourly-delays.csv", "\n", "\r\n")
        self.assertIn("CR", self.compared(2))
        self.change("hourly-delays.csv", ",9,9,", ",9,")
        self.assertIn("columns", self.compared(2))
        os.remove(self.path("b/hourly-delays.csv"))
        self.assertIn("No such file", self.compared(2))


class RealData(Folder):
    def test_january_2001(self):
        path = os.path.join(HERE, "../../examples/flights/data/flights-2001-01.csv.zst")
        said = run("oracle.py", "--input", path, "--out", self.path("out"))
        self.assertIn("rows 508239\nplausible 508236\nlate 0\ndead-letters 3\n", said)
        self.assertIn("hours 72839\nflights-in-hours 508236\nalerts 462\n", said)
        self.assertEqual(self.read("out", "dead-letters.txt"), "91321\n127953\n312397\n")


if __name__ == "__main__":
    unittest.main()
