#!/usr/bin/env python3
"""Files hold nothing of one machine, are short enough to be read, and link to what is there."""

import posixpath
import re

import tree

MACHINE = re.compile(r"(?:^|[^A-Za-z0-9_.~])(/(?:work|farm|root|tmp|home)/)")
# A mirror or registry is the machine's to choose, so none is written down.
REGISTRY = re.compile(r"(?:debian|maven|npmjs|pypi|crates|golang)[a-z.]*\.(?:org|io|com)\b")
LEFT_OPEN = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
SLEEP = re.compile(r"\b(?:sleep_(?:for|until)|(?:u|nano)sleep)\b")  # what this check refuses
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = (".hpp", ".cpp", ".capnp", ".py", ".sh", ".cmake", "CMakeLists.txt", "dev")
MOST_LINES = 600
MOST_BYTES = 4 << 20


def links(root, name, text):
    prose = re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in LINK.findall(prose):
        path = target.split("#")[0]
        if path and not re.match(r"[a-z]+:", path):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if not (root / place).exists():
                yield f"{name}: links to {target}, and there is no {place}"


def check(root):
    findings = []
    for name in tree.files(root):
        data = (root / name).read_bytes()
        if len(data) > MOST_BYTES:
            findings.append(f"{name}: {len(data)} bytes, more than {MOST_BYTES}")
        if b"\0" in data[:8000]:
            continue
        text = data.decode("utf-8", errors="replace")
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            where = f"{name}:{number}"
            if found := MACHINE.search(line):
                findings.append(f"{where}: a path of one machine ({found[1]}…)")
            if found := REGISTRY.search(line):
                findings.append(f"{where}: the host of a mirror or registry ({found[0]})")
            if name.endswith((".hpp", ".cpp", ".capnp")) and (found := LEFT_OPEN.search(line)):
                findings.append(f"{where}: left open ({found[0]})")
            if name.startswith("tests/") and name.endswith((".hpp", ".cpp")) and SLEEP.search(line):
                findings.append(f"{where}: a test that sleeps: wait for a condition")
        if name.endswith(CODE) and len(lines) > MOST_LINES:
            findings.append(f"{name}: {len(lines)} lines, more than {MOST_LINES}: one concept a file")
        if name.endswith(".md"):
            findings += links(root, name, text)
    return findings


if __name__ == "__main__":
    tree.main(__doc__, check)
