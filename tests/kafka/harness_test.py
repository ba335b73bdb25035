#!/usr/bin/env python3
"""The harness that runs a real Kafka for the tests: what it promises, and that nothing is left behind.

harness_test.py [unittest arguments]
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
HARNESS = HERE / "harness"
sys.path.insert(0, str(HARNESS))
import artifacts  # noqa: E402 (it is in the folder that is now known)
import wire  # noqa: E402

VERSION = artifacts.version()
TOPICS = "org.apache.kafka.tools.TopicCommand"
PRODUCER = "kafka.tools.ConsoleProducer" if VERSION.startswith("3.") else "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
SECONDS = 120  # for what takes one or two


def command(*words):
    return [sys.executable, "-B", str(HARNESS), *words]


def eventually(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not in {SECONDS} s: {what}")
        time.sleep(0.05)


def processes(folder):
    """Of brokers whose files are in a folder: what the harness must not leave behind."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass  # it has ended
    return found


class Running:
    """`harness run`, spoken to."""

    def __init__(self, *words):
        self.process = subprocess.Popen(command("run", *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.told = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(SECONDS)
        self.process.stdout.close()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer["ok"]:
            self.told = answer
        return answer

    def do(self, *lines):
        for line in lines:
            answer = self.say(line)
            if not answer["ok"]:
                raise AssertionError(f"{line}: {answer['error']}")

    def node(self, number=1):
        return self.told["nodes"][number - 1]


class harness(unittest.TestCase):
    def tool(self, bootstrap, name, *words, settings="", said=""):
        """One of Kafka's own tools → its standard output."""
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
            file.write(settings)
            file.flush()
            if settings:
                words = (*words, "--command-config", file.name)
            run = subprocess.run(command("tool", name, "--bootstrap-server", bootstrap, *words),
                                 input=said, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    def produce(self, bootstrap, topic, *lines):
        """With the tool's default: acknowledged by all that are in sync."""
        self.tool(bootstrap, PRODUCER, "--topic", topic, said="\n".join(lines) + "\n")

    def consume(self, bootstrap, topic, count):
        return self.tool(bootstrap, CONSUMER, "--topic", topic, "--from-beginning", "--max-messages",
                         str(count)).split()

    def gone(self, told):
        eventually(lambda: not processes(told["folder"]), "the brokers end")
        eventually(lambda: not os.path.exists(told["folder"]), "the folder is removed")


class One(harness):
    def test_a_killed_node_comes_back_with_its_data_and_a_wiped_one_without(self):
        with Running() as kafka:
            at = kafka.told["bootstrap"]
            self.tool(at, TOPICS, "--create", "--topic", "kept", "--partitions", "1")
            self.produce(at, "kept", "one", "two")
            first = kafka.node()["pid"]
            kafka.do("kill 1")
            self.assertEqual((kafka.node()["state"], kafka.node()["pid"]), ("down", None))
            with self.assertRaises(OSError):
                wire.Connection(kafka.node()["port"])
            with self.assertRaises(OSError), socket.socket() as other:  # the port is still the node's
                other.bind(("127.0.0.1", kafka.node()["port"]))
            kafka.do("start 1", "wait")
            self.assertNotEqual(kafka.node()["pid"], first)
            self.assertEqual(self.consume(at, "kept", 2), ["one", "two"])
            kafka.do("stop 1", "wipe 1", "start 1", "wait")
            with wire.Connection(kafka.node()["port"]) as broker:
                unknown = broker.metadata("kept")[1]["kept"]
            self.assertEqual(unknown, [])

    def test_a_paused_node_answers_when_it_is_resumed(self):
        with Running() as kafka:
            kafka.do("pause 1")
            self.assertEqual(kafka.node()["state"], "paused")
            with self.assertRaises(TimeoutError), wire.Connection(kafka.node()["port"], seconds=0.5) as broker:
                broker.answers()
            kafka.do("resume 1", "wait")
            with wire.Connection(kafka.node()["port"]) as broker:
                self.assertTrue(broker.answers())

    def test_a_network_that_is_cut_delivers_late_and_one_that_is_dropped_never(self):
        with Running("--listener", "cuttable") as kafka:
            port = int(kafka.told["listeners"]["cuttable"].split(":")[1])
            self.assertNotEqual(port, kafka.node()["port"])
            with wire.Connection(port, seconds=0.5) as cut, wire.Connection(kafka.node()["port"]) as direct:
                self.assertTrue(cut.answers())
                kafka.do("cut 1")
                with self.assertRaises(TimeoutError):
                    cut.answers()
                with self.assertRaises(TimeoutError), wire.Connection(port, seconds=0.5) as another:
                    another.answers()
                self.assertTrue(direct.answers())  # the broker itself is well
                kafka.do("heal 1")
                cut.socket.settimeout(SECONDS)
                (length,) = struct.unpack(">i", cut.exactly(4))  # the answer, late
                self.assertEqual(len(cut.exactly(length)), length)
                kafka.do("cut 1", "drop 1")
                with self.assertRaises(ConnectionError):
                    cut.answers()
                kafka.do("heal 1")
            with wire.Connection(port, SECONDS) as healed:
                self.assertTrue(healed.answers())
        with Running() as kafka:
            self.assertIn("--listener cuttable", kafka.say("cut 1")["error"])

    def test_it_is_usable_at_once(self):
        with Running("--set", "transaction.state.log.num.partitions=7") as kafka:
            for kind, partitions in ((wire.GROUP, 4), (wire.TRANSACTION, 7)):
                for key in wire.keys_for_all(partitions):
                    with wire.Connection(kafka.node()["port"]) as broker:
                        self.assertEqual(broker.coordinator(kind, key), 1)
                        self.assertTrue(broker.has_loaded(kind, key), key)
                        self.assertTrue(broker.gives_producer_ids())
            with wire.Connection(kafka.node()["port"]) as broker:
                self.assertEqual(len(broker.metadata("__transaction_state")[1]["__transaction_state"]), 7)

    def test_wrong_commands_are_refused_and_do_no_harm(self):
        with Running() as kafka:
            for line, reason in (("kil 1", "no command 'kil'"), ("kill 2", "no such node"), ("kill one", "no such node"),
                                 ("kill", "which node")):
                answer = kafka.say(line)
                self.assertFalse(answer["ok"])
                self.assertIn(reason, answer["error"])
            kafka.do("kill 1")
            self.assertIn("cannot be paused", kafka.say("pause 1")["error"])
            kafka.do("start 1")


class Left(harness):
    """However it ends, no broker and no folder is left."""

    def test_the_end_of_input(self):
        with Running() as kafka:
            self.assertEqual(len(processes(kafka.told["folder"])), 1)  # so that none left means something
        self.gone(kafka.told)
        self.assertEqual(kafka.process.returncode, 0)

    def test_kill_9_of_the_process_that_holds_it(self):
        holder = ("import subprocess, sys, time\n"
                  "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
                  "print(p.stdout.readline(), flush=True)\n"
                  "p.wait()\n")
        with subprocess.Popen([sys.executable, "-c", holder, *command("run")], stdout=subprocess.PIPE, text=True) as process:
            told = json.loads(process.stdout.readline())
            self.assertEqual(len(processes(told["folder"])), 1)
            process.kill()
        self.gone(told)

    def test_kill_9_of_the_harness_itself(self):
        with Running() as kafka:
            kafka.process.kill()
            kafka.process.wait()
        eventually(lambda: not processes(kafka.told["folder"]), "the brokers end")
        self.assertTrue(os.path.exists(kafka.told["folder"]))  # nobody was there to do it
        with Running("--set", "log.retention.ms=nonsense") as another:  # the next one does
            self.assertIn("error", another.told)
        self.gone(kafka.told)

    def test_signals_and_a_start_that_fails(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number), Running() as kafka:
                os.killpg(kafka.process.pid, number)
                kafka.process.wait(SECONDS)
                self.gone(kafka.told)

    def test_kill_9_of_the_holder_while_it_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(command("run"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env={**os.environ, "TMPDIR": folder})
            eventually(lambda: processes(folder), "a broker is started")
            process.stdin.close()
            process.stdout.close()
            process.wait(SECONDS)
            self.assertEqual((processes(folder), os.listdir(folder)), ([], []))


class Three(harness):
    def test_three_form_a_cluster_and_survive_the_loss_of_one(self):
        with Running("--nodes", "3") as kafka:
            at = kafka.told["bootstrap"]
            self.assertEqual([node["id"] for node in kafka.told["nodes"]], [1, 2, 3])
            self.tool(at, TOPICS, "--create", "--topic", "kept", "--partitions", "3")
            for node in kafka.told["nodes"]:
                with wire.Connection(node["port"]) as broker:
                    brokers, topics = broker.metadata("__consumer_offsets")
                    self.assertEqual(sorted(brokers), [1, 2, 3])
                    for error, leader, in_sync in topics["__consumer_offsets"]:
                        self.assertEqual((error, sorted(in_sync)), (0, [1, 2, 3]))
            # Where the harness takes a coordinator to be, when it waits for all of them to have loaded.
            with wire.Connection(kafka.node()["port"]) as broker:
                leaders = [leader for _, leader, _ in broker.metadata("__consumer_offsets")[1]["__consumer_offsets"]]
                self.assertGreater(len(set(leaders)), 1)
                for key in (f"some-group-{n}" for n in range(30)):
                    self.assertEqual(broker.coordinator(wire.GROUP, key), leaders[wire.partition_of(key, 4)], key)
            self.produce(at, "kept", "one")
            kafka.do("kill 2", "wait")  # with two of three in sync
            self.produce(at, "kept", "two")
            kafka.do("start 2", "wait", "wipe 3", "start 3", "wait")
            self.assertEqual(sorted(self.consume(at, "kept", 2)), ["one", "two"])
        self.gone(kafka.told)


class Shell(harness):
    """up, down and status, as ./dev kafka calls them."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="kappa-kafka-shell-"))
        self.folder = self.place / "up"
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.addCleanup(self.call, "down")

    def call(self, *words, **options):
        return subprocess.run(command(*words, "--folder", str(self.folder)), capture_output=True, text=True,
                              timeout=SECONDS, **options)

    def test_up_status_and_down(self):
        self.assertEqual(self.call("status").returncode, 3)
        up = self.call("up")
        self.assertEqual(up.returncode, 0, up.stderr)
        running = json.loads(self.call("status", "--json").stdout)
        self.assertIn(running["bootstrap"], up.stdout)
        with wire.Connection(running["nodes"][0]["port"]) as broker:
            self.assertTrue(broker.answers())
        again = self.call("up")
        self.assertEqual(again.returncode, 0)
        self.assertIn(f"there is one already: {running['bootstrap']}", again.stdout)
        os.kill(running["nodes"][0]["pid"], signal.SIGSTOP)
        eventually(lambda: "node 1 is paused" in self.call("status").stdout, "status tells that a node stands still")
        self.assertEqual(self.call("down").returncode, 0)
        self.gone(running)
        self.assertEqual(self.call("status").returncode, 3)
        self.assertIn("there is none", self.call("down").stdout)

    def test_what_a_reboot_leaves_is_removed_and_told(self):
        self.assertEqual(self.call("up").returncode, 0)
        running = json.loads(self.call("status", "--json").stdout)
        os.kill(running["supervisor"], signal.SIGKILL)
        eventually(lambda: not processes(self.folder), "the brokers end")
        self.assertEqual(self.call("status").returncode, 3)
        up = self.call("up")
        self.assertEqual(up.returncode, 0, up.stderr)
        self.assertIn("was not ended by 'down'", up.stderr)
        self.assertEqual(self.call("down").returncode, 0)
        self.assertEqual((processes(self.folder), self.folder.exists()), ([], False))

    def test_what_cannot_be_started_says_why_and_leaves_nothing(self):
        up = self.call("up", "--set", "log.retention.ms=nonsense")
        self.assertEqual(up.returncode, 1)
        self.assertIn("log.retention.ms", up.stderr)
        self.assertEqual((processes(self.folder), self.folder.exists()), ([], False))

    def test_a_folder_with_other_things_is_not_touched(self):
        self.folder.mkdir()
        (self.folder / "precious").write_text("here")
        up = self.call("up")
        self.assertEqual(up.returncode, 1)
        self.assertIn("holds something else", up.stderr)
        self.assertEqual((self.folder / "precious").read_text(), "here")


class Reasons(harness):
    """What is missing is named, with how to mend it."""

    def reason(self, *words, **environment):
        run = subprocess.run(command("run", *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=SECONDS, env={**os.environ, **environment})
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        return json.loads(run.stdout)["error"]

    def test_missing_jars(self):
        with tempfile.TemporaryDirectory() as empty:
            said = self.reason(XDG_CACHE_HOME=empty)
            self.assertIn(f"no jars of Apache Kafka {VERSION} in {empty}/kappa/kafka-{VERSION}/libs", said)
            self.assertIn("./dev setup kafka", said)
            self.assertIn("kafka-3.9.1", self.reason(XDG_CACHE_HOME=empty, KAPPA_KAFKA_VERSION="3.9.1"))
            up = subprocess.run(command("up", "--folder", f"{empty}/up"), capture_output=True, text=True,
                                env={**os.environ, "XDG_CACHE_HOME": empty})
            self.assertEqual(up.returncode, 1)
            self.assertIn("no jars of Apache Kafka", up.stderr)

    def test_missing_java(self):
        with tempfile.TemporaryDirectory() as empty:
            for environment in ({"PATH": empty, "JAVA_HOME": ""}, {"JAVA_HOME": empty}):
                said = self.reason(**environment)
                self.assertIn("no java", said)
                self.assertIn("default-jdk-headless", said)

    def test_an_unknown_version_and_wrong_options(self):
        self.assertIn("no Kafka version '2.0.0'", self.reason(KAPPA_KAFKA_VERSION="2.0.0"))
        self.assertIn("--set wants key=value", self.reason("--set", "oops"))
        self.assertIn("--user wants NAME:PASSWORD", self.reason("--user", "eve"))

    def test_a_broker_that_does_not_come_up_shows_the_end_of_its_log(self):
        said = self.reason("--set", "log.retention.ms=nonsense")
        # Formatted it is of what was formatted once, if ever it was on this machine.
        self.assertRegex(said, "node 1 (could not be formatted|has ended)")
        self.assertIn("Invalid value nonsense for configuration log.retention.ms", said)


class Security(harness):
    @classmethod
    def setUpClass(cls):
        kinds = ("tls", "mtls", "sasl_plain", "sasl_scram", "sasl_ssl")
        cls.kafka = Running("--acls", *(word for kind in kinds for word in ("--listener", kind)))

    @classmethod
    def tearDownClass(cls):
        cls.kafka.__exit__()

    def over_tls(self, kind, authority, client=None):
        """Whether a broker answers over TLS; raises ssl.SSLError where one side does not trust the other."""
        files = self.kafka.told["files"]
        context = ssl.create_default_context(cafile=files[authority])
        if client:
            context.load_cert_chain(files["client_certificate"], files["client_key"])
        host, port = self.kafka.told["listeners"][kind].split(":")
        with wire.Connection(int(port), SECONDS) as broker:
            broker.socket = context.wrap_socket(broker.socket, server_hostname=host)
            return broker.answers()

    def topics(self, kind, mechanism, user, secret=None):
        """What the user sees there."""
        module = "plain.Plain" if mechanism == "PLAIN" else "scram.Scram"
        settings = (f"security.protocol={'SASL_SSL' if kind == 'sasl_ssl' else 'SASL_PLAINTEXT'}\n"
                    f"sasl.mechanism={mechanism}\nssl.truststore.type=PEM\n"
                    f"ssl.truststore.location={self.kafka.told['files']['ca']}\n"
                    f"sasl.jaas.config=org.apache.kafka.common.security.{module}LoginModule required "
                    f"username={user} password={secret or user + '-secret'};\n")
        return self.tool(self.kafka.told["listeners"][kind], TOPICS, "--list", settings=settings).split()

    def test_tls_is_trusted_by_its_authority_alone(self):
        self.assertTrue(self.over_tls("tls", "ca"))
        with self.assertRaises(ssl.SSLError):
            self.over_tls("tls", "other_ca")

    def test_mtls_wants_a_certificate_of_the_client(self):
        self.assertTrue(self.over_tls("mtls", "ca", client=True))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.over_tls("mtls", "ca")

    def test_each_sasl_listener_knows_the_users_and_the_permissions(self):
        for kind, mechanism in (("sasl_plain", "PLAIN"), ("sasl_scram", "SCRAM-SHA-256"), ("sasl_ssl", "SCRAM-SHA-512")):
            with self.subTest(f"{kind} {mechanism}"):
                self.assertIn("__consumer_offsets", self.topics(kind, mechanism, "admin"))
                self.assertEqual(self.topics(kind, mechanism, "alice"), [])  # in, and permitted nothing
                with self.assertRaisesRegex(AssertionError, "(?i)authentication failed"):
                    self.topics(kind, mechanism, "admin", "wrong")


if __name__ == "__main__":
    unittest.main()
