"""Processes of an app under faults, to the end of their work."""

import glob
import os
import signal
import time

PROCESSES = 3
SESSION_SECONDS = 6
COULD_NOT_START = 3  # exit code
LAST_TOPIC = ".schemas"  # that an app makes at its first start
# Mostly short: it finds its tasks again. Sometimes others have them by then.
RESTS = (0.1, 0.5, 1, SESSION_SECONDS + 2)
AMONG_OTHERS = 0.25
BY_BROKERS = (": unavailable: ", ": timed out: ", ": outcome unknown: ")  # why not, while they are away, full or cut off
# Steps at which a process kills itself: around T1 and inside it, around T2, in recovery. How often they are passed tells how
# late the kill may come.
STEPS = {"kafka.before_offsets": 30, "kafka.before_commit": 30, "kafka.after_commit": 30,
         "t1.before_commit": 30, "t1.after_commit": 30, "epoch.close": 30,
         "t2.freeze": 5, "t2.before_commit": 5, "t2.after_commit": 5, "recover.plan": 2, "recover.replay": 2, "recover.live": 2}
OF_PROCESSES = ("kill", "step", "freeze", "terminate")
# What there is to draw from, how often, by the number of brokers. Of three, the fault is of one.
WEIGHTS = {
    1: {"kill": 7, "step": 7, "freeze": 2, "terminate": 3, "broker": 1, "absence": 1, "cut": 1, "drop": 1, "full": 1},
    3: {"kill": 5, "step": 6, "freeze": 2, "terminate": 2, "broker": 1, "group-coordinator": 2, "transaction-coordinator": 2,
        "absence": 1, "cut": 2, "drop": 1, "disk": 1, "full": 1},
}
# Some of them, in little time: "step" with its failpoint.
SHORT = {
    1: ["kill", "step kafka.before_commit:2", "step kafka.before_offsets:2", "step t1.after_commit:2",
        "step t2.before_commit:1", "freeze", "terminate", "step recover.live:1", "drop"],
    3: ["group-coordinator", "kill", "transaction-coordinator", "terminate", "cut", "disk"],
}
# About, to choose a rate by which all of them fall inside the run. A broker takes longer to come back than a process.
SECONDS_A_FAULT = {1: 2.4, 3: 5}


def drawn(dice, weights, faults):
    """A plan of so many faults."""
    names = dice.choices(list(weights), list(weights.values()), k=faults)
    return [f"step {_step(dice)}" if name == "step" else name for name in names]


def _step(dice):
    name = dice.choice(list(STEPS))
    return f"{name}:{dice.randint(1, STEPS[name])}"


class Stuck(RuntimeError):
    """The job did not come to an end."""


class Run:
    def __init__(self, dice, plan, job, brokers, folder, app="flights", processes=PROCESSES, pauses=(0.2, 3), rests=RESTS):
        """`plan`: faults by name, in their order. `job`: makes the one of a number. `pauses`: between faults; `rests`: one
        of them before a process that was killed starts again; in seconds."""
        self.dice = dice
        self.brokers = brokers
        self.folder = folder
        self.app = app
        self.pauses = pauses
        self.rests = rests
        self.plan = list(plan)
        self.jobs = [job(n) for n in range(1, processes + 1)]
        self.beyond_session = (1, 4)  # seconds that a freeze is longer
        self.one_frozen = False  # at a time
        self.due = []  # (when, what to do): the second half of a fault
        self.wounded = False  # the brokers
        self.among = False  # the next fault of the brokers may fall among second halves of others
        self.counts = {}
        self.bugs = []  # ends that nobody asked for
        self.refusals = set()  # of starts, while the brokers are away, full or cut off
        self.diary = open(os.path.join(folder, "diary"), "w", buffering=1, encoding="utf-8")

    def note(self, what):
        now = time.time()
        self.diary.write(f"{time.strftime('%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03} {what}\n")

    def later(self, seconds, what, action):
        def act():
            self.note(what)
            action()
        self.due.append((time.monotonic() + seconds, act))

    def count(self, fault):
        self.counts[fault] = self.counts.get(fault, 0) + 1

    def rest(self):
        return self.dice.choice(self.rests)

    # ── the faults ──

    def kill(self, job, step=None):
        job.kill()
        self.start_later(self.rest(), job, step)

    def start_later(self, seconds, job, step=None):
        def start():
            job.resting = False
            job.start(step)
        job.resting = True
        self.later(seconds, f"start {job.number} {step or ''}", start)

    def freeze(self, job):
        job.signal(signal.SIGSTOP)
        job.frozen = True
        self.later(SESSION_SECONDS + self.dice.uniform(*self.beyond_session), f"thaw {job.number}", lambda: self.thaw(job))

    def thaw(self, job):
        job.signal(signal.SIGCONT)
        job.frozen = False

    def terminate(self, job):
        job.signal(signal.SIGTERM)

    # Those of the brokers give False when they cannot be at the moment.

    def broker(self):
        return self.outage(self.any_broker())

    def group_coordinator(self):
        """Of one of the app's groups."""
        groups = self.brokers.groups()
        return bool(groups) and self.outage(self.brokers.coordinator_of_group(self.dice.choice(groups)))

    def transaction_coordinator(self):
        """Of one of the processes."""
        files = sorted(glob.glob(os.path.join(self.folder, "state", "*", "instance")))
        if not files:
            return False
        with open(self.dice.choice(files), encoding="utf-8") as file:
            return self.outage(self.brokers.coordinator_of_transactions(f"{self.app}.{file.read().strip()}.0"))

    def any_broker(self):
        return self.dice.choice(self.brokers.numbers)

    def outage(self, broker):
        """Of the only one a short one. The others take over what one of three leads once its session is over."""
        if broker is None:
            return False
        alone = len(self.brokers.numbers) == 1
        seconds = self.dice.uniform(0.2, 2) if alone else self.dice.choice([0.5, SESSION_SECONDS + 4])
        self.brokers.tell(f"kill {broker}")
        self.broker_later(seconds, "start", broker)
        return True

    def broker_later(self, seconds, command, broker):
        self.mend_later(seconds, f"{command} broker {broker}", lambda: self.brokers.tell(f"{command} {broker}"))

    def mend_later(self, seconds, what, action):
        def mend():
            action()
            self.wounded = False
        self.wounded = True
        self.later(seconds, what, mend)

    def absence(self):
        """For longer than a session. With the only broker gone all lose their tasks; one of three comes back as the leader
        that it no longer is, as one does that was cut off from all."""
        broker = self.any_broker()
        self.brokers.tell(f"pause {broker}")
        self.broker_later(SESSION_SECONDS + self.dice.uniform(1, 4), "resume", broker)
        return True

    def cut(self):
        """The processes do not reach it; the other brokers do."""
        broker = self.any_broker()
        self.brokers.tell(f"cut {broker}")
        self.broker_later(self.dice.uniform(0.5, SESSION_SECONDS + 3), "heal", broker)
        return True

    def drop(self):
        self.brokers.tell("drop " + " ".join(map(str, self.brokers.numbers)))
        return True

    def disk(self):
        """Lost, with all that a broker has, while the others have it all."""
        broker = self.any_broker()
        self.brokers.tell("wait")
        self.brokers.tell(f"wipe {broker}")
        self.broker_later(1, "start", broker)
        return True

    def full(self):
        """The disk, until somebody comes and makes room."""
        broker = self.any_broker()
        self.brokers.tell(f"fill {broker}")
        self.mend_later(SESSION_SECONDS, f"room for broker {broker}", lambda: self.restart(broker))
        return True

    def restart(self, broker):
        self.brokers.tell(f"kill {broker}")
        self.brokers.tell(f"start {broker}")

    def fault(self):
        """The next one of the plan, if this is a moment for it."""
        name, _, step = self.plan[0].partition(" ")
        if name in OF_PROCESSES:
            up = [j for j in self.jobs if j.runs() and not j.frozen and (name != "terminate" or j.listens())]
            if not up or name == "freeze" and self.one_frozen and any(j.frozen for j in self.jobs):
                return
            job = self.dice.choice(up)
            self.note(f"{self.plan[0]} {job.number}")
            if name == "step":
                self.kill(job, step)  # counted as a kill here, as a step when it kills
                self.count("kill")
            else:
                self.count(name)
                getattr(self, name)(job)
        elif name != "drop" and (self.wounded or self.due and not self.among):
            return  # one wound of the brokers at a time; else nothing would ever be done in between
        else:
            self.note(name)
            if not getattr(self, name.replace("-", "_"))():
                return
            self.count(name)
        self.plan.pop(0)
        self.among = self.dice.random() < AMONG_OTHERS

    # ── the run ──

    def tick(self):
        """Second halves that are due; processes that have ended and were not done start again."""
        now = time.monotonic()
        for entry in [d for d in self.due if d[0] <= now]:
            self.due.remove(entry)
            entry[1]()
        for job in self.jobs:
            if job.done or job.process is None or job.runs() or job.resting:
                continue
            if job.finished():
                job.done = True
                self.note(f"{job.number} done")
                continue
            at, status = job.killed_at(), job.process.returncode
            if at:
                self.count(f"killed at {at}")
            elif status < 0:
                self.bugs.append(f"process {job.number} was ended by signal {-status} (see log-{job.number})")
            elif status == COULD_NOT_START:
                self.count(f"exit code {status}")
                self.refusals.add(job.last_words())
                if not any(reason in job.last_words() for reason in BY_BROKERS):
                    self.bugs.append(f"process {job.number} was refused, and not for the brokers: {job.last_words()}")
            elif status > 0:
                self.bugs.append(f"process {job.number} ended by itself with {status}: {job.last_words()}")
            self.note(f"{job.number} ended with {status} {at or ''}")
            self.start_later(self.rest() if at else 0.5, job)

    def all_done(self):
        return all(job.done for job in self.jobs)

    def go(self, patience, over=None):
        """Until `over()`, or all processes have done their work."""
        over = over or self.all_done
        for job in self.jobs:
            job.start()
        until = time.monotonic() + patience
        next_fault = None  # not before the app has made its topics, which takes three brokers a while
        while not over():
            if time.monotonic() > until:
                raise Stuck(f"it did not come to an end in {patience:.0f} s")
            if next_fault is None and self.began():
                next_fault = time.monotonic() + 2
            if self.plan and next_fault and time.monotonic() >= next_fault and not any(job.done for job in self.jobs):
                self.fault()
                next_fault = time.monotonic() + self.dice.uniform(*self.pauses)
            self.tick()
            time.sleep(0.02)

    def began(self):
        """Whether the app has made its topics."""
        return self.app + LAST_TOPIC in self.brokers.topics()

    def end(self):
        for job in self.jobs:
            job.signal(signal.SIGCONT)
            job.kill()
        self.diary.close()
