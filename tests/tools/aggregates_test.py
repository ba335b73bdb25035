#!/usr/bin/env python3
"""The `kappa` command on an app with aggregates: examples/06-aggregate.

aggregates_test.py KAPPA AGGREGATE
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

KAPPA = AGGREGATE = None


class Aggregates(unittest.TestCase):
    def test_events_and_commands_are_shown_by_their_own_types(self):
        with tempfile.TemporaryDirectory(prefix="kappa-tools-") as folder:
            data = os.path.join(folder, "till")
            subprocess.run([AGGREGATE, data, "anna", "+100", "-30"], check=True, stdout=subprocess.DEVNULL)
            with subprocess.Popen([AGGREGATE, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as serving:
                serving.stdout.readline()
                teller = os.path.join(os.path.dirname(AGGREGATE), "teller")
                subprocess.run([teller, data, "anna", "+5"], check=True, stdout=subprocess.DEVNULL)
                serving.stdin.close()
                self.assertEqual(serving.wait(), 0)

            def tail(topic):
                said = subprocess.run([KAPPA, "tail", topic, "--log", f"lmdb:{data}/log"], check=True, capture_output=True, text=True)
                return [json.loads(line) for line in said.stdout.splitlines()]

            events = tail("accounts")
            self.assertEqual([e["key"] for e in events], ["anna"] * 4)
            self.assertEqual([e["value"] for e in events], [{}, {"amountCents": 100}, {"amountCents": 30}, {"amountCents": 5}])
            self.assertEqual([e["headers"]["kappa.schema"].split(":")[1] for e in events],
                             ["AccountOpened", "Deposited", "Withdrawn", "Deposited"])
            self.assertEqual(events[2]["headers"]["kappa.event"], {"version": 3, "place": 0, "count": 1})
            self.assertIn({"amountCents": 5}, [c["value"] for c in tail("till.accounts.commands")])


if __name__ == "__main__":
    KAPPA, AGGREGATE = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]])
