"""Histories of clients under kills: what they were told must be linearizable.

On the embedded log one process, on Kafka three, are killed at any moment and at steps of commit, snapshot and recovery, and
told to stop; on Kafka they are also stopped past their session, and the broker is killed, cut off and full. In each process
clients command and query accounts (clients.cpp). When all faults are over, history.py judges what they were told. Exit code 0:
it can have been.
"""

import glob
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(os.path.dirname(HERE), "kafka", "faults")]

import history  # noqa: E402
from run import Stuck  # noqa: E402
from services import Service, brokers_for, exit_code, parser, plan_of, stop, work_folder  # noqa: E402

# Most often what a process does not notice: that others have its tasks. For 100 kills.
OTHERS = {"lmdb": {"terminate": 10}, "kafka": {"terminate": 6, "freeze": 50, "broker": 4, "cut": 4, "drop": 4, "full": 1}}
BEYOND_SESSION = (4, 8)  # so that others have its tasks for a while, and then it wakes up
AFTERWARDS_SECONDS = 5
SHOWN = 10


def main():
    p = parser(__doc__, 100)
    p.add_argument("--freezes-only", action="store_true", help="on Kafka: so many freezes, and nothing else")
    p.add_argument("--clients", type=int, default=3, help="of each process")
    p.add_argument("--program", required=True, help="kappa_linear")
    a = p.parse_args()
    folder = work_folder(p, a.work, "kappa-linear-")
    began = time.monotonic()
    dice = random.Random(a.seed)
    plan = ["freeze"] * a.kills if a.freezes_only else plan_of(dice, a.log, a.kills, OTHERS)
    brokers = brokers_for(a.log)
    url = brokers.url(folder)
    run = Service(a.log, dice, plan, brokers, folder, "linear",
                  lambda n: [a.program, "--log", url, "--state", os.path.join(folder, "state"), "--history",
                             os.path.join(folder, f"history-{n}"), "--clients", str(a.clients), "--seed", str(a.seed * 100 + n),
                             *brokers.session("--session-seconds", "")])
    run.beyond_session = BEYOND_SESSION
    run.one_frozen = True  # or nobody takes its tasks
    went_wrong = []
    quiet_since = []

    def over():
        if run.plan or run.due or run.wounded:
            return False
        quiet_since.append(time.monotonic())
        return quiet_since[-1] - quiet_since[0] > AFTERWARDS_SECONDS

    try:
        run.go(a.patience, over)
        went_wrong += stop(run)
    except Stuck as e:
        went_wrong.append(str(e))
    finally:
        run.end()
        brokers.end()
    went_wrong += run.bugs
    disturbed = time.monotonic() - began
    counts, found = history.judge(glob.glob(os.path.join(folder, "history-*")))
    for kind in history.KINDS:
        if counts[kind] == 0:
            went_wrong.append(f"the history holds no {kind}")
    faults = ", ".join(f"{n} {name}" for name, n in sorted(run.counts.items()))
    print(f"seed {a.seed} on {a.log}: {faults}; {sum(j.starts for j in run.jobs)} starts, {disturbed:.0f} s, judged in "
          f"{time.monotonic() - began - disturbed:.0f} s")
    print("  " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    for line in found[:SHOWN]:
        print("  FOUND: " + line)
    for line in went_wrong:
        print("  WRONG: " + line)
    good = bool(found) if a.must_find else not found and not went_wrong
    return exit_code(good, folder, a.work)


if __name__ == "__main__":
    sys.exit(main())
