#!/usr/bin/env python3
"""Code blocks of README.md and docs/ are regions of files that the build compiles.

A block marked cpp, capnp or cmake follows a line that says where it is from:

    <!-- from: examples/flights/app.cpp#pipeline -->

and equals the lines between `// [pipeline]` and `// [/pipeline]` of that file (`# [pipeline]` in capnp and cmake files),
less their common indentation. Without #tag it is the whole file. Marker lines of other regions are left out.
`--update` (./dev format) writes the blocks anew.
"""

import json
import re
import textwrap

import tree

LANGUAGES = {"cpp", "c++", "cc", "hpp", "cxx", "capnp", "cmake"}
MARKER = re.compile(r"^\s*<!--\s*from:\s*(?P<path>[^#\s]+)(?:#(?P<tag>[\w.-]+))?\s*-->\s*$")
FENCE = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|~{3,})\s*(?P<language>[^\s`{]*)")
TAG_LINE = re.compile(r"^\s*(?://|#)\s*\[/?[\w.-]+\]\s*$")
# examples/ is compiled by the build; tests/install/outside/ by the test of the installed package.
COMPILED = ("examples/", "tests/install/")


class missing(Exception):
    pass


def region(root, path, tag):
    file = root / path
    if not path.startswith(COMPILED):
        raise missing(f"{path} is not under {' or '.join(COMPILED)}, where everything is compiled")
    if not file.is_file():
        raise missing(f"there is no {path}")
    lines = file.read_text(encoding="utf-8").splitlines()
    if tag is not None:
        opening = re.compile(rf"^\s*(?://|#)\s*\[{re.escape(tag)}\]\s*$")
        closing = re.compile(rf"^\s*(?://|#)\s*\[/{re.escape(tag)}\]\s*$")
        starts = [i for i, line in enumerate(lines) if opening.match(line)]
        ends = [i for i, line in enumerate(lines) if closing.match(line)]
        if len(starts) != 1 or len(ends) != 1 or starts[0] > ends[0]:
            raise missing(f"{path} has not exactly one region [{tag}] … [/{tag}]")
        lines = lines[starts[0] + 1:ends[0]]
    lines = [line for line in lines if not TAG_LINE.match(line)]
    return textwrap.dedent("\n".join(lines)).strip("\n").split("\n")


def is_compiled(root, path, compile_commands):
    if compile_commands is None or not path.endswith(".cpp") or not path.startswith("examples/"):
        return True
    with open(compile_commands, encoding="utf-8") as file:
        return any(entry["file"] == str(root / path) for entry in json.load(file))


def check_document(root, name, update, compile_commands):
    findings = []
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    result = []
    source = None  # of the marker, as long as only empty lines follow it
    i = 0
    while i < len(lines):
        line = lines[i]
        marker, fence = MARKER.match(line), FENCE.match(line)
        result.append(line)
        i += 1
        if marker:
            source = marker
            continue
        if not fence:
            if line.strip():
                if source:
                    findings.append(f"{name}:{i - 1}: no code block follows this marker")
                source = None
            continue
        start = i
        end = re.compile(rf"^\s*{fence['fence'][0]}{{{len(fence['fence'])},}}\s*$")
        while i < len(lines) and not end.match(lines[i]):
            i += 1
        block = lines[start:i]
        if source:
            try:
                wanted = [fence["indent"] + w if w else "" for w in region(root, source["path"], source["tag"])]
                if not is_compiled(root, source["path"], compile_commands):
                    findings.append(f"{name}:{start}: {source['path']} is not compiled by the build")
                if block != wanted and not update:
                    findings.append(f"{name}:{start}: differs from {source['path']}#{source['tag']} (mend: ./dev format)")
                block = wanted if update else block
            except missing as why:
                findings.append(f"{name}:{start}: {why}")
        elif fence["language"].lower() in LANGUAGES:
            findings.append(f"{name}:{start}: a {fence['language']} block without `<!-- from: examples/… -->` before it")
        source = None
        # With its closing fence, which would else be taken for the next block's opening one.
        result += block + lines[i:i + 1]
        i += 1
    if update and result != lines:
        (root / name).write_text("\n".join(result) + "\n", encoding="utf-8")
    return findings


def check(root, update=False, compile_commands=None):
    findings = []
    for name in tree.files(root, ".md"):
        if name == "README.md" or name.startswith("docs/"):
            findings += check_document(root, name, update, compile_commands)
    return findings


if __name__ == "__main__":
    tree.main(__doc__, check, update="write the blocks anew", compile_commands="the build's compile_commands.json")
