#!/usr/bin/env python3
"""Runs one of the examples in an empty folder and compares what it says.

    examples_test.py EXAMPLE PROGRAM
"""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def run(program, *arguments, folder):
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"{program} {arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(got, wanted):
    if got != wanted:
        sys.exit(f"got\n{got}\nexpected\n{wanted}")


def first_program(program, folder):
    shutil.copy(EXAMPLES / "01-first-program/orders.csv", folder)
    run(program, folder=folder)
    run(program, folder=folder)  # again: nothing is counted twice
    served = subprocess.Popen([program, "--keep-running", "--quiet", "--http", "127.0.0.1:0"], cwd=folder,
                              stderr=subprocess.PIPE, text=True)
    try:
        port = re.search(r"port (\d+)", served.stderr.readline()).group(1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/state/spending/anna", timeout=30) as answer:
            found = json.load(answer)
        expect(found["value"], {"orders": 2, "cents": 5400})
        expect(found["stale"], False)
    finally:
        served.send_signal(signal.SIGTERM)
        expect(served.wait(timeout=60), 0)


def windows(program, folder):
    lines = run(program, "--quiet", "--input", EXAMPLES / "02-windows/readings.csv", folder=folder)
    expect(sorted(lines.splitlines()), [
        "oslo 2024-01-10T08:00:00Z: highest -1 of 3",
        "oslo 2024-01-10T09:00:00Z: highest 1 of 1",
        "rome 2024-01-10T08:00:00Z: highest 9 of 1",
        "rome 2024-01-10T09:00:00Z: highest 11 of 1",
    ])


def embedding(program, folder):
    expect(run(program, "here", "/home", "/about", "/home", folder=folder),
           "/home: 1 views\n/about: 1 views\n/home: 2 views\n")
    expect(run(program, "here", "/home", folder=folder), "/home: 3 views\n")


def own_codec(program, folder):
    got = run(program, "--quiet", "--input", EXAMPLES / "05-own-codec/samples.csv", folder=folder)
    expect(got, "left: 15\nright: 14\n")


def aggregate(program, folder):
    expect(run(program, "here", "anna", "+100", "-30", "-500", folder=folder),
           "+100: done, version 2\n-30: done, version 3\n-500: rejected, insufficient funds\nanna: 70 cents, version 3\n")
    expect(run(program, "here", "anna", "-70", folder=folder), "-70: done, version 4\nanna: 0 cents, version 4\n")
    teller = pathlib.Path(program).with_name("teller")
    with subprocess.Popen([program, "here"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        expect(serving.stdout.readline(), "running\n")
        expect(run(teller, "here", "anna", "+5", "-6", folder=folder),
               "+5: done, version 5\n-6: rejected: insufficient funds\n")
        serving.stdin.close()
        expect(serving.wait(), 0)


def personal_data(program, folder):
    expect(run(program, "here", "ada", "ada@example.org", folder=folder), "ada: ada@example.org\n")
    expect(run(program, "here", "ada", folder=folder), "ada: ada@example.org\n")
    kept = [file for file in (pathlib.Path(folder) / "here").rglob("*") if file.is_file() and b"ada@example.org" in file.read_bytes()]
    expect(kept, [])
    expect(run(program, "here", "ada", "--erase", folder=folder), "ada: (erased)\n")
    expect(run(program, "here", "ada", folder=folder), "ada: (erased)\n")


def projection(program, folder):
    expect(run(program, "here", "ann=tea", "bob=tea", "ann=coffee", "bob=coffee", folder=folder),
           "ann: 1 for tea\nbob: 2 for tea\nann: 1 for coffee\nbob: 2 for coffee\n")
    expect(run(program, "here", "bob=coffee", "eve=tea", folder=folder), "bob: 2 for coffee\neve: 1 for tea\n")


def expiry(program, folder):
    def cart(*arguments):
        return run(program, "here", "ada", *arguments, folder=folder)

    expect(cart("tea"), "ada: added tea, version 1\n")
    expect(cart("--wait"), "ada: no cart\n")
    expect(cart(), "ada: no cart\n")
    expect(cart("coffee"), "ada: added coffee, version 3\n")
    expect(cart("--discard"), "ada: no cart\n")


def silence(program, folder):
    expect(run(program, "here", "anna", "0", "bertha", "20", "anna", "50", "bertha", "109", folder=folder),
           "anna: was heard of\nbertha: was heard of\n")
    expect(run(program, "here", "bertha", "110", "anna", "-", folder=folder), "anna: silent\nbertha: was heard of\n")
    expect(run(program, "here", "anna", "111", folder=folder), "anna: was heard of\n")


def actors(program, folder):
    expect(run(program, "here", "hamlet", "4", "5", "3", folder=folder),
           "4 seats: booked\n5 seats: booked\n3 seats: rejected: 1 left\n")
    expect(run(program, "here", "hamlet", "1", folder=folder), "1 seats: booked\n")


def http(program, folder):
    with subprocess.Popen([program, "here", "127.0.0.1:0"], cwd=folder, stdout=subprocess.PIPE, text=True) as serving:
        teapot = f"http://127.0.0.1:{serving.stdout.readline().split()[1]}/aggregates/articles/teapot"

        def ask(path, body=None, **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is not None:
                headers["Content-Type"] = "application/json"
            request = urllib.request.Request(teapot + path, body and json.dumps(body).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as refused:
                return refused.code, json.load(refused)

        expect(ask("/receive", {"pieces": 3}), (200, {"version": 1, "events": 1}))
        for _ in range(2):
            expect(ask("/ship", {"pieces": 2, "to": "Oslo"}, Idempotency_Key="order-1"),
                   (200, {"version": 2, "events": 1, "reply": {"pieces": 1}}))
        status, problem = ask("/ship", {"pieces": 2, "to": "Rome"})
        expect((status, problem["reason_value"]), (409, {"missing": 1}))
        expect(ask("/ship", {"pieces": 1, "too": "Rome"})[1]["path"], "too")
        expect(ask("/ship", {"pieces": 1}, If_Match='"1"')[0], 412)
        expect(ask("")[1]["state"], {"pieces": 1})
        expect([e["event"] for e in ask("/history")[1]["events"]], [{"pieces": 3}, {"pieces": 2, "to": "Oslo"}])
        serving.terminate()
        expect(serving.wait(), 0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        globals()[sys.argv[1].replace("-", "_")](sys.argv[2], place)
