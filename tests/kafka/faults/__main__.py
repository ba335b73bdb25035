"""The flights job on Kafka as three processes, under faults; nothing may be lost or doubled.

Faults are drawn by the seed: kill -9 at any moment and at steps of commit, snapshot and recovery; SIGSTOP past the session
time-out and SIGCONT; SIGTERM; the broker killed and started again, its disk full; the network between the processes and the
broker cut for a while, or its connections dropped. With three brokers it is one of them, chosen at random or because it
coordinates a group or the transactions of a process; and one loses its disk. A checker that knows nothing of Kappa then
reads the topics, and the CSV files of all processes must equal those of an undisturbed embedded run. Exit code 0: nothing
was found.
"""

import argparse
import filecmp
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import checker
from brokers import Brokers
from job import Job
from run import SECONDS_A_FAULT, SHORT, WEIGHTS, Run, Stuck, drawn

SHOWN = 20


def say(text):
    print(text, flush=True)


def undisturbed(arguments, folder):
    out = os.path.join(folder, "undisturbed")
    environment = {name: value for name, value in os.environ.items() if name != "KAPPA_BREAK"}
    subprocess.run([arguments.program, "--input", arguments.input, "--log", f"lmdb:{folder}/log", "--state",
                    f"{folder}/embedded", "--out", out, "--quiet"],
                   check=True, stdout=subprocess.DEVNULL, env=environment)
    return out


def different(job, reference):
    return [f"process {job.number}: {name} differs from the undisturbed embedded run's"
            for name in ("hourly-delays.csv", "delay-alerts.csv")
            if not filecmp.cmp(os.path.join(job.out, name), os.path.join(reference, name), shallow=False)]


def rows_in(path):
    return sum(1 for _ in checker.rows_of(path))


def disturb(arguments, dice, plan, folder, expected, reference):
    """The run with what went wrong with it, what the checker found in the topics, and in the files."""
    faults = len(plan)
    seconds = faults * SECONDS_A_FAULT[arguments.brokers]
    rate = max(1_000, int(rows_in(arguments.input) / (seconds + 5)))
    went_wrong, found = [], []
    brokers = Brokers(arguments.brokers)
    options = shlex.split(arguments.options.format(work=folder))
    run = Run(dice, plan, lambda n: Job(n, arguments.program, arguments.input, brokers.cuttable, folder, rate, options),
              brokers, folder)
    try:
        run.go(arguments.patience or 120 + seconds * 6)
    except Stuck as e:
        went_wrong.append(str(e))
    finally:
        run.end()
    try:
        found = checker.findings(brokers.direct, expected)
    finally:
        brokers.end()
    went_wrong += run.bugs
    steps = any(name.startswith("step") for name in plan)
    if arguments.short and steps and not any(name.startswith("killed at ") for name in run.counts):
        went_wrong.append("no process was killed at a step")
    if run.plan:
        went_wrong.append(f"{len(run.plan)} of {faults} faults did not fall inside the run")
    for job in run.jobs:
        if job.done:
            found += different(job, reference)
    return run, went_wrong, found


def main():
    p = argparse.ArgumentParser(prog="./dev crash --log kafka", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--faults", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--brokers", type=int, choices=list(WEIGHTS), default=1)
    p.add_argument("--kinds", metavar="KIND,...", help="draw only from these: " + ", ".join(WEIGHTS[3]))
    p.add_argument("--short", action="store_true", help="a few faults of each kind instead of --faults drawn ones")
    p.add_argument("--options", default="", metavar="TEXT",
                   help="more options of the three processes: \"--standbys all --savepoints {work}/savepoints\"; {work} is the "
                        "run's folder")
    p.add_argument("--must-find", action="store_true",
                   help="of a build that is wrong on purpose (KAPPA_BREAK): exit code 0 when the checker has found it")
    p.add_argument("--patience", type=int, metavar="SECONDS", help="how long it may take to come to an end")
    p.add_argument("--work", help="an empty folder, to keep what is written; else it goes, unless something was found")
    p.add_argument("--program", required=True, help=argparse.SUPPRESS)
    p.add_argument("--input", required=True, help=argparse.SUPPRESS)
    arguments = p.parse_args()
    weights = WEIGHTS[arguments.brokers]
    kinds = arguments.kinds.split(",") if arguments.kinds else list(weights)
    for kind in kinds:
        if kind not in weights:
            p.error(f"--kinds: there is no fault \"{kind}\"; there are {', '.join(weights)}")
    folder = arguments.work or tempfile.mkdtemp(prefix="kappa-faults-")
    os.makedirs(folder, exist_ok=True)
    if os.listdir(folder):
        p.error(f"--work {folder}: it is not empty; the states of another run are of another log")
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    expected = checker.Expected(arguments.input)
    reference = undisturbed(arguments, folder)
    dice = random.Random(arguments.seed)
    chosen = {kind: weights[kind] for kind in kinds}
    plan = SHORT[arguments.brokers] if arguments.short else drawn(dice, chosen, arguments.faults)
    run, went_wrong, found = disturb(arguments, dice, plan, folder, expected, reference)
    faults = ", ".join(f"{n} {name}" for name, n in sorted(run.counts.items()))
    of = " on three brokers" if arguments.brokers == 3 else ""
    say(f"seed {arguments.seed}{of}: {faults}; {sum(j.starts for j in run.jobs)} starts, {time.monotonic() - began:.0f} s")
    for line in sorted(run.refusals):
        say("  started again after: " + line)
    for line in went_wrong + found[:SHOWN]:
        say("  " + line)
    say(f"  {len(found)} findings" if found else
        f"  0 lost, 0 doubled: {len(expected.hours)} hours, {len(expected.alerts)} alerts, {expected.bad} dead letters")
    good = bool(found) if arguments.must_find else not found and not went_wrong
    if not good:
        say(f"  what was written: {folder}")
    elif not arguments.work:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
