"""up, down and status: a cluster that goes on when the shell that started it is closed."""

import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys

import artifacts
import place
import supervisor
from artifacts import Unusable

STATE = "state.json"


def folder_of(arguments):
    return pathlib.Path(arguments.folder).resolve() if arguments.folder else artifacts.cache() / "kafka-up"


def state(folder):
    """What the running cluster in a folder says of itself; None when none runs."""
    if not place.is_held(folder):
        return None
    try:
        return json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return {}  # it is starting, or ending


def up(options, folder, words):
    """`words` are the arguments that the detached process is started with."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        return start(options, folder, words)


def start(options, folder, words):
    if (running := state(folder)) is not None:
        told = f": {running['bootstrap']}" if "bootstrap" in running else " and is starting or ending"
        print(f"there is one already{told} (./dev kafka down ends it)")
        return 0
    artifacts.jars(options.version)
    artifacts.java()
    if (folder / STATE).exists():
        print(f"the last one was not ended by 'down' (a reboot?): what it left in {folder} is removed", file=sys.stderr)
    elif folder.exists() and any(entry.name != place.LOCK for entry in folder.iterdir()):
        raise Unusable(f"{folder} holds something else: name an empty folder, or one that is not there yet")
    place.remove(folder)
    folder.mkdir(mode=0o700, parents=True)
    reading, writing = os.pipe()
    with open(folder / "harness.log", "ab") as log:
        process = subprocess.Popen([sys.executable, "-B", os.path.dirname(os.path.abspath(__file__)), "detached",
                                    "--report", str(writing), *words],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                   pass_fds=(writing,))
    os.close(writing)
    try:
        with os.fdopen(reading) as report:
            text = report.read()
    except KeyboardInterrupt:
        process.terminate()
        raise
    told = json.loads(text) if text else {"error": f"the harness has ended with code {process.wait()}"}
    if "error" in told:
        process.wait()
        raise Unusable(told["error"])
    show(told)
    return 0


def detached(options, folder, report):
    """The process that `up` leaves behind."""
    held = place.hold(folder)
    if held is None:
        raise Unusable(f"another harness holds {folder}")

    def ready(told):
        if "error" not in told:
            told["supervisor"] = os.getpid()
            temporary = folder / (STATE + ".new")
            temporary.write_text(json.dumps(told))
            temporary.rename(folder / STATE)
        with os.fdopen(report, "w") as caller:
            caller.write(json.dumps(told))

    def serve(_):
        while True:
            signal.pause()

    return supervisor.supervise(options, folder, ready, serve, lambda: None)


def down(folder, seconds=60):
    running = state(folder)
    if running is None:
        print(f"there is none in {folder}")
        if (folder / STATE).exists():
            place.remove(folder)
        return 0
    if "supervisor" not in running:
        raise Unusable(f"the one in {folder} is starting or ending: try again in a moment")
    os.kill(running["supervisor"], signal.SIGTERM)  # it holds the lock, so the number is not somebody else's
    if not place.wait_until_free(folder, seconds):
        raise Unusable(f"process {running['supervisor']} has not ended the brokers in {seconds} s")
    print("ended; its data is removed")
    return 0


def show(told):
    print(f"Apache Kafka {told['version']}: {told['bootstrap']}")
    for kind, bootstrap in told["listeners"].items():
        if kind != "plaintext":
            print(f"  {kind}: {bootstrap}")
    for name, path in told["files"].items():
        print(f"  {name}: {path}")
    for node in told["nodes"]:
        print(f"  node {node['id']}: port {node['port']}, process {node['pid']}, log {node['log']}")
    print("./dev kafka down ends it and removes its data")


def status(folder, as_json):
    """Exit code 0 when one runs, 3 when not."""
    running = state(folder)
    for node in (running or {}).get("nodes", []):
        node["state"] = process_state(node["pid"])
    if as_json:
        print(json.dumps(running))
    elif running is None:
        print(f"there is none in {folder}")
    elif "bootstrap" not in running:
        print("it is starting or ending")
    else:
        show(running)
        for node in running["nodes"]:
            if node["state"] != "up":
                print(f"  node {node['id']} is {node['state']}")
    return 3 if running is None else 0


def process_state(pid):
    try:
        letter = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "down"
    return {"Z": "down", "X": "down", "T": "paused"}.get(letter, "up")
