#!/usr/bin/env python3
"""The `kappa` command and the command line of a program on a log in Kafka, and where their secrets are seen: nowhere.

kafka_test.py KAPPA FLIGHTS [unittest arguments]
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HARNESS = os.path.join(HERE, "../kafka/harness")
sys.path.append(os.path.join(HERE, "../support"))

from kafka_topics import Topics  # noqa: E402

PASSWORD = "alice-secret"  # the harness's
SECONDS = 120
KAPPA = FLIGHTS = None


class WithBroker(unittest.TestCase):
    """A broker for the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.broker = subprocess.Popen([sys.executable, "-B", HARNESS, "run", "--listener", "sasl_scram"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end_broker)
        cls.state = json.loads(cls.broker.stdout.readline())
        if "bootstrap" not in cls.state:
            raise RuntimeError(cls.state)
        cls.log = "kafka://" + cls.state["bootstrap"]

    @classmethod
    def end_broker(cls):
        cls.broker.stdin.close()
        cls.broker.wait(SECONDS)
        cls.broker.stdout.close()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kappa-tools-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def say(self, *command, environment=None, status=0):
        """All that it says: standard output, and standard error behind it."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                              check=False, cwd=self.folder, env={**os.environ, **(environment or {})})
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, said)
        return said


class OfSeveralProcesses(WithBroker):
    def processes(self, count, *arguments):
        """Flights jobs that share their tasks and go on."""
        jobs = []
        for _ in range(count):
            job = subprocess.Popen([FLIGHTS, "--quiet", "--keep-running", "--log-level", "info", "--log", self.log,
                                    *arguments], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True)
            self.addCleanup(job.stderr.close)
            self.addCleanup(job.wait, SECONDS)
            self.addCleanup(job.kill)
            jobs.append(job)
        self.jobs = jobs
        for job in jobs:
            said = []
            for line in job.stderr:
                said.append(line)
                if 'msg="started"' in line:
                    break
            else:
                self.fail("".join(said))
        return jobs

    def until(self, ask, good):
        """Asks until the answer is good. Each question waits for the app's answer."""
        for _ in range(200):
            answer = ask()
            if good(answer):
                return answer
            for job in self.jobs:
                if job.poll() is not None:
                    self.fail(f"a process ended with {job.returncode}: {job.stderr.read()}")
        self.fail(answer)

    def test_an_app_of_two_processes_is_looked_at_while_it_runs(self):
        rows = os.path.join(self.folder, "in.csv")
        origins = ["ORD", "LAX", "JFK", "ATL", "SFO", "DEN", "SEA", "BOS"]
        with open(rows, "w", encoding="utf-8") as file:
            file.write("scheduled,delay,distance,origin,destination\n")
            for hour in (8, 9):
                for origin in origins:
                    file.write(f"2001-01-01T{hour:02}:00:00Z,5,300,{origin},MIA\n")
        # What a process that stands still has must not be given to the other one while it is looked at.
        jobs = self.processes(2, "--input", rows, "--session-timeout", "120s")
        look = ("--log", self.log, "--app", "flights", "--json")

        def status():
            return json.loads(self.say(KAPPA, "status", *look))

        def tasks(told):
            return [task for stage in told["status"]["stages"] for task in stage["tasks"]]

        told = self.until(status, lambda told: len(told["status"]["processes"]) == 2
                          and len({task["instance"] for task in tasks(told)}) == 2
                          and {task["health"] for task in tasks(told)} == {"finished"})
        self.assertTrue(told["running"])
        names = {p["instance"] for p in told["status"]["processes"]}
        self.assertEqual({name.split(" on ")[0] for name in names}, {f"pid {job.pid}" for job in jobs})
        self.assertEqual({task["instance"] for task in tasks(told)}, names)
        for origin in origins:
            found = json.loads(self.say(KAPPA, "get", "hourly-delays", origin, *look))
            self.assertTrue(found["running"])
            self.assertEqual([e["value"]["flights"] for e in found["entries"]], [1, 1])
        self.assertIn("there is no state", self.say(KAPPA, "get", "hourly-delays", "XXX", *look, status=1))
        self.assertIn("hourly-delays", self.say(KAPPA, "get", "hourly-delay", "ORD", *look, status=1))
        self.assertIn("no such partition",
                      self.say(KAPPA, "replay", "hourly-delays", "--partition", "99", *look, status=1))
        told = [json.loads(line) for line in self.say(KAPPA, "replay", "hourly-delays", "--json", *look).splitlines()]
        self.assertEqual((told[0]["state"], told[-1]["state"]), ("asked", "done"))
        self.assertEqual({task["state"] for task in told[-1]["tasks"]}, {"done"})
        for origin in origins:
            found = json.loads(self.say(KAPPA, "get", "hourly-delays", origin, *look))
            self.assertEqual([e["value"]["flights"] for e in found["entries"]], [1, 1])

        jobs[0].send_signal(signal.SIGSTOP)
        still = f"pid {jobs[0].pid} on "
        told = status()
        self.assertEqual([p["answers"] for p in told["status"]["processes"] if p["instance"].startswith(still)], [False])
        for task in tasks(told):
            self.assertEqual(task["health"], "unanswered" if task["instance"].startswith(still) else "finished")
            self.assertIsNotNone(task["inputs"][0]["next"])
        self.assertRegex(self.say(KAPPA, "status", *look[:-1]), still + r".* does not answer")
        jobs[0].send_signal(signal.SIGCONT)
        self.until(status, lambda told: all(p["answers"] for p in told["status"]["processes"]))


class OnKafka(WithBroker):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guarded = "kafka://" + cls.state["listeners"]["sasl_scram"]
        for topic in ("orders", "followed"):
            Topics(cls.state["bootstrap"]).create(topic, 2)

    def write(self, topic, *lines, partition=0):
        subprocess.run(["kcat", "-q", "-b", self.state["bootstrap"], "-P", "-t", topic, "-p", str(partition), "-K:"],
                       input="".join(line + "\n" for line in lines), text=True, check=True, timeout=SECONDS)

    def config(self, *lines):
        path = os.path.join(self.folder, "config")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        return path

    def test_topics_and_records_of_other_clients_are_shown(self):
        self.write("orders", "a:1", "b:2")
        self.write("orders", "c:3", partition=1)
        topics = {t["topic"]: t for t in json.loads(self.say(KAPPA, "topics", "--log", self.log, "--json"))}
        self.assertEqual(topics["orders"]["records"], 3)
        self.assertIsNone(topics["orders"]["owner"])
        self.assertEqual([p["latest"] for p in topics["orders"]["partitions"]], [2, 1])
        lines = self.say(KAPPA, "tail", "orders", "--log", self.log, "--from", "earliest").splitlines()
        told = [(r["key"], r["value"], r["partition"]) for r in map(json.loads, lines)]
        self.assertEqual(sorted(told), [("a", "1", 0), ("b", "2", 0), ("c", "3", 1)])
        last = json.loads(self.say(KAPPA, "tail", "orders", "--log", self.log, "-n", "1", "--partition", "0"))
        self.assertEqual((last["key"], last["offset"]), ("b", 1))

    def test_what_comes_is_followed(self):
        follower = subprocess.Popen([KAPPA, "tail", "followed", "--log", self.log, "--follow", "--from", "earliest"],
                                    stdout=subprocess.PIPE, text=True)
        with contextlib.ExitStack() as at_end:
            at_end.callback(follower.stdout.close)
            at_end.callback(follower.wait, SECONDS)
            at_end.callback(follower.kill)
            for n in range(3):
                self.write("followed", f"k:{n}", partition=n % 2)
                self.assertEqual(json.loads(follower.stdout.readline())["value"], str(n))
            follower.terminate()
            self.assertEqual(follower.wait(SECONDS), 143)

    def test_an_app_that_has_just_ended_is_looked_at(self):
        rows = os.path.join(self.folder, "in.csv")
        with open(rows, "w", encoding="utf-8") as file:
            file.write("scheduled,delay,distance,origin,destination\n"
                       "2001-01-01T08:00:00Z,5,300,ORD,LAX\n2001-01-01T08:10:00Z,15,300,ORD,LAX\n"
                       "2001-01-01T08:30:00Z,9999,300,ORD,JFK\n2001-01-01T09:00:00Z,1,300,ORD,LAX\n")
        self.say(FLIGHTS, "--quiet", "--log", self.log, "--input", rows, "--until-end")
        look = ("--log", self.log, "--app", "flights")
        # Its session is not over yet: to the brokers it has the app.
        stopped = json.loads(self.say(KAPPA, "status", *look, "--json"))
        self.assertFalse(stopped["running"])
        keyed = [task for stage in stopped["status"]["stages"] if stage["keyed"] for task in stage["tasks"]]
        self.assertEqual(len(keyed), 8)
        for task in keyed:
            self.assertIsNone(task["lastError"])
            self.assertIsNotNone(task["stateEntries"])
        told = self.say(KAPPA, "get", "hourly-delays", "ORD", *look)
        self.assertIn('"flights":2', told)
        self.assertIn("its last snapshot", told)
        self.assertIn("plausible", self.say(KAPPA, "dead-letters", *look))
        self.assertIn("is not running", self.say(KAPPA, "replay", "hourly-delays", *look, status=3))

    def test_settings_come_from_environment_config_file_and_command_line(self):
        told = self.say(KAPPA, "topics", "--log", self.guarded, "--kafka-set", "security.protocol=SASL_PLAINTEXT",
                        "--kafka-set", "sasl.mechanism=SCRAM-SHA-512", "--config", self.config(
                            "sasl.password=not a setting of Kafka's here", "kafka.sasl.username=alice"),
                        environment={"KAPPA_KAFKA_SASL_PASSWORD": PASSWORD})
        self.assertIn("orders", told)

    def test_the_environment_wins_over_the_config_file_and_the_command_line_over_both(self):
        config = self.config("kafka.security.protocol=SASL_PLAINTEXT", "kafka.sasl.mechanism=SCRAM-SHA-512",
                             "kafka.sasl.username=alice", "kafka.sasl.password=of the file")
        self.say(KAPPA, "topics", "--log", self.guarded, "--config", config,
                 environment={"KAPPA_KAFKA_SASL_PASSWORD": PASSWORD})
        told = self.say(KAPPA, "topics", "--log", self.guarded, "--config", config, "--kafka-set", "sasl.username=bob",
                        environment={"KAPPA_KAFKA_SASL_PASSWORD": PASSWORD}, status=3)
        self.assertIn("kafka.sasl.password", told)

    def test_a_secret_is_in_nothing_that_is_said(self):
        secret = "Xyzzy-47-secret"
        config = self.config("kafka.security.protocol=SASL_PLAINTEXT", "kafka.sasl.mechanism=SCRAM-SHA-256",
                             "kafka.sasl.username=alice", "kafka.sasl.password=" + secret, "kafka.debug=all")
        program = [FLIGHTS, "--config", config, "--log", self.guarded, "--log-level", "debug"]
        told = self.say(*program, status=3)
        self.assertIn("kafka.sasl.password", told)
        self.assertIn("sasl.mechanism", told)  # librdkafka tells its settings, with debug
        self.assertNotIn(secret, told)
        for command, status in [([*program, "--help"], 0), ([*program, "--nonsense"], 2),
                                ([*program, "--kafka-set", "sasl.pasword=x"], 2),
                                ([*program, "--kafka-set=sasl.password=" + secret], 2),
                                ([KAPPA, "topics", "--log", self.guarded, "--config", config], 3),
                                ([KAPPA, "topics", "--config", config, "--help"], 0)]:
            self.assertNotIn(secret, self.say(*command, status=status))
        environment = {"KAPPA_KAFKA_SASL_PASSWORD": secret, "KAPPA_KAFKA_SECURITY_PROTOCOL": secret}
        told = self.say(FLIGHTS, "--log", self.guarded, environment=environment, status=2)
        self.assertIn("kafka.security.protocol", told)
        self.assertNotIn(secret, told)
        self.assertNotIn(secret, self.say(KAPPA, "topics", "--log", self.guarded, environment=environment, status=2))


if __name__ == "__main__":
    KAPPA, FLIGHTS = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
