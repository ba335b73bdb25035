#!/usr/bin/env python3
"""What `cmake --install` gives is enough for a project outside the repository.

Installs the build to an empty prefix, then configures, builds and runs tests/install/outside against it. That project
also compiles every public header by itself. Nothing may come from the repository or the build folder.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("cmake", "build", "source", "launcher"):
        parser.add_argument("--" + name, required=name != "launcher", default="")
    parser.add_argument("--caf-from-prefix", action="store_true")
    options = parser.parse_args()
    source, build = pathlib.Path(options.source), pathlib.Path(options.build)

    # In the build folder, at the same place each time, so that ccache knows the headers' objects from the last run.
    place = build / "tests/install/run"
    shutil.rmtree(place, ignore_errors=True)
    prefix, project, outside = place / "prefix", place / "project", place / "build"
    run(options.cmake, "--install", build, "--prefix", prefix)
    shutil.copytree(source / "tests/install/outside", project)

    for file in prefix.rglob("*.cmake"):
        text = file.read_text()
        for folder in (build, source):
            if str(folder) in text.replace(str(prefix), ""):
                sys.exit(f"{file.relative_to(prefix)} names {folder}, which an outside project does not have")

    run(options.cmake, "-S", project, "-B", outside, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER_LAUNCHER={options.launcher}", "-DCMAKE_BUILD_TYPE=Debug")
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


if __name__ == "__main__":
    main()
