"""The bank under kills: no money may be made or lost, whatever dies when.

On the embedded log one process, on Kafka three, are killed at any moment and at steps of commit, snapshot and recovery, and
told to stop; on Kafka they are also stopped past their session, and the broker is killed, cut off and full. Meanwhile one more
process asks for random transfers, and asks again what was not answered, and some that were, by the same id. In the end it
audits the bank by its events alone (examples/bank/audit.hpp). Then the statements of some accounts, which a stream has made
of their events through all of this, are compared with the accounts. Exit code 0: the books are right, and all answers were.
"""

import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kafka", "faults"))

from run import Stuck  # noqa: E402
from services import Service, brokers_for, exit_code, parser, plan_of, stop, work_folder  # noqa: E402


STATEMENTS = 100
READY_SECONDS = 120


def answer(port, path, until):
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as said:
                return json.load(said)
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or time.monotonic() > until:
                return json.load(refused)
        time.sleep(0.1)  # the task is on its way here, or replays


def statements(command, accounts):
    """Those that say something else than the account."""
    problems = []
    with subprocess.Popen([*command, "--http", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True) as bank:
        port = next((int(line.split()[-1]) for line in bank.stderr if line.startswith("serving http on port ")), None)
        if port is None:
            return [f"the bank did not start again: {bank.wait()}"]
        until = time.monotonic() + READY_SECONDS
        for name in accounts:
            account = answer(port, f"/aggregates/accounts/{name}", until)
            statement = answer(port, f"/state/statements/{name}?after=accounts/{name}", until)
            try:
                told = int(statement["value"]["movements"]), statement["value"]["balanceCents"]
                if told != (account["version"], account["state"]["balanceCents"]):
                    problems.append(f"the statement of {name} says {told}, the account is {account}")
            except (KeyError, TypeError):
                problems.append(f"{name}: {account}, {statement}")
        bank.terminate()
        bank.stderr.read()
    return problems


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
    command = [a.bank, "--state", os.path.join(folder, "state"), "--snapshot-interval", "500ms", "--quiet", "--log", url,
               *brokers.session("--session-timeout", "s")]
    run = Service(a.log, dice, plan_of(dice, a.log, a.kills), brokers, folder, "bank", lambda n: command)
    went_wrong = []
    said = os.path.join(folder, "load")
    with open(said, "wb") as out:
        load = subprocess.Popen([a.load, "--log", url, "--transfers", str(a.transfers), "--accounts", str(a.accounts),
                                 "--in-flight", str(a.in_flight), "--seed", str(a.seed), "--patience", "10" if a.must_find else "120"],
                                stdout=out, stderr=out)
    try:
        run.go(a.patience, lambda: load.poll() is not None)
        went_wrong += stop(run)
        if not went_wrong and not a.must_find:
            some = random.Random(a.seed).sample(range(a.accounts), min(STATEMENTS, a.accounts))
            went_wrong += statements(command, [f"acc-{n}" for n in some])
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
    if not went_wrong and not a.must_find:
        print(f"  {min(STATEMENTS, a.accounts)} statements say what their accounts are")
    for line in went_wrong:
        print("  WRONG: " + line)
    good = found if a.must_find else not went_wrong
    return exit_code(good, folder, a.work)


if __name__ == "__main__":
    sys.exit(main())
