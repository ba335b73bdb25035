#!/usr/bin/env python3
"""Follows docs/getting-started.md word for word, in an empty folder outside the repository.

Its blocks with `<!-- from: examples/01-first-program/FILE#tag -->` are written to FILE, one after the other, and its sh
blocks are typed into one shell, all in the order of the document. A text block that follows an sh block is what that
one must print; `…` in it stands for anything. A block that begins with `cd kappa` happens in the clone, in a shell of
its own; the clone is this repository, and the user's cache the real one, where the dependencies are.
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

BLOCK = re.compile(
    r"(?:^<!-- from: examples/01-first-program/(?P<file>[^#\s]+)\S* -->\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("build", "source", "launcher"):
        parser.add_argument("--" + name, required=name != "launcher", default="")
    options = parser.parse_args()
    document = (pathlib.Path(options.source) / "docs/getting-started.md").read_text(encoding="utf-8")

    # The prefix is always at the same place, so that ccache knows the project's objects from the last run.
    place = pathlib.Path(options.build) / "tests/docs/getting-started"
    shutil.rmtree(place, ignore_errors=True)
    prefix, home = place / "prefix", place / "home"
    home.mkdir(parents=True)
    (home / "kappa").symlink_to(options.source)

    port = str(free_port())
    script, wanted, files = ["set -e"], [], {}
    for block in BLOCK.finditer(document):
        body = block["body"]
        if block["file"]:
            text = files.get(block["file"], "")
            files[block["file"]] = text + ("\n" if text else "") + body
            script.append(f"cat > {block['file']} <<'END OF FILE'\n{files[block['file']]}END OF FILE")
        elif block["language"] == "sh":
            script.append(f"echo '=== {len(wanted)}'\n{body}")
            wanted.append("…")
        elif block["language"] == "text" and wanted:
            wanted[-1] = body.strip()
    text = "\n".join(script).replace("8080", port).replace("~/kappa-prefix", str(prefix))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    environment = dict(os.environ, HOME=str(home), XDG_CACHE_HOME=cache, CMAKE_CXX_COMPILER_LAUNCHER=options.launcher)
    done = subprocess.run(["bash", "-c", text], cwd=home, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nthe commands of docs/getting-started.md ended with {done.returncode}")
    printed = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for i, (got, want) in enumerate(zip(printed, wanted, strict=True)):
        pattern = ".*".join(re.escape(part) for part in want.replace("8080", port).split("…"))
        if not re.fullmatch(r"\s*" + pattern + r"\s*", got, re.DOTALL):
            sys.exit(f"block {i} of docs/getting-started.md printed\n{got}\nand not\n{want}")
    print(f"{len(wanted)} blocks of commands, {len(files)} files")


if __name__ == "__main__":
    main()
