"""The checker of the fault runs finds what is lost, doubled, out of order, wrong or invented."""

import os
import struct
import tempfile
import unittest

import checker

HEADER = "scheduled,delay,distance,origin,destination\n"


def hour_record(key, figures):
    origin, start = key
    body = struct.pack("<qqiiq", *figures)
    while body.endswith(bytes(8)):  # as it is written: zeros at the end are left out
        body = body[:-8]
    return origin.encode() + (start + 2 ** 63).to_bytes(8, "big"), (len(body) // 8 << 32).to_bytes(8, "little") + body, {}


def alert_record(key, figures):
    origin, start = key
    return origin.encode(), (5 << 32 | 1 << 48).to_bytes(8, "little") + struct.pack("<qqddd", start, *figures, 0, 0), {}


class Checker(unittest.TestCase):
    def setUp(self):
        # 30 hours with five flights each at two origins; the last one is far too late.
        rows = [f"2001-01-{1 + h // 24:02}T{h % 24:02}:{m:02}:00Z,{500 if h == 29 else h % 3 + m},100,{o},ZZZ\n"
                for h in range(30) for m in range(5) for o in ("AAA", "BBB")]
        with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False) as file:
            file.write(HEADER + "".join(rows) + "2001-01-02T06:00:00Z,9999,100,AAA,ZZZ\nnonsense,1,100,AAA,ZZZ\n")
        self.addCleanup(os.remove, file.name)
        self.expected = checker.Expected(file.name)
        self.hours = [hour_record(k, f) for k, f in self.expected.hours.items()]
        self.alerts = [alert_record(k, f) for k, f in self.expected.alerts.items()]
        self.dead = [(b"", b"", {"kappa.position": b"row 301"}), (b"", b"", {"kappa.position": b"row 302"})]

    def found(self, hours=None, alerts=None, dead=None):
        return checker.judge(self.expected, self.hours if hours is None else hours, self.alerts if alerts is None else alerts,
                             self.dead if dead is None else dead)

    def assert_one(self, found, word):
        self.assertEqual(len(found), 1, found)
        self.assertIn(word, found[0])

    def test_what_is_right_passes(self):
        self.assertEqual((len(self.hours), len(self.alerts), self.expected.bad), (60, 2, 2))
        self.assertEqual(self.found(), [])

    def test_a_lost_record_is_found(self):
        for n in range(len(self.hours)):
            self.assert_one(self.found(hours=self.hours[:n] + self.hours[n + 1:]), "lost: hour")
        self.assert_one(self.found(alerts=self.alerts[1:]), "lost: alert")
        self.assert_one(self.found(dead=self.dead[1:]), "dead letters")

    def test_a_doubled_record_is_found(self):
        for n in range(len(self.hours)):
            self.assertIn("doubled: hour", self.found(hours=self.hours + [self.hours[n]])[0])
        self.assert_one(self.found(alerts=self.alerts + self.alerts[:1]), "doubled: alert")
        self.assert_one(self.found(dead=self.dead + self.dead[:1]), "dead letters")

    def test_a_doubled_dead_letter_in_the_place_of_a_lost_one_is_found(self):
        self.assert_one(self.found(dead=self.dead[:1] * 2), "dead letters")

    def test_another_order_within_a_key_is_found(self):
        swapped = self.hours[:]
        swapped[0], swapped[2] = swapped[2], swapped[0]  # AAA's first two
        self.assert_one(self.found(hours=swapped), "out of order")

    def test_a_row_counted_twice_or_not_at_all_is_found(self):
        key, figures = next(iter(self.expected.hours.items()))
        for more in (1, -1):
            changed = [hour_record(key, (figures[0] + more,) + figures[1:])] + self.hours[1:]
            self.assert_one(self.found(hours=changed), "wrong: hour")

    def test_an_invented_record_is_found(self):
        extra = hour_record(("CCC", 0), (1, 1, 1, 1, 0))
        self.assert_one(self.found(hours=self.hours + [extra]), "invented: hour")


if __name__ == "__main__":
    unittest.main()
