#!/usr/bin/env python3
"""What `./dev install PREFIX` gives is a release, and enough for a project outside the repository.

Runs `./dev install` to an empty prefix: a build of its own, optimised and without failpoints. What it installed must
have none of them, and its CMake files must name neither the repository nor a build folder. Then configures, builds and
runs tests/install/outside against it; that project also compiles every public header by itself. One of its programs is a
service with a main, an actor system and actors of its own, which checks what it is told.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys


def run(*command, cwd=None):
    done = subprocess.run([str(c) for c in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nfailed ({done.returncode}): {' '.join(map(str, command))}")
    return done.stdout


# What only a build for the crash tests may have: names that are read from the environment.
SWITCHES = (b"KAPPA_FAILPOINT", b"KAPPA_BREAK")


def switches_in(file):
    data = file.read_bytes()
    return [s.decode() for s in SWITCHES if s in data]


def check_release(prefix, tested_library):
    """No library and no program has a failpoint; the library under test shows that one would be found."""
    if switches_in(tested_library) != [s.decode() for s in SWITCHES]:
        sys.exit(f"{tested_library} was built for the crash tests, and has no failpoints: what is looked for has changed")
    binaries = [f for f in prefix.rglob("*") if f.is_file() and (f.suffix in (".a", ".so") or f.parent.name == "bin")]
    names = {f.name for f in binaries}
    for layer in ("framework", "serialization", "actors"):
        if f"libkappa_{layer}.a" not in names:
            sys.exit(f"libkappa_{layer}.a was not installed; there are: {' '.join(sorted(names))}")
    for file in binaries:
        if found := switches_in(file):
            sys.exit(f"{file.relative_to(prefix)} of the release has failpoints: {' '.join(found)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("cmake", "build", "source", "launcher"):
        parser.add_argument("--" + name, required=name != "launcher", default="")
    parser.add_argument("--caf-from-prefix", action="store_true")
    parser.add_argument("--headers-at-once", default="0")
    options = parser.parse_args()
    source, build = pathlib.Path(options.source), pathlib.Path(options.build)

    # In the build folder, at the same place each time, so that ccache knows the headers' objects from the last run.
    place = build / "tests/install/run"
    shutil.rmtree(place, ignore_errors=True)
    prefix, project, outside = place / "prefix", place / "project", place / "build"
    place.mkdir(parents=True)
    run(source / "dev", "install", prefix)
    check_release(prefix, build / "framework/libkappa_framework.a")
    shutil.copytree(source / "tests/install/outside", project)

    for file in prefix.rglob("*.cmake"):
        text = file.read_text()
        if str(source) in text.replace(str(prefix), ""):
            sys.exit(f"{file.relative_to(prefix)} names {source}, which an outside project does not have")

    run(options.cmake, "-S", project, "-B", outside, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER_LAUNCHER={options.launcher}", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DOUTSIDE_HEADERS_AT_ONCE={options.headers_at_once}")
    if options.caf_from_prefix:
        cache = (outside / "CMakeCache.txt").read_text()
        if f"CAF_DIR:PATH={prefix}" not in cache:
            sys.exit("the outside project found another CAF than the one installed with kappa")
    run(options.cmake, "--build", outside)

    for line in run("ninja", "-C", outside, "-t", "deps").splitlines():
        file = line.strip()
        if file.startswith(f"{source}/") and not file.startswith(f"{place}/"):
            sys.exit(f"the outside project was compiled with {file} of the repository")

    print(run(outside / "outside"), end="")
    print(run(outside / "service"), end="")


if __name__ == "__main__":
    main()
