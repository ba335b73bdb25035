"""One broker: its files and its process."""

import ctypes
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import artifacts
import ids
import wire

PR_SET_PDEATHSIG = 1
META = "meta.properties"  # in a data folder that is formatted
PROXY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "proxy.py")
_libc = ctypes.CDLL(None, use_errno=True)

LOGGING = """\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


def dies_with(parent):
    """For a child before its program starts: SIGKILL when the harness dies, however it dies."""
    def ask_for_it():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it has died meanwhile
            os._exit(1)
    return ask_for_it


def tail(path, lines=15):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


class Node:
    def __init__(self, number, folder, version, jvm):
        self.number = number
        self.folder = folder / f"node-{number}"
        self.version = version
        self.jvm = jvm
        self.ports = {}  # listener → port
        self.clients_ports = {}  # the same, but of the proxy where there is one
        self.proxy = None
        self.log = self.folder / "broker.log"
        self.data = self.folder / "data"
        self.settings = self.folder / "server.properties"
        self.process = None
        self.paused = False
        self.folder.mkdir()
        self.logging = self.folder / "log4j.properties"
        self.logging.write_text(LOGGING)

    def command(self, options, main, *arguments):
        options = [*options, "-XX:+UseSerialGC", f"-Dlog4j.configuration=file:{self.logging}",
                   "-Djava.awt.headless=true"]
        return artifacts.command(self.version, options, main, *map(str, arguments))

    def spawn(self, command):
        """Output goes to the log. A process group of its own: Ctrl-C in a terminal is the harness's to handle. Not a session
        of its own: Linux schedules each by itself (autogroup), and one beside busy others was seen to wait for minutes."""
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                                    preexec_fn=dies_with(os.getpid()))

    def format(self, cluster_id, users):
        """Starts the formatter, which a data folder needs once."""
        self.process = self.spawn(self.command(
            ["-Xmx128m", "-XX:TieredStopAtLevel=1"], "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
            self.settings, *users))

    def format_as(self, formatted, cluster_id):
        """What the formatter would do, of what it has done for another node."""
        shutil.copytree(formatted, self.data)
        own = {"node.id": self.number, "cluster.id": cluster_id, "directory.id": ids.new()}
        lines = (formatted / META).read_text().splitlines()
        found = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        (self.data / META).write_text("".join(f"{key}={own.get(key, value)}\n" for key, value in found.items()))

    def keep_format(self, formatted):
        """For format_as. Harnesses may do it at the same time."""
        new = pathlib.Path(tempfile.mkdtemp(dir=formatted.parent, prefix=formatted.name + "."))
        shutil.copytree(self.data, new, dirs_exist_ok=True)
        try:
            new.rename(formatted)
        except OSError:  # another one was first
            shutil.rmtree(new)

    def start(self):
        self.process = self.spawn(self.command(self.jvm, "kafka.Kafka", self.settings))
        self.paused = False

    def formatted(self):
        return (self.data / META).exists()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def answers(self):
        try:
            with wire.Connection(self.ports["plaintext"]) as broker:
                return broker.answers()
        except OSError:
            return False

    def signal(self, number):
        if self.running():
            os.kill(self.process.pid, number)

    def kill(self):
        """Returns when the process is gone, so that its port and its files are free."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        self.process = None
        self.paused = False

    def ask_to_stop(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)

    def has_stopped(self, seconds):
        """True when it ended in time, else it is killed."""
        ended = True
        if self.process is not None:
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                ended = False
        self.kill()
        return ended

    def pause(self):
        """Returns when each of its threads stands still: the signal comes to them one by one, and on a busy machine late."""
        self.signal(signal.SIGSTOP)
        until = time.monotonic() + 30
        while self.running() and not self.stands_still():
            if time.monotonic() > until:
                raise TimeoutError(f"node {self.number} has not stood still 30 s after SIGSTOP")
            time.sleep(0.01)
        self.paused = True

    def stands_still(self):
        states = set()
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{thread}/stat") as stat:
                    states.add(stat.read().rpartition(")")[2].split()[0])
            except OSError:  # it has ended meanwhile
                continue
        return states == {"T"}

    def resume(self):
        self.signal(signal.SIGCONT)
        self.paused = False

    def fill(self):
        """Its disk is full until it is started again: no file can grow any more."""
        if self.running():
            _, most = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (1, most))

    def wipe(self):
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def start_proxy(self, kind):
        self.proxy = subprocess.Popen([sys.executable, "-B", PROXY, str(self.ports[kind])], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, process_group=0,
                                      preexec_fn=dies_with(os.getpid()))
        self.clients_ports[kind] = int(self.proxy.stdout.readline())

    def network(self, command):
        """cut, heal, drop, lose-commit, lose-answer or look: done when it returns, with what was lost so far."""
        if self.proxy is None:
            raise artifacts.Unusable(f"{command}: there is no listener that can be cut (--listener cuttable)")
        self.proxy.stdin.write(command + "\n")
        self.proxy.stdin.flush()
        return int(self.proxy.stdout.readline())

    def cut(self):
        self.network("cut")

    def heal(self):
        self.network("heal")

    def drop(self):
        self.network("drop")

    def lose_commit(self):
        self.network("lose-commit")

    def lose_answer(self):
        self.network("lose-answer")

    def end_proxy(self):
        if self.proxy is not None:
            self.proxy.kill()
            self.proxy.communicate()

    def state(self):
        if not self.running():
            return "down"
        return "paused" if self.paused else "up"

    def describe(self):
        return {
            "id": self.number,
            "state": self.state(),
            "port": self.ports["plaintext"],
            "pid": self.process.pid if self.running() else None,
            "log": str(self.log),
            "data": str(self.data),
            "lost": self.network("look") if self.proxy else 0,
        }
