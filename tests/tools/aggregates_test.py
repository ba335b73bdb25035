#!/usr/bin/env python3
"""The `kappa` command on an app with aggregates: examples/06-aggregate.

aggregates_test.py KAPPA AGGREGATE
"""

import json
import os
import shutil
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

    def test_a_log_and_states_with_aggregates_are_healthy_and_a_state_of_a_longer_log_is_not(self):
        with tempfile.TemporaryDirectory(prefix="kappa-tools-") as folder:
            data = os.path.join(folder, "till")

            def check():
                return subprocess.run([KAPPA, "check", "--log", f"lmdb:{data}/log", "--state", f"{data}/state"],
                                      capture_output=True, text=True)

            subprocess.run([AGGREGATE, data, "anna", "+100"], check=True, stdout=subprocess.DEVNULL)
            shutil.copytree(f"{data}/log", f"{data}/older")
            said = subprocess.run([KAPPA, "get", "accounts", "anna", "--log", f"lmdb:{data}/log", "--state", f"{data}/state"],
                                  capture_output=True, text=True)
            self.assertEqual(said.returncode, 2, said.stderr)
            self.assertIn("it is an aggregate, which only the running app is asked for", said.stderr)
            for _ in range(2):
                subprocess.run([AGGREGATE, data, "anna", "-30"], check=True, stdout=subprocess.DEVNULL)
                said = check()
                self.assertEqual(said.returncode, 0, said.stdout)
            shutil.rmtree(f"{data}/log")
            os.rename(f"{data}/older", f"{data}/log")
            said = check()
            self.assertEqual(said.returncode, 1)
            self.assertRegex(said.stdout, "<-accounts: the state is at [34], and the log ends at 2")


if __name__ == "__main__":
    KAPPA, AGGREGATE = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]])
