#!/usr/bin/env python3
"""`kappa copy`: the flights job moves to another log and back, killed on the way, and its results are the same.

copy_test.py KAPPA FLIGHTS OnLmdb|OnKafka [unittest arguments]
"""

import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HARNESS = os.path.join(HERE, "../kafka/harness")
sys.path.append(os.path.join(HERE, "../support"))
SECONDS = 300
ROWS = 6000
RATE = 4000  # rows a second of a job that is to be killed, so that it has committed by then
FILES = ("hourly-delays.csv", "delay-alerts.csv", "state.txt")
KAPPA = FLIGHTS = None


def rows():
    """Of a hundred hours, with such as are refused, and some hours that are alerted of. None is late: that would
    depend on when the job commits."""
    draw = random.Random(5)
    at = datetime.datetime(2001, 1, 1)
    for n in range(ROWS):
        at += datetime.timedelta(minutes=1)
        origin = draw.randrange(5)
        bad_hour = (n // 60 + 5 * origin) % 27 == 26
        delay = "nonsense" if n % 89 == 0 else str(draw.randrange(20) + 600 * bad_hour)
        yield f"{at:%Y-%m-%dT%H:%M:%SZ},{delay},300,{'ABCDE'[origin]}AA,ORD"


class Copies(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kappa-copy-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        with open(self.path("in.csv"), "w", encoding="utf-8") as file:
            file.write("\n".join(["scheduled,delay,distance,origin,destination", *rows()]) + "\n")
        self.flights("lmdb:" + self.path("unmoved"), "unmoved", state="unmoved-state")

    def path(self, name):
        return os.path.join(self.folder, name)

    def say(self, command, status, failpoint=None):
        """Standard error of the program. A status below 0: killed at the failpoint, and by nothing else."""
        mark = self.path("mark")
        environment = dict(os.environ)
        if failpoint:
            environment.update(KAPPA_FAILPOINT=failpoint, KAPPA_FAILPOINT_MARK=mark)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                              check=False, cwd=self.folder, env=environment)
        self.assertEqual(done.returncode, status, f"{command} {failpoint}\n{done.stdout}{done.stderr}")
        if failpoint:
            with open(mark, encoding="utf-8") as file:
                self.assertEqual(file.read(), failpoint.split(":")[0])
            os.remove(mark)
        self.out = done.stdout
        return done.stderr

    def flights(self, log, out, *words, state="state", status=0, failpoint=None):
        return self.say([FLIGHTS, "--quiet", "--input", self.path("in.csv"), "--log", log, "--state", self.path(state),
                         "--out", self.path(out), "--dump-state", self.path(f"{out}/state.txt"), "--commit-interval",
                         "10ms", "--session-timeout", "6s", "--log-level", "error", *words], status, failpoint)

    def killed_half_way(self, log, rows_read):
        self.flights(log, "killed", "--rate", str(RATE), status=-signal.SIGKILL, failpoint=f"ingest.read:{rows_read}")

    def copy(self, *words, status=0, failpoint=None):
        return self.say([KAPPA, "copy", *words], status, failpoint)

    def copy_killed_at(self, source, target, point):
        self.copy(source, target, status=-signal.SIGKILL, failpoint=point)
        if point != "copy.moved":
            self.assertIn("kappa copy again", self.flights(target, "killed", status=3))

    def copy_the_rest(self, source, target, *words):
        self.copy(source, target, "--json", *words)
        return json.loads(self.out)

    def check_results(self, out):
        for name in FILES:
            with open(self.path(f"unmoved/{name}"), "rb") as file:
                expected = file.read()
            with open(self.path(f"{out}/{name}"), "rb") as file:
                self.assertEqual(file.read(), expected, name)
            self.assertGreater(len(expected.splitlines()), 5, name)

    def values(self, log, topic):
        """What it holds, but for what names places."""
        told = self.say([KAPPA, "tail", topic, "--log", log, "--from", "earliest", "-n", str(10 * ROWS)], 0)
        self.assertEqual(told, "")
        records = [json.loads(line) for line in self.out.splitlines()]
        for r in records:
            del r["offset"]
            for header in ("kappa.cause", "kappa.marker"):
                r["headers"].pop(header, None)
        return records

    def check_same_records(self, one, other):
        for topic in ("hourly-delays", "delay-alerts", "flights.ingest.g1.origin", "flights.dead-letters",
                      "flights.schemas"):
            records = self.values(one, topic)
            if topic.startswith("flights."):  # how far the results are when the job is killed is its own affair
                self.assertGreater(len(records), 0, topic)
            self.assertEqual(self.values(other, topic), records, topic)


class OnLmdb(Copies):
    def test_the_job_moves_to_another_folder_half_way(self):
        old = "lmdb:" + self.path("old")
        self.killed_half_way(old, ROWS // 2)
        # Killed before the new log knows of the copy: there is nothing yet to refuse.
        new = "lmdb:" + self.path("new")
        self.copy(old, new, status=-signal.SIGKILL, failpoint="log.before_commit:1")
        report = self.copy_the_rest(old, new)
        self.assertEqual((report["moved"], report["found"]), (["flights"], 0))
        for point in ("copy.topic_made", "copy.before_append", "log.after_frames", "log.after_commit",
                      "copy.after_append"):
            for n in (3, 9):
                target = f"lmdb:{self.path(point)}-{n}"
                self.copy_killed_at(old, target, f"{point}:{n}")
                self.assertEqual(self.copy_the_rest(old, target)["moved"], ["flights"])
                self.check_same_records(new, target)
        target = "lmdb:" + self.path("last")
        for point in ("copy.noted", "copy.records_done", "copy.moved"):
            self.copy_killed_at(old, target, point)
        report = self.copy_the_rest(old, target)
        self.assertEqual((report["moved"], report["complete"], report["records"]), ([], ["flights"], 0))
        self.check_same_records(new, target)
        # The state is the old log's: refused, and gone on without it.
        self.assertIn("rebuild the state from this log", self.flights(new, "moved", status=3))
        shutil.rmtree(self.path("state"))
        self.flights(new, "moved")
        self.check_results("moved")

    def test_the_copy_of_a_finished_job_has_nothing_left_to_do(self):
        new = "lmdb:" + self.path("new")
        self.copy("lmdb:" + self.path("unmoved"), new)
        self.assertIn("flights can be started with --log " + new, self.out)
        self.flights(new, "again")
        self.assertIn("Nothing to do", self.out)
        self.check_results("again")
        self.copy("lmdb:" + self.path("unmoved"), new)
        self.assertIn("had been copied before", self.out)

    def test_what_is_wrong_is_told_with_the_mend(self):
        unmoved = "lmdb:" + self.path("unmoved")
        self.assertIn("there is no log in", self.copy("lmdb:none", "lmdb:new", status=3))
        self.assertIn("expected lmdb:FOLDER", self.copy(unmoved, "new", status=2))
        self.assertIn("TO is required", self.copy(unmoved, status=2))
        self.assertIn("the same log", self.copy(unmoved, unmoved, status=2))
        self.assertIn("did you mean hourly-delays?", self.copy(unmoved, "lmdb:new", "--topic", "hourly-delay", status=1))
        self.assertIn("move together", self.copy(unmoved, "lmdb:new", "--topic", "hourly-delays", status=2))
        self.assertIn("unknown argument --state", self.copy(unmoved, "lmdb:new", "--state", "x", status=2))


class OnKafka(Copies):
    @classmethod
    def setUpClass(cls):
        cls.broker = subprocess.Popen([sys.executable, "-B", HARNESS, "run"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end_broker)
        state = json.loads(cls.broker.stdout.readline())
        if "bootstrap" not in state:
            raise RuntimeError(state)
        cls.bootstrap = state["bootstrap"]
        cls.kafka = "kafka://" + cls.bootstrap

    @classmethod
    def end_broker(cls):
        cls.broker.stdin.close()
        cls.broker.wait(SECONDS)
        cls.broker.stdout.close()

    def write(self, topic, partition, *lines):
        subprocess.run(["kcat", "-q", "-b", self.bootstrap, "-P", "-t", topic, "-p", str(partition), "-K:", "-H",
                        "from=kcat"], input="".join(line + "\n" for line in lines), text=True, check=True,
                       timeout=SECONDS)

    def until_the_session_is_over(self):
        """A process that was killed counts until then: its copy is refused."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            done = subprocess.run([KAPPA, "copy", self.kafka, "lmdb:" + self.path("probe"), "--app", "flights"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                                  check=False)
            if done.returncode == 0:
                return
            self.assertIn("session is over", done.stderr)
            time.sleep(0.5)
        self.fail("the session does not end")

    def test_the_job_moves_there_and_back_half_way(self):
        old, back = "lmdb:" + self.path("old"), "lmdb:" + self.path("back")
        self.killed_half_way(old, ROWS // 3)
        self.copy(old, self.kafka, status=-signal.SIGKILL, failpoint="kafka.before_commit:1")
        for point in ("copy.noted", "copy.topic_made:2", "copy.before_append:1", "kafka.before_commit:2",
                      "kafka.before_offsets:3", "copy.after_append:1", "kafka.before_commit:3", "copy.after_append:2",
                      "copy.records_done", "copy.moved"):
            self.copy_killed_at(old, self.kafka, point)
        report = self.copy_the_rest(old, self.kafka, "--app", "flights")
        self.assertEqual((report["moved"], report["complete"]), ([], ["flights"]))
        self.check_same_records(old, self.kafka)
        # The same program and state folder: what it has of the old log is not looked at.
        self.killed_half_way(self.kafka, ROWS // 3)
        self.until_the_session_is_over()
        for point in ("copy.topic_made:2", "log.after_frames:2", "log.before_commit:3", "log.after_commit:3",
                      "copy.records_done", "copy.moved"):
            self.copy_killed_at(self.kafka, back, point)
        self.copy_the_rest(self.kafka, back)
        self.check_same_records(self.kafka, back)
        self.assertIn("rebuild the state from this log", self.flights(back, "back", status=3))
        shutil.rmtree(self.path("state"))
        self.flights(back, "back")
        self.check_results("back")

    def test_records_of_other_clients_come_over_as_they_are(self):
        from kafka_topics import Topics  # of Debian's Python, which only this needs
        topics = Topics(self.bootstrap)
        topics.create("orders", 3, retention_ms=86400000)
        for n in range(30):
            self.write("orders", n % 3, f"k{n}:v{n}", f"k{n}:")
        new = "lmdb:" + self.path("new")
        self.copy(self.kafka, new, "--topic", "orders")
        self.assertEqual(self.values(new, "orders"), self.values(self.kafka, "orders"))
        self.assertEqual(len(self.values(new, "orders")), 60)
        self.say([KAPPA, "topics", "--log", new, "--json"], 0)
        (topic,) = json.loads(self.out)
        self.assertEqual((topic["retention_ms"], len(topic["partitions"])), (86400000, 3))
        # A topic that is there and keeps no times, and one with other partitions.
        topics.delete("orders")
        topics.create("orders", 3, message_timestamp_type="LogAppendTime")
        self.assertIn("make it anew with CreateTime", self.copy(new, self.kafka, "--topic", "orders", status=3))
        topics.create("bills", 2)
        self.write("bills", 0, "a:1")
        self.copy(self.kafka, new, "--topic", "bills")
        topics.delete("bills")
        topics.create("bills", 5)
        self.assertIn("the number of partitions", self.copy(new, self.kafka, "--topic", "bills", status=3))


if __name__ == "__main__":
    KAPPA, FLIGHTS = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
