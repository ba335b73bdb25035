"""Services under faults: on the embedded log one process, on Kafka three, which work until they are told to stop."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from brokers import Brokers
from job import Process
from run import PROCESSES, RESTS, SESSION_SECONDS, STEPS, Run, drawn

# Beside the kills, for 100 of them.
OTHERS = {"lmdb": {"terminate": 10}, "kafka": {"terminate": 6, "freeze": 6, "broker": 2, "cut": 2, "drop": 2, "full": 1}}
RESTS_EMBEDDED = (0.02, 0.1, 0.3)
PAUSES = {"lmdb": (0.05, 0.5), "kafka": (0.2, 3)}
END_SECONDS = 30


class NoBrokers:
    """Of the embedded log."""

    numbers = ()

    def url(self, folder):
        return f"lmdb:{folder}/log"

    def session(self, _name, _unit):
        return []

    def end(self):
        pass


class KafkaBrokers(Brokers):
    def url(self, _folder):
        return f"kafka://{self.cuttable}"

    def session(self, name, unit):
        """The option of a program."""
        return [name, f"{SESSION_SECONDS}{unit}"]


def brokers_for(kind):
    return KafkaBrokers() if kind == "kafka" else NoBrokers()


def parser(about, kills):
    """Of what all such runs are told."""
    p = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--log", choices=list(OTHERS), default="lmdb")
    p.add_argument("--kills", type=int, default=kills)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--patience", type=int, default=3600, metavar="SECONDS", help="how long it may take")
    p.add_argument("--must-find", action="store_true",
                   help="of a build that is wrong on purpose (KAPPA_BREAK): exit code 0 when something was found")
    p.add_argument("--work", help="an empty folder, to keep what is written; else it goes, unless something was found")
    return p


def work_folder(p, work, prefix):
    """Empty; and from here on a SIGTERM leaves nothing running."""
    folder = work or tempfile.mkdtemp(prefix=prefix)
    os.makedirs(folder, exist_ok=True)
    if os.listdir(folder):
        p.error(f"--work {folder}: it is not empty")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    return folder


def exit_code(good, folder, work):
    if not good:
        print(f"  what was written: {folder}")
    elif not work:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


def plan_of(dice, kind, kills, others=None):
    """So many kills, half of them at steps, and the other faults among them."""
    plan = drawn(dice, {"kill": 1, "step": 1}, kills)
    if kind == "lmdb":  # steps of Kafka's transactions are never reached
        own = [name for name in STEPS if not name.startswith("kafka.")]
        plan = [f"step {(n := dice.choice(own))}:{dice.randint(1, STEPS[n])}" if p.startswith("step") else p for p in plan]
    for name, number in (others or OTHERS)[kind].items():
        plan += [name] * round(number * kills / 100)
    dice.shuffle(plan)
    return plan


class Service(Run):
    def __init__(self, kind, dice, plan, brokers, folder, app, words):
        """`words`: of the process of a number."""
        super().__init__(dice, plan, lambda n: Process(n, folder, words(n)), brokers, folder, app,
                         PROCESSES if kind == "kafka" else 1, PAUSES[kind], RESTS if kind == "kafka" else RESTS_EMBEDDED)
        self.kind = kind

    def began(self):
        return super().began() if self.kind == "kafka" else os.path.exists(os.path.join(self.folder, "log"))


def stop(run):
    """All at once, in order. Gives what went wrong."""
    problems = []
    for job in run.jobs:
        job.signal(signal.SIGCONT)
        job.signal(signal.SIGTERM)
    for job in run.jobs:
        if not job.runs() and job.process.returncode != 0:
            continue  # it was killed last, and has not started again
        try:
            if job.process.wait(END_SECONDS) != 0:
                problems.append(f"process {job.number} stopped with {job.process.returncode}: {job.last_words()}")
        except subprocess.TimeoutExpired:
            problems.append(f"process {job.number} did not stop within {END_SECONDS} s")
    return problems
