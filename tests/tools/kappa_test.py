#!/usr/bin/env python3
"""The `kappa` command on the flights job, running and stopped.

kappa_test.py KAPPA FLIGHTS [unittest arguments]
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "../../docs/reference/kappa.md")
HEADER = "scheduled,delay,distance,origin,destination"
# Two hours of ORD, one of LAX, what closes their windows, and rows that are refused: three with NO_TEXT.
ROWS = [
    "2001-01-01T08:00:00Z,5,300,ORD,LAX",
    "2001-01-01T08:10:00Z,15,300,ORD,LAX",
    "2001-01-01T08:20:00Z,7,300,LAX,ORD",
    "2001-01-01T09:00:00Z,60,300,ORD,JFK",
    "2001-01-01T09:30:00Z,9999,300,ORD,JFK",
    "2001-01-01T09:31:00Z,late,300,ORD,JFK",
    "2001-01-01T12:00:00Z,1,300,JFK,ORD",
]
NO_TEXT = b"2001-01-01T12:01:00Z,1,300,\xff\xfe,ORD"
# What is wrong with a question is the same whether the app runs or not: arguments → exit code.
WRONG = [
    (["status", "nono"], 1),
    (["get", "nono", "ORD"], 1),
    (["get", "ingest", "ORD"], 2),
    (["get", "hourly-delays", "XXX"], 1),
    (["get", "hourly-delays", "ORD", "--window", "noon"], 2),
    (["get", "delay-alerts", "ORD", "--window", "2001-01-01"], 2),
    (["replay", "nono"], 1),
    (["replay", "ingest"], 2),
    (["replay", "hourly-delays", "--partition", "9"], 1),
    (["replay", "hourly-delays", "--partition", "-1"], 2),
    (["tail", "nono"], 1),
    (["tail", "hourly-delays", "--partition", "9"], 1),
    (["tail", "hourly-delays", "--partition", "-1"], 2),
    (["tail", "hourly-delays", "-n", "-1"], 2),
    (["dead-letters", "--stage", "nono"], 1),
    (["dead-letters", "show", "77"], 1),
    (["dead-letters", "-n", "-1"], 2),
    (["topics", "--app", "nono"], 1),
]
KAPPA = FLIGHTS = None


class Tool(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kappa-tools-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        with open(self.path("in.csv"), "wb") as file:
            file.write("\n".join([HEADER, *ROWS]).encode() + b"\n" + NO_TEXT + b"\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def flights(self, *arguments):
        return [FLIGHTS, "--quiet", "--input", self.path("in.csv"), "--log", "lmdb:" + self.path("log"),
                "--state", self.path("state"), "--out", self.path("out"), *arguments]

    def run_job(self, *arguments):
        subprocess.run(self.flights("--log-level", "error", *arguments), check=True, timeout=300,
                       stdout=subprocess.DEVNULL)

    def command(self, name, *arguments, state=True):
        places = ["--log", "lmdb:" + self.path("log")]
        return [KAPPA, name, *places, *(["--state", self.path("state")] if state else []), *arguments]

    def kappa(self, name, *arguments, status=0):
        """What it says on standard output; errors are in self.errors."""
        done = subprocess.run(self.command(name, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=300, check=False)
        self.errors = done.stderr
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def json(self, name, *arguments, status=0):
        return json.loads(self.kappa(name, *arguments, "--json", status=status))

    def lines(self, name, *arguments):
        return [json.loads(line) for line in self.kappa(name, *arguments).splitlines()]

    def refused(self, name, *arguments, status, words):
        self.kappa(name, *arguments, status=status)
        self.assertTrue(self.errors.startswith("error: "), self.errors)
        for word in words:
            self.assertIn(word, self.errors)


class CommandLine(Tool):
    def plain(self, *arguments, status):
        done = subprocess.run([KAPPA, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False, cwd=self.folder)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def commands(self):
        told = self.plain("--help", status=0)[0].split("Subcommands:")[1]
        return re.findall(r"^  ([a-z][a-z-]*) ", told, re.MULTILINE)

    def test_wrong_words_are_told_the_nearest_right_one(self):
        self.assertIn("did you mean topics?", self.plain("topcs", status=2)[1])
        self.assertIn("did you mean --follow?", self.plain("tail", "x", "--folow", status=2)[1])
        self.assertIn("TOPIC is required", self.plain("tail", status=2)[1])
        self.assertIn("only replay takes a program", self.plain("topics", "--", "true", status=2)[1])
        self.assertIn("only replay takes a program", self.plain("check", "--", "true", status=2)[1])
        self.assertIn("no program behind --", self.plain("replay", "sums", "--", status=2)[1])

    def test_what_is_no_log_of_files_is_refused_by_every_command_alike(self):
        for log, words in [("lmdb:", "expected lmdb:FOLDER"), ("", "not nothing"), ("memory:", "its process's alone"),
                           ("data", "did you mean lmdb:data?")]:
            for command in [["topics"], ["status"], ["tail", "x"], ["check"]]:
                said = self.plain(*command, "--log", log, status=2)[1]
                self.assertTrue(said.startswith("error: --log: "), said)
                self.assertIn(words, said)
            self.assertIn(words, self.plain("salvage", log, "--to", "lmdb:new", status=2)[1])
        self.assertNotIn("memory", self.plain("topics", "--log", "data", status=2)[1])
        self.assertEqual(os.listdir(self.folder), ["in.csv"])

    def test_a_log_on_kafka_has_no_files_to_check_or_to_salvage(self):
        for command in [["check", "--log", "kafka://h:1"], ["salvage", "kafka://h:1", "--to", "lmdb:new"]]:
            self.assertIn("its brokers keep and check them", self.plain(*command, status=2)[1])
        self.assertIn("name the brokers", self.plain("topics", "--log", "kafka:x", status=2)[1])
        self.assertEqual(os.listdir(self.folder), ["in.csv"])

    def test_a_secret_on_the_command_line_is_refused_and_not_shown(self):
        for words in [["--kafka-set", "sasl.password=hush"], ["--kafka-set=ssl.key.pem=hush"], ["--kafkaset=a=hush"]]:
            out, errors = self.plain("topics", "--log", "kafka://127.0.0.1:1", *words, status=2)
            self.assertNotIn("hush", out + errors)

    def test_a_subject_is_erased_in_a_key_store_that_is_there(self):
        keys = "file:" + self.path("keys")
        self.assertIn("no such key store", self.plain("erase-subject", "ada", "--keys", keys, status=3)[1])
        self.assertEqual(os.listdir(self.folder), ["in.csv"])
        self.assertIn("expected file:PATH", self.plain("erase-subject", "ada", "--keys", "redis:x", status=2)[1])
        with open(self.path("keys"), "wb"):
            pass
        self.assertIn("it is empty", self.plain("erase-subject", "", "--keys", keys, status=2)[1])
        self.assertIn("ada: it had no key", self.plain("erase-subject", "ada", "--keys", keys, status=1)[0])
        self.assertIn("had been deleted before", self.plain("erase-subject", "ada", "--keys", keys, status=0)[0])

    def test_without_a_command_the_help_is_shown(self):
        self.assertIn("topics", self.plain(status=2)[1])

    def test_a_log_that_is_not_there_is_neither_found_nor_made(self):
        said = self.plain("topics", status=3)[1]
        self.assertIn("there is no log in", said)
        self.assertIn("--log lmdb:FOLDER", said)
        self.assertEqual(os.listdir(self.folder), ["in.csv"])

    def test_a_folder_that_holds_no_log_is_refused_and_left_as_it_is(self):
        os.mkdir(self.path("log"))
        for content in [b"this is no log", b"", bytes(100000)]:
            with open(self.path("log/data.mdb"), "wb") as file:
                file.write(content)
            for command in [["status"], ["topics"], ["tail", "x"], ["replay", "x"], ["dead-letters"], ["check"]]:
                self.refused(*command, status=3, words=["log/data.mdb", "no LMDB file"])
                self.assertEqual(os.listdir(self.path("log")), ["data.mdb"], command)
            with open(self.path("log/data.mdb"), "rb") as file:
                self.assertEqual(file.read(), content)

    def test_help_and_the_reference_name_the_same_commands_and_flags(self):
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        parts = re.split(r"^## kappa ([a-z-]+).*$", page, flags=re.MULTILINE)
        told_of = dict(zip(parts[1::2], parts[2::2]))
        common = set(re.findall(r"^\| `(--[a-z-]+)", parts[0], re.MULTILINE))
        self.assertEqual(sorted(told_of), sorted(self.commands()))
        for name, text in told_of.items():
            words = ["schema", "check"] if name == "schema" else [name]  # its only command
            shown = set(re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", self.plain(*words, "--help", status=0)[0], re.MULTILINE))
            written = set(re.findall(r"^\| `(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))
            self.assertEqual(sorted(shown - {"--help"} - common), sorted(written - common), name)


class Stopped(Tool):
    def setUp(self):
        super().setUp()
        self.run_job()

    def test_a_state_is_taken_for_no_log(self):
        shutil.rmtree(self.path("log"))
        os.mkdir(self.path("log"))
        shutil.copy(self.path("state/flights/hourly-delays.g1/0/data.mdb"), self.path("log"))
        for command in [["topics"], ["status"], ["replay", "x"], ["dead-letters"]]:
            self.refused(*command, status=3, words=["there is no log in it"])
            self.assertEqual(os.listdir(self.path("log")), ["data.mdb"], command)

    def damage(self, change):
        """Changes the bytes of the log's file."""
        with open(self.path("log/data.mdb"), "rb") as file:
            content = file.read()
        with open(self.path("log/data.mdb"), "wb") as file:
            file.write(change(content))

    def check_alone(self):
        """Told of no states, in a folder that has none."""
        return subprocess.run(self.command("check", state=False), capture_output=True, text=True, timeout=300,
                              check=False, cwd=self.path("out"))

    def test_where_salvage_cannot_help_it_is_not_advised(self):
        self.damage(lambda content: bytes(2 * 4096) + content[2 * 4096:])
        for command in [["check"], ["topics"], ["status"]]:
            self.refused(*command, status=3, words=["`kappa salvage` cannot help", "put back a copy"])
            self.assertNotIn("copies what is sound", self.errors)
        done = subprocess.run([KAPPA, "salvage", "lmdb:" + self.path("log"), "--to", "lmdb:" + self.path("new")],
                              capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("cannot help", done.stderr)
        self.assertFalse(os.path.exists(self.path("new")))
        # One page alone: it can.
        shutil.rmtree(self.path("log"))
        shutil.rmtree(self.path("state"))
        self.run_job()
        self.damage(lambda content: bytes(4096) + content[4096:])
        self.refused("topics", status=3, words=["copies what is sound"])
        self.assertIn("kappa salvage", self.kappa("check", status=1))

    def test_an_id_that_the_log_lost_is_told_by_its_states_and_salvage_takes_it(self):
        log_id = self.json("status")["status"]["logId"]
        self.damage(lambda content: content.replace(log_id.encode(), b"x" + log_id[1:].encode()))
        told = self.kappa("check", status=1)
        command = re.search(r"kappa (salvage \S+ --to \S+ --log-id (\S+))$", told, re.MULTILINE)
        self.assertEqual(command[2], log_id, told)
        self.assertNotIn("was made from log", told)
        found = self.json("check", status=1)
        self.assertIsNone(found["log"]["id"])
        self.assertEqual(found["ids_in_states"], [log_id])
        self.assertIn("name their folder with --state", self.check_alone().stdout)

        def salvage(*arguments):
            return subprocess.run([KAPPA, *arguments], capture_output=True, text=True, timeout=300, check=False)
        for wrong in ["nonsense", log_id[:-1], log_id.replace("-", "_")]:
            done = salvage(*command[1].split()[:-1], wrong)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--log-id", done.stderr)
            self.assertIn("not " + wrong, done.stderr)
        done = salvage(*command[1].split())
        self.assertEqual(done.returncode, 1, done.stderr)
        shutil.rmtree(self.path("log"))
        os.rename(self.path("log-salvaged"), self.path("log"))
        self.assertTrue(self.json("check")["healthy"])

    def test_a_wrong_folder_of_states_keeps_check_from_nothing_but_them(self):
        shutil.rmtree(self.path("state"))
        told = self.kappa("check", status=3)
        self.assertRegex(told, r"(?m)^log .*: healthy$")
        self.assertIn("there is no such folder; the log alone was looked at", self.errors)
        found = self.json("check", status=3)
        self.assertTrue(found["log"]["healthy"])
        self.assertFalse(found["healthy"])
        self.assertEqual([s["folder"] for s in found["states"]], [self.path("state")])
        self.assertEqual(self.check_alone().returncode, 0)

    def test_topics_are_listed_with_their_records(self):
        found = {t["topic"]: t for t in self.json("topics")}
        self.assertEqual(found["flights.dead-letters"]["records"], 3)
        self.assertEqual(found["hourly-delays"]["owner"], "flights")
        self.assertEqual(len(found["hourly-delays"]["partitions"]), 4)
        self.assertEqual(found["hourly-delays"]["records"], 4)
        table = self.kappa("topics")
        self.assertRegex(table, r"(?m)^flights\.dead-letters +flights +1 +3 +for ever +no$")

    def test_what_an_app_writes_is_decoded(self):
        records = self.lines("tail", "hourly-delays", "--from", "earliest")
        ord_ = [r for r in records if r["key"]["key"] == "ORD"]
        self.assertEqual([r["key"]["window"] for r in ord_], ["2001-01-01T08:00:00Z", "2001-01-01T09:00:00Z"])
        self.assertEqual(ord_[0]["value"]["flights"], 2)
        self.assertEqual(ord_[0]["headers"]["kappa.schema"], "flights.capnp:HourFields")
        self.assertEqual(ord_[0]["time"], "2001-01-01T08:59:59.999Z")
        self.assertEqual(self.lines("tail", "hourly-delays", "--from", "earliest", "--key", "ORD"), ord_)
        self.assertEqual(self.lines("tail", "hourly-delays", "--key", "ORD", "-n", "1"), ord_[1:])
        partition = ord_[0]["partition"]
        self.assertEqual(
            {r["partition"] for r in self.lines("tail", "hourly-delays", "--partition", str(partition))}, {partition})
        self.assertEqual(self.lines("tail", "hourly-delays", "--from", "2001-01-01T11:00:00Z", "--key", "ORD"), [])

    def test_internal_topics_are_decoded_and_markers_are_hidden_until_asked_for(self):
        hop = self.lines("tail", "flights.ingest.g1.origin", "--from", "earliest")
        self.assertEqual([r["value"]["delay"] for r in hop if r["key"] == "ORD"], [5, 15, 60])
        both = self.lines("tail", "flights.ingest.g1.origin", "--from", "earliest", "--markers")
        markers = [r["headers"]["kappa.marker"] for r in both if "kappa.marker" in r["headers"]]
        self.assertEqual(len(both) - len(markers), len(hop))
        self.assertIn("end", {m["kind"] for m in markers})
        between = self.lines("tail", "flights.hourly-delays.g1.origin-of-hour", "--from", "earliest")
        self.assertEqual({r["value"]["key"] for r in between}, {"ORD", "LAX", "JFK"})
        self.assertIn("window", between[0]["value"])
        epochs = self.lines("tail", "flights.hourly-delays.g1.epochs", "--from", "earliest")
        self.assertIn("birth", epochs[0]["value"])
        schemas = self.lines("tail", "flights.schemas", "--from", "earliest")
        self.assertIn("state/hourly-delays.g1", [r["key"] for r in schemas])

    def test_dead_letters_are_listed_and_shown_whole(self):
        table = self.kappa("dead-letters")
        self.assertEqual(len(table.splitlines()), 3)
        self.assertIn("plausible", table)
        self.assertIn("delay", table)
        records = [json.loads(line) for line in self.kappa("dead-letters", "--json").splitlines()]
        self.assertEqual(records[0]["value"], ROWS[4])
        position = records[1]["headers"]["kappa.position"]
        self.assertEqual(json.loads(self.kappa("dead-letters", "show", position)), records[1])
        self.assertEqual(json.loads(self.kappa("dead-letters", "show", "0")), records[0])
        self.assertEqual(self.kappa("dead-letters", "-n", "1").splitlines(), table.splitlines()[2:])
        self.assertEqual(self.kappa("dead-letters", "--stage", "delay-alerts"), "")
        self.assertIn("no dead letters of stage delay-alerts", self.errors)
        self.refused("dead-letters", "--stage", "delay-alert", status=1, words=["did you mean delay-alerts?"])
        self.refused("dead-letters", "show", "77", status=1, words=["no such dead letter"])
        self.refused("dead-letters", "list", status=2, words=["show POSITION"])

    def test_state_is_read_and_says_as_of_what(self):
        found = self.json("get", "hourly-delays", "ORD")
        self.assertEqual([e["window"] for e in found["entries"]], ["2001-01-01T08:00:00Z", "2001-01-01T09:00:00Z"])
        self.assertEqual(found["entries"][0]["value"]["flights"], 2)
        self.assertFalse(found["running"])
        ((where, position),) = found["as_of"].items()
        self.assertTrue(where.startswith("flights.ingest.g1.origin["), where)
        self.assertGreater(position, 0)
        one = self.kappa("get", "hourly-delays", "ORD", "--window", "2001-01-01T09:00:00Z")
        self.assertEqual(json.loads(one.split("  ", 1)[1])["flights"], 1)
        self.assertIn("not running", self.errors)
        self.assertEqual(self.json("get", "delay-alerts", "LAX")["entries"][0]["value"]["hours"], 0)

    def test_state_that_is_not_there_is_told_from_a_wrong_question(self):
        self.refused("get", "hourly-delays", "XXX", status=1, words=["no state under key XXX"])
        self.refused("get", "hourly-delay", "ORD", status=1, words=["did you mean hourly-delays?"])
        self.refused("get", "delay-alerts", "ORD", "--window", "2001-01-01", status=2, words=["has no windows"])
        self.refused("get", "hourly-delays", "ORD", "--window", "noon", status=2, words=["--window", "not noon"])
        shutil.rmtree(self.path("state"))
        self.refused("get", "hourly-delays", "ORD", status=3, words=["there is no state in", "--state"])

    def test_status_comes_from_log_and_state(self):
        told = self.json("status")
        self.assertFalse(told["running"])
        stages = {s["name"]: s for s in told["status"]["stages"]}
        self.assertEqual(sorted(stages), ["delay-alerts", "hourly-delays", "ingest"])
        tasks = stages["hourly-delays"]["tasks"]
        self.assertEqual(len(tasks), 4)
        self.assertEqual({t["health"] for t in tasks}, {"stopped"})
        self.assertEqual({t["lag"] for t in tasks}, {0})
        self.assertGreater(min(t["epoch"] for t in tasks), 0)
        self.assertTrue(stages["ingest"]["source"])
        self.assertEqual([t["lag"] for t in stages["ingest"]["tasks"]], [None])
        self.assertRegex(self.kappa("status", "ingest"), r"(?m)^ingest\.g1\[0\] +stopped +unknown ")
        text = self.kappa("status", "hourly-delays")
        self.assertIn("not running", text)
        self.assertNotIn("delay-alerts", text)
        self.refused("status", "ingst", status=1, words=["did you mean ingest?"])

    def test_a_wrong_topic_or_place_in_it_is_refused(self):
        self.refused("tail", "hourly-delay", status=1, words=["did you mean hourly-delays?"])
        self.refused("tail", "hourly-delays", "--from", "noon", status=2, words=["--from", "not noon"])
        for partition, status in [("4", 1), ("-1", 2)]:
            for command in ["tail", "replay"]:
                self.refused(command, "hourly-delays", "--partition", partition, status=status,
                             words=["--partition", "hourly-delays has partitions 0 … 3, not " + partition])
        self.refused("status", "--app", "flihgts", status=1, words=["did you mean flights?"])

    def test_a_reader_that_has_seen_enough_ends_it_quietly(self):
        process = subprocess.Popen(self.command("tail", "hourly-delays", "--from", "earliest", "--follow"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.assertIn("hourly-delays", process.stdout.readline())
        process.stdout.close()
        self.assertEqual(process.wait(timeout=120), 0)
        self.assertEqual(process.stderr.read(), "")
        process.stderr.close()

    def test_a_replay_of_a_stopped_app_is_noted_down(self):
        self.assertIn("next start", self.kappa("replay", "hourly-delays"))
        requests = self.lines("tail", "flights.admin", "--from", "earliest")
        self.assertEqual(requests[-1]["value"]["replay"]["stage"], "hourly-delays")
        self.refused("replay", "ingest", status=2, words=["it keeps no keyed state"])

    def test_a_program_is_run_with_the_replay_asked_of_it(self):
        said = self.kappa("replay", "hourly-delays", "--", "/bin/echo", "--quiet")
        self.assertEqual(said, "--quiet --replay hourly-delays --replay-only\n")
        self.refused("replay", "hourly-delays", "--", self.path("none"), status=3, words=["cannot be run"])

    def test_bytes_that_are_no_text_are_base64(self):
        value = json.loads(self.kappa("dead-letters", "show", "2"))["value"]
        self.assertEqual(base64.b64decode(value["base64"]), NO_TEXT)


class Running(Tool):
    def setUp(self):
        super().setUp()
        self.job = subprocess.Popen(self.flights("--keep-running", "--log-level", "info"),
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.job.stderr.close)
        self.addCleanup(self.job.wait)
        self.addCleanup(self.job.kill)
        for line in self.job.stderr:
            if 'msg="started"' in line:
                break
        else:
            self.fail("the job did not start")

    def until(self, ask, good):
        """Asks until the answer is good. Each question waits for the host's answer."""
        for _ in range(2000):
            answer = ask()
            if good(answer):
                return answer
        self.fail(answer)

    def finished(self):
        return self.until(lambda: self.json("status"), lambda told: all(
            t["health"] == "finished" for s in told["status"]["stages"] for t in s["tasks"]))

    def test_status_is_the_hosts(self):
        told = self.finished()
        self.assertTrue(told["running"])
        self.assertIn(f"pid {self.job.pid}", told["holder"])
        self.assertIn("run by", self.kappa("status"))
        self.refused("status", "ingst", status=1, words=["ingest"])

    def test_state_is_the_hosts(self):
        self.finished()
        found = self.json("get", "hourly-delays", "ORD")
        self.assertTrue(found["running"])
        self.assertEqual([e["value"]["flights"] for e in found["entries"]], [2, 1])
        self.refused("get", "hourly-delays", "XXX", status=1, words=["no state under key XXX"])
        self.refused("get", "hourly-delay", "ORD", status=1, words=["hourly-delays"])

    def test_a_replay_is_followed_until_it_is_done(self):
        self.finished()
        before = self.json("get", "hourly-delays", "ORD")["entries"]
        steps = [json.loads(line) for line in self.kappa("replay", "hourly-delays", "--json").splitlines()]
        self.assertEqual(steps[-1]["state"], "done")
        self.assertEqual(self.json("get", "hourly-delays", "ORD")["entries"], before)
        self.refused("replay", "ingest", status=2, words=["ingest", "hourly-delays"])

    def test_answers_have_the_same_form_when_the_app_is_stopped(self):
        def shape(value):
            if isinstance(value, dict):
                return {name: shape(v) for name, v in value.items()}
            return [shape(v) for v in value] if isinstance(value, list) else "one"

        def answers():
            got = [self.json("get", "hourly-delays", "ORD"), self.json("get", "delay-alerts", "LAX"),
                   self.json("get", "hourly-delays", "XXX", status=1), self.json("status"),
                   self.json("status", "hourly-delays"),
                   self.lines("replay", "hourly-delays", "--json")[0],
                   self.lines("replay", "delay-alerts", "--partition", "2", "--json")[0]]
            codes = {}
            for arguments, _ in WRONG:
                done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=300,
                                      check=False)
                codes[" ".join(arguments)] = done.returncode
                self.assertTrue(done.stderr.startswith("error: "), done.stderr)
            return got, codes

        self.finished()
        running, codes = answers()
        self.assertEqual(codes, {" ".join(arguments): code for arguments, code in WRONG})
        self.job.terminate()
        self.assertEqual(self.job.wait(timeout=120), 0)
        stopped, codes_of_stopped = answers()
        self.assertEqual(codes_of_stopped, codes)
        for one, other in zip(running, stopped):
            self.assertEqual(shape(one), shape(other))
            self.assertEqual(one.get("as_of"), other.get("as_of"))
        names = [s["name"] for s in running[3]["status"]["stages"]]
        self.assertEqual(names, [s["name"] for s in stopped[3]["status"]["stages"]])
        # Not known is null, not nought.
        ingest = stopped[3]["status"]["stages"][names.index("ingest")]["tasks"][0]
        self.assertEqual([ingest[name] for name in ("lag", "phase", "recordsIn", "failures", "watermark")], [None] * 5)

    def test_topics_are_read_beside_the_host_and_followed_until_ctrl_c(self):
        tail = subprocess.Popen(self.command("tail", "hourly-delays", "--from", "earliest", "--follow"),
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(tail.stdout.close)
        self.addCleanup(tail.kill)
        seen = [json.loads(tail.stdout.readline()) for _ in range(4)]
        self.assertEqual({r["topic"] for r in seen}, {"hourly-delays"})
        tail.send_signal(signal.SIGINT)
        self.assertEqual(tail.wait(timeout=120), 130)


if __name__ == "__main__":
    KAPPA = sys.argv.pop(1)
    FLIGHTS = sys.argv.pop(1)
    unittest.main()
