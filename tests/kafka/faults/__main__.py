"""The flights job on Kafka as three processes, under faults; nothing may be lost or doubled.

Faults are drawn by the seed: kill -9 at any moment and at steps of commit, snapshot and recovery; SIGSTOP past the session
time-out and SIGCONT; SIGTERM; the broker killed and started again; the network between the processes and the broker cut for
a while, or its connections dropped.
"""

import argparse
import filecmp
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import checker
from brokers import Brokers
from job import Job

ROWS = 508_239
PROCESSES = 3
SECONDS_A_FAULT = 1.6  # about: the rate is chosen so that all of them fall inside the run
SESSION_SECONDS = 6
STEPS = ["kafka.before_offsets", "kafka.before_commit", "t1.before_commit", "t1.after_commit", "epoch.close", "t2.freeze",
         "t2.before_commit", "t2.after_commit", "recover.plan", "recover.replay", "recover.live"]


def say(text):
    print(text, flush=True)


class Run:
    def __init__(self, arguments, brokers, folder):
        self.dice = random.Random(arguments.seed)
        self.brokers = brokers
        self.left = arguments.faults
        rate = max(2_000, int(ROWS / (arguments.faults * SECONDS_A_FAULT + 5)))
        self.jobs = [Job(n, arguments.program, brokers.cuttable, folder, rate) for n in range(1, PROCESSES + 1)]
        self.due = []  # (when, what to do): the second half of a fault
        self.counts = {}
        self.diary = open(os.path.join(folder, "diary"), "w", buffering=1, encoding="utf-8")

    def note(self, what):
        now = time.time()
        self.diary.write(f"{time.strftime('%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03} {what}\n")

    def later(self, seconds, action):
        self.due.append((time.monotonic() + seconds, action))

    def count(self, fault):
        self.counts[fault] = self.counts.get(fault, 0) + 1

    def absence(self):
        """Mostly short: it finds its tasks again. Sometimes others have them by then."""
        return self.dice.choice([0.1, 0.5, 1, SESSION_SECONDS + 2])

    def restart(self, job):
        step = f"{self.dice.choice(STEPS)}:{self.dice.randint(1, 30)}" if self.dice.random() < 0.3 and self.left else None
        self.note(f"start {job.number} {step or ''}")
        job.start(step)

    def kill(self, job):
        job.kill()
        self.later(self.absence(), lambda: self.restart(job))

    def freeze(self, job):
        job.signal(signal.SIGSTOP)
        self.later(SESSION_SECONDS + self.dice.uniform(1, 4), lambda: self.thaw(job))

    def thaw(self, job):
        self.note(f"thaw {job.number}")
        job.signal(signal.SIGCONT)

    def terminate(self, job):
        job.signal(signal.SIGTERM)

    def broker(self, _):
        self.brokers.tell("kill 1")
        self.later(self.dice.uniform(0.2, 2), lambda: self.broker_again("start 1"))

    def broker_again(self, command):
        self.note(command)
        self.brokers.tell(command)

    def cut(self, _):
        self.brokers.tell("cut 1")
        self.later(self.dice.uniform(0.5, SESSION_SECONDS + 3), lambda: self.broker_again("heal 1"))

    def drop(self, _):
        self.brokers.tell("drop 1")

    def fault(self):
        name = self.dice.choices(["kill", "freeze", "terminate", "broker", "cut", "drop"], [10, 2, 3, 1, 1, 1])[0]
        job = self.dice.choice(self.jobs)
        if name in ("kill", "freeze", "terminate") and not job.runs():
            return
        if name in ("broker", "cut") and self.due:
            return  # one wound of the broker at a time, and not among others' second halves
        self.count(name)
        self.note(f"{name} {job.number if name in ('kill', 'freeze', 'terminate') else ''}")
        self.left -= 1
        getattr(self, name)(job)

    def tick(self):
        """Second halves that are due; processes that have ended and were not done start again."""
        now = time.monotonic()
        for entry in [d for d in self.due if d[0] <= now]:
            self.due.remove(entry)
            entry[1]()
        for job in self.jobs:
            if job.done or job.runs() or job.starts == 0:
                continue
            if job.process.returncode == 0 and self.finished(job):
                job.done = True
            elif not self.due:
                if job.process.returncode > 0:
                    self.count("ended by itself")
                    self.note(f"{job.number} ended with {job.process.returncode}")
                self.restart(job)

    @staticmethod
    def finished(job):
        return os.path.exists(os.path.join(job.out, "hourly-delays.csv"))

    def go(self, patience):
        for job in self.jobs:
            job.start()
        until = time.monotonic() + patience
        next_fault = time.monotonic() + 2
        while not all(job.done for job in self.jobs):
            if time.monotonic() > until:
                raise RuntimeError("it does not come to an end")
            if self.left > 0 and time.monotonic() >= next_fault and not any(job.done for job in self.jobs):
                self.fault()
                next_fault = time.monotonic() + self.dice.uniform(0.2, 2)
            self.tick()
            time.sleep(0.02)

    def end(self):
        for job in self.jobs:
            job.signal(signal.SIGCONT)
            job.kill()


def undisturbed(arguments, folder):
    out = os.path.join(folder, "undisturbed")
    subprocess.run([arguments.program, "--log", f"lmdb:{folder}/log", "--state", f"{folder}/embedded", "--out", out, "--quiet"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out


def different(job, reference):
    return [f"process {job.number}: {name} differs from the undisturbed embedded run's"
            for name in ("hourly-delays.csv", "delay-alerts.csv")
            if not filecmp.cmp(os.path.join(job.out, name), os.path.join(reference, name), shallow=False)]


def main():
    p = argparse.ArgumentParser(prog="./dev crash --log kafka", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--faults", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--must-find", action="store_true", help="of a build that is wrong on purpose (KAPPA_BREAK)")
    p.add_argument("--work", help="keep what was written here; else it goes, unless something was found")
    p.add_argument("--program", required=True, help=argparse.SUPPRESS)
    p.add_argument("--input", required=True, help=argparse.SUPPRESS)
    arguments = p.parse_args()
    folder = arguments.work or tempfile.mkdtemp(prefix="kappa-faults-")
    os.makedirs(folder, exist_ok=True)
    began = time.monotonic()
    breaking = os.environ.pop("KAPPA_BREAK", None)
    reference = undisturbed(arguments, folder)
    if breaking:
        os.environ["KAPPA_BREAK"] = breaking
    with open(os.path.join(reference, "delay-alerts.csv"), encoding="utf-8") as alerts:
        reference_alerts = sum(1 for _ in alerts) - 1
    expected = checker.hours_of(arguments.input)
    brokers = Brokers()
    run = Run(arguments, brokers, folder)
    try:
        run.go(60 + arguments.faults * SECONDS_A_FAULT * 6)
        wrong = checker.findings(brokers.direct, expected, reference_alerts)
    except RuntimeError as e:
        say(f"seed {arguments.seed}: {e}; what was written: {folder}")
        return 2  # nothing was found out
    finally:
        run.end()
        brokers.end()
    for job in run.jobs:
        if job.done:
            wrong += different(job, reference)
    faults = ", ".join(f"{n} {name}" for name, n in sorted(run.counts.items()))
    say(f"seed {arguments.seed}: {faults}; {sum(j.starts for j in run.jobs)} starts, {time.monotonic() - began:.0f} s")
    for line in wrong[:20]:
        say("  " + line)
    say(f"  {len(wrong)} findings" if wrong else f"  0 lost, 0 doubled: {len(expected)} hours, {reference_alerts} alerts")
    if wrong and not arguments.must_find:
        say(f"  what was written: {folder}")
    elif not arguments.work:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.must_find:
        return 0 if wrong else 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
