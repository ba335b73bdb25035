"""The brokers of a run, by the harness beside: alive as long as this object."""

import json
import os
import subprocess
import sys

HARNESS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness")


class Brokers:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-B", HARNESS, "run", "--listener", "cuttable"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self._answer("coming up")

    def _answer(self, what):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{what}: the harness has ended (its reason is above)")
        facts = json.loads(line)
        if "error" in facts:
            raise RuntimeError(f"{what}: {facts['error']}")
        return facts

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._answer(command)

    @property
    def direct(self):
        """For the checker: never cut."""
        return self.facts["bootstrap"]

    @property
    def cuttable(self):
        return self.facts["listeners"]["cuttable"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()
