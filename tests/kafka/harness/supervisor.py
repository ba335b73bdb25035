"""The process that a running cluster hangs on: when it ends, however it ends, so do the brokers."""

import json
import os
import select
import signal
import sys

import artifacts
import place
from artifacts import Unusable
from cluster import Cluster

COMMANDS = ("kill", "stop", "start", "pause", "resume", "wipe", "fill", "cut", "heal", "drop", "lose-commit", "lose-answer",
            "wait", "wait-transactions", "status")
STOP_SECONDS = 30


class Ended(Exception):
    """Time to go: a signal, or whoever started us is gone."""


def end_on_signals():
    def ended(number, _):
        raise Ended(signal.Signals(number).name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)


def ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def input_must_be_open():
    """The other end of standard input is the caller's: closed by its death too."""
    poll = select.poll()
    poll.register(0, 0)  # POLLHUP is always told
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
        raise Ended("end of input")


def say(answer):
    print(json.dumps(answer), flush=True)


def stop(nodes):
    """All at once. Without a majority of the others a node cannot end in order: Kafka's way."""
    for node in nodes:
        node.ask_to_stop()
    killed = [node.number for node in nodes if not node.has_stopped(STOP_SECONDS)]
    if killed:
        raise Unusable(f"nodes {killed} did not end within {STOP_SECONDS} s of SIGTERM, and were killed")


def obey(cluster, line):
    """One command of the caller's → the answer."""
    name, *words = line.split()
    if name not in COMMANDS:
        raise Unusable(f"no command '{name}' (there are: {', '.join(COMMANDS)})")
    try:
        numbers = [int(word) for word in words]
        nodes = [cluster.nodes[n] for n in numbers]
    except (ValueError, KeyError):
        raise Unusable(f"{name}: no such node in '{' '.join(words)}' (there are: {list(cluster.nodes)})") from None
    if name not in ("wait", "wait-transactions", "status") and not nodes:
        raise Unusable(f"{name}: which node?")
    if name == "start":
        cluster.start(numbers)
    elif name == "wait":
        cluster.wait()
    elif name == "wait-transactions":
        cluster.wait_for_transactions()
    elif name == "stop":
        stop(nodes)
    elif name != "status":
        for node in nodes:
            if name == "pause" and not node.running():
                raise Unusable(f"node {node.number} is down: it cannot be paused")
            getattr(node, name.replace("-", "_"))()
    return {"ok": True, **cluster.describe()}


def commands(cluster):
    """Obeys until the end of input."""
    buffered = b""
    while True:
        chunk = os.read(0, 65536)
        if not chunk:
            raise Ended("end of input")
        *lines, buffered = (buffered + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                try:
                    say(obey(cluster, line.decode()))
                except Unusable as error:
                    say({"ok": False, "error": str(error)})


def supervise(options, folder, ready, serve, check):
    """Starts a cluster in `folder`, calls ready(description), then serve(cluster); all is gone when it returns. Returns
    the exit code."""
    end_on_signals()
    cluster = Cluster(options, folder, check)
    try:
        cluster.configure()
        cluster.start()
        cluster.wait()
        ready(cluster.describe())
        serve(cluster)
    except Unusable as error:
        ready({"error": str(error)})
        return 1
    except (Ended, BrokenPipeError):
        return 0
    finally:
        ignore_signals()
        cluster.stop_all()
        place.remove(folder)
    return 0


def make_archive(options):
    """Java writes the classes that it has loaded when it ends in order."""
    archive = artifacts.archive(options.version)
    if archive.exists():
        return 0
    made = archive.with_suffix(".new")
    made.unlink(missing_ok=True)
    options.jvm.append(f"-XX:ArchiveClassesAtExit={made}")
    folder, _ = place.temporary()

    def serve(cluster):
        stop(cluster.nodes.values())

    told = {}
    supervise(options, folder, told.update, serve, lambda: None)
    if not made.exists():
        raise Unusable(told.get("error", "Java wrote no class data"))
    for old in archive.parent.glob("*.jsa"):
        old.unlink()
    made.rename(archive)
    return 0


def run(options):
    """In the foreground: one line of JSON when it can be used (or the error), then one for each command."""
    folder, _ = place.temporary()
    code = supervise(options, folder, say, commands, input_must_be_open)
    # Standard output may be a pipe that nobody reads any more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
