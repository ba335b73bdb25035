#!/usr/bin/env python3
"""Each row of a table with a column "tests" in docs/reliability.md names a test: `area: suite/case`.

That a test of that name exists is for tests/engine/reliability_doc_test.cpp to say.
"""

import re

import tree

DOCUMENT = "docs/reliability.md"
# Sections whose every rule must have its test: each has a table with that column.
SECTIONS = ("The recovery table", "Epochs", "Snapshot", "One step")
TEST = re.compile(r"`\w+: \w+/\w+`")


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def check(root):
    if not (root / DOCUMENT).exists():
        return []
    findings, section, column, with_tests = [], "", None, set()
    lines = (root / DOCUMENT).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if line.startswith("## "):
            section = line[3:].strip()
        if not line.startswith("|"):
            column = None
            continue
        if number == 1 or not lines[number - 2].startswith("|"):
            names = cells(line)
            column = names.index("tests") if "tests" in names else None
        elif column is not None and not re.fullmatch(r"[|:\s-]+", line):
            row = cells(line)
            if len(row) <= column or not TEST.search(row[column]):
                findings.append(f"{DOCUMENT}:{number}: a row without a test: {row[0]}")
            else:
                with_tests.add(section)
    findings += [f"{DOCUMENT}: no table of tests under \"{s}\"" for s in SECTIONS if s not in with_tests]
    return findings


if __name__ == "__main__":
    tree.main(__doc__, check)
