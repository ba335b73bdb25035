"""The judge of histories finds what cannot have been, and nothing else."""

import unittest

import history


def operations(text):
    found = {}
    history.read([line.strip() + "\n" for line in text.strip().split("\n")], found)
    return list(found.values())


OPENED = "i o 1 open k 0 - x\n r o 2 ok 1\n"


class Histories(unittest.TestCase):
    def good(self, text):
        self.assertEqual(history.problems_of(operations(OPENED + text)), [])

    def bad(self, text, *parts):
        found = history.problems_of(operations(OPENED + text))
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_what_overlaps_may_be_in_any_order(self):
        self.good("i a 10 deposit k 5 - x\n i b 10 deposit k 7 - y\n r b 20 ok 3\n r a 20 ok 2\n i q 30 exact k 0 - -\n r q 31 value 3 12")
        self.good("i a 10 deposit k 5 - x\n i q 11 exact k 0 - -\n r q 12 value 1 0\n i p 13 exact k 0 - -\n r p 14 value 2 5\n r a 20 ok 2")

    def test_a_linearizable_query_shows_what_anybody_was_told_before(self):
        self.bad("i a 10 deposit k 5 - x\n r a 11 ok 2\n i q 12 exact k 0 - -\n r q 13 value 1 0", "q exact", "version 2")

    def test_two_queries_do_not_go_back(self):
        self.bad("i a 10 deposit k 5 - x\n i q 11 exact k 0 - -\n r q 12 value 2 5\n i p 13 exact k 0 - -\n r p 14 value 1 0\n r a 20 ok 2")

    def test_a_plain_query_may_show_the_past_but_only_what_was(self):
        past = "i a 10 deposit k 5 - x\n r a 11 ok 2\n i q 12 read k 0 {} -\n r q 13 value {}"
        self.good(past.format("-", "1 0"))
        self.good(past.format("-", "0 0"))
        self.good(past.format("2", "2 5"))
        self.bad(past.format("-", "2 4"), "q read")
        self.bad(past.format("2", "1 0"), "older than it asked for")
        self.bad("i q 5 read k 0 - -\n r q 6 value 2 5\n i a 10 deposit k 5 - x\n r a 11 ok 2", "q read")

    def test_what_nobody_was_told_of_may_have_happened_or_not(self):
        open_end = "i a 10 deposit k 5 - x\n i q 30 exact k 0 - -\n r q 31 value "
        self.good(open_end + "1 0")
        self.good(open_end + "2 5")
        self.good(open_end + "1 0\n i p 40 exact k 0 - -\n r p 41 value 2 5")
        self.bad(open_end + "3 10")

    def test_a_command_that_happened_twice(self):
        self.bad("i a 10 deposit k 5 - x\n r a 20 ok 2\n i b 21 deposit k 1 - y\n r b 22 ok 4", "b deposit")
        self.bad("i a 10 deposit k 5 - x\n r a 20 ok 2\n a a 30 ok 3", "asked again")
        self.good("i a 10 deposit k 5 - x\n r a 20 ok 2\n a a 30 ok 2")

    def test_two_owners_that_both_decide(self):
        self.bad("i a 10 deposit k 5 - x\n r a 11 ok 2\n i b 10 withdraw k 5 - y\n r b 12 ok 2")

    def test_refusals_are_of_a_state_too(self):
        self.good("i a 10 withdraw k 5 - x\n r a 11 rejected")
        self.bad("i a 10 deposit k 5 - x\n r a 11 ok 2\n i b 12 withdraw k 5 - y\n r b 13 rejected", "b withdraw")
        self.good("i a 10 deposit k 5 0 x\n r a 11 conflict 1")
        self.bad("i a 10 deposit k 5 1 x\n r a 11 conflict 2")
        self.bad("i a 10 deposit k 5 7 x\n r a 11 ok 2")

    def test_keys_are_apart_and_a_last_line_may_be_cut_off(self):
        self.good("i a 10 deposit other 5 - x\n r a 11 rejected")
        found = {}
        history.read(["i o 1 open k 0 - x\n", "r o 2 ok 1\n", "i a 10 dep"], found)
        self.assertEqual(list(found), ["o"])


if __name__ == "__main__":
    unittest.main()
