"""The brokers of a run, by the harness beside: alive as long as this object."""

import json
import os
import subprocess
import sys

HARNESS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness")
sys.path.append(HARNESS)

import wire  # noqa: E402 (the harness's)

TASKS = ".tasks"  # ends the name of the topic that a group of an app is subscribed to


class Brokers:
    def __init__(self, count=1):
        self.process = subprocess.Popen(
            [sys.executable, "-B", HARNESS, "run", "--listener", "cuttable", "--nodes", str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.numbers = range(1, count + 1)
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

    def topics(self):
        return self._ask(lambda broker: broker.topic_names()) or []

    def groups(self):
        """Those of apps."""
        return sorted(name.removesuffix(TASKS) for name in self.topics() if name.endswith(TASKS))

    def coordinator_of_group(self, group):
        """The number of a broker; nothing: there is none at the moment."""
        return self._ask(lambda broker: broker.coordinator(wire.GROUP, group))

    def coordinator_of_transactions(self, transactional_id):
        return self._ask(lambda broker: broker.coordinator(wire.TRANSACTION, transactional_id))

    def _ask(self, question):
        """The first broker that answers, past the cuttable network."""
        for node in self.facts["nodes"]:
            try:
                with wire.Connection(node["port"]) as broker:
                    return question(broker)
            except OSError:
                pass
        return None

    def end(self):
        self.process.stdin.close()
        self.process.wait()
