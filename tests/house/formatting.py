#!/usr/bin/env python3
"""All C++ files are as clang-format leaves them (mend: ./dev format)."""

import re
import shutil
import subprocess

import tree


def check(root):
    names = tree.files(root, ".hpp", ".cpp")
    if not names:
        return []
    # Debian 12's own version, where several are installed: others break lines differently.
    formatter = shutil.which("clang-format-14") or "clang-format"
    run = subprocess.run([formatter, "--dry-run", "-Werror", "--style=file", *names], cwd=root,
                         capture_output=True, text=True)
    if run.returncode == 0:
        return []
    bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", run.stderr, re.MULTILINE)))
    return [f"{name}: not formatted (mend: ./dev format)" for name in bad] or [run.stderr.strip()]


if __name__ == "__main__":
    tree.main(__doc__, check)
