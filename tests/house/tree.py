"""What the house checks share: the files of the tree under test, and how findings are told."""

import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEFT_OUT = {".git", "build", "out", "data", "state"}  # as .gitignore has it


def files(root, *suffixes):
    """Files under version control or new and not ignored, relative to root, sorted; all of them if no suffix is given."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "--deduplicate"],
        capture_output=True, text=True)
    if listing.returncode == 0 and (root / ".git").exists():
        names = listing.stdout.splitlines()
    else:  # an unpacked archive, or the self-test's tree
        names = []
        for folder, subfolders, plain in os.walk(root):
            if folder == str(root):
                subfolders[:] = [s for s in subfolders if s not in LEFT_OUT]
            subfolders[:] = [s for s in subfolders if s != "__pycache__"]
            names += [os.path.relpath(os.path.join(folder, name), root) for name in plain]
    wanted = [n for n in names if (not suffixes or n.endswith(suffixes)) and (root / n).is_file()]
    return sorted(wanted)


def main(doc, check, **options):
    """Runs check(root, …) → list of findings; prints them and exits 1 if there are any."""
    parser = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    for name, about in options.items():
        action = "store_true" if name == "update" else "store"
        parser.add_argument("--" + name.replace("_", "-"), help=about, action=action)
    arguments = vars(parser.parse_args())
    findings = check(**arguments)
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        print(f"{len(findings)} finding(s)", file=sys.stderr)
        sys.exit(1)
