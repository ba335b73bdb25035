#!/usr/bin/env python3
"""Each row of a table with a column "tests" in docs/reliability.md names a test, `area: suite/case`, and each test that
the document names is one.
"""

import re

import tree

DOCUMENT = "docs/reliability.md"
# Sections whose every rule must have its test: each has a table with that column.
SECTIONS = ("The recovery table", "Epochs", "Snapshot", "One step")
TEST = re.compile(r"`(\w+): (\w+/\w+)`")
EXAMPLE = "area"  # stands for any, where the document says how it names them
ENTRY = re.compile(r"BOOST_(?:AUTO|FIXTURE)_TEST_(SUITE|CASE)\(\s*(\w+)")


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def cases_of(area):
    """"suite/case" of each Boost.Test case in its folder."""
    cases = set()
    for source in area.glob("*.cpp"):
        suite = ""
        for kind, name in ENTRY.findall(source.read_text(encoding="utf-8")):
            if kind == "SUITE":
                suite = name
            else:
                cases.add(f"{suite}/{name}")
    return cases


def unknown_tests(root, lines):
    cases = {}
    for number, line in enumerate(lines, 1):
        for area, name in TEST.findall(line):
            if area not in cases:
                cases[area] = cases_of(root / "tests" / area)
            if area != EXAMPLE and name not in cases[area]:
                yield f"{DOCUMENT}:{number}: no such test: `{area}: {name}`"


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
    return findings + list(unknown_tests(root, lines))


if __name__ == "__main__":
    tree.main(__doc__, check)
