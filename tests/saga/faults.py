"""The bank under kills: no money may be made or lost, whatever dies when.

On the embedded log one process, on Kafka three, are killed at any moment and at steps of commit, snapshot and recovery, and
told to stop; on Kafka they are also stopped past their session, and the broker is killed, cut off and full. Meanwhile one more
process asks for random transfers, and asks again what was not answered, and some that were, by the same id. In the end it
audits the bank by its events alone (examples/bank/audit.hpp). Exit code 0: the books are right, and all answers were.
"""

import os
import random
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kafka", "faults"))

from run import Stuck  # noqa: E402
from services import Service, brokers_for, exit_code, parser, plan_of, stop, work_folder  # noqa: E402


def main():
    p = parser(__doc__, 200)
    p.add_argument("--transfers", type=int, default=1_000_000)
    p.add_argument("--accounts", type=int, default=10_000)
    p.add_argument("--in-flight", type=int, default=1024)
    p.add_argument("--bank", required=True, help="the program")
    p.add_argument("--load", required=True, help="the program bank-load")
    a = p.parse_args()
    folder = work_folder(p, a.work, "kappa-bank-")
    began = time.monotonic()
    dice = random.Random(a.seed)
    brokers = brokers_for(a.log)
    url = brokers.url(folder)
    run = Service(a.log, dice, plan_of(dice, a.log, a.kills), brokers, folder, "bank",
                  lambda n: [a.bank, "--state", os.path.join(folder, "state"), "--snapshot-interval", "500ms", "--quiet",
                             "--log", url, *brokers.session("--session-timeout", "s")])
    went_wrong = []
    said = os.path.join(folder, "load")
    with open(said, "wb") as out:
        load = subprocess.Popen([a.load, "--log", url, "--transfers", str(a.transfers), "--accounts", str(a.accounts),
                                 "--in-flight", str(a.in_flight), "--seed", str(a.seed), "--patience", "10" if a.must_find else "120"],
                                stdout=out, stderr=out)
    try:
        run.go(a.patience, lambda: load.poll() is not None)
        went_wrong += stop(run)
    except Stuck as e:
        went_wrong.append(str(e))
    finally:
        load.kill()
        run.end()
        brokers.end()
    went_wrong += run.bugs
    with open(said, encoding="utf-8") as lines:
        answers = [line.rstrip() for line in lines if not line.rstrip().endswith(f" of {a.transfers}")]
    found = load.wait() == 1 and any(line.endswith(" findings") for line in answers)
    if load.returncode != 0:
        went_wrong.append(f"bank-load ended with {load.returncode}")
    if run.plan:
        went_wrong.append(f"{len(run.plan)} faults did not fall inside the run: ask for more transfers")
    faults = ", ".join(f"{n} {name}" for name, n in sorted(run.counts.items()))
    print(f"seed {a.seed} on {a.log}: {faults}; {sum(j.starts for j in run.jobs)} starts, {time.monotonic() - began:.0f} s")
    for line in answers:
        print("  " + line)
    for line in went_wrong:
        print("  WRONG: " + line)
    good = found if a.must_find else not went_wrong
    return exit_code(good, folder, a.work)


if __name__ == "__main__":
    sys.exit(main())
