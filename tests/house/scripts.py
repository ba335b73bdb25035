#!/usr/bin/env python3
"""Shell scripts pass shellcheck, Python scripts compile."""

import subprocess

import tree


def check(root):
    findings = []
    for name in tree.files(root):
        with open(root / name, "rb") as file:
            start = file.read(64)
        if start.startswith(b"#!/usr/bin/env bash") or name.endswith(".sh"):
            run = subprocess.run(["shellcheck", "-x", "--format=gcc", name], cwd=root, capture_output=True, text=True)
            findings += run.stdout.splitlines()
        elif name.endswith(".py"):
            try:
                compile((root / name).read_text(encoding="utf-8"), name, "exec")
            except SyntaxError as error:
                findings.append(f"{name}:{error.lineno}: {error.msg}")
    return findings


if __name__ == "__main__":
    tree.main(__doc__, check)
