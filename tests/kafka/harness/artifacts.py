"""Java and the jars of Apache Kafka: which version is meant, where it is, and what to do where it is missing."""

import os
import pathlib
import shutil

DEFAULT_VERSION = "4.4.0"  # scripts/kafka.sh asks for it: `harness version`
VERSIONS = (DEFAULT_VERSION, "3.9.1")


class Unusable(Exception):
    """What a user has to mend: told without a traceback."""


def version(wanted=None):
    chosen = wanted or os.environ.get("KAPPA_KAFKA_VERSION") or DEFAULT_VERSION
    if chosen not in VERSIONS:
        raise Unusable(f"no Kafka version '{chosen}' here (there are: {', '.join(VERSIONS)})")
    return chosen


def cache():
    """As ./dev has it."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "kappa"


def jars(of_version):
    """The jars, sorted: the class data archive is only good for the class path that it was made with."""
    folder = cache() / f"kafka-{of_version}" / "libs"
    found = sorted(folder.glob("*.jar"))
    if not found:
        raise Unusable(
            f"no jars of Apache Kafka {of_version} in {folder}: './dev setup kafka' fetches them with Maven, once, and "
            f"needs the network for it (the log of the last try: {cache() / f'kafka-{of_version}.log'})")
    return found


def java():
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=os.path.join(home, "bin")) if home else shutil.which("java")
    if not found:
        where = f"in {home}/bin (JAVA_HOME)" if home else "on the PATH"
        raise Unusable(f"no java {where}: './dev setup kafka' installs it (Debian's package default-jdk-headless)")
    return found


def archive(of_version):
    """Where the class data is, which halves the time that a broker takes to start; good for one build of Java only. It
    may be missing: `harness archive` makes it."""
    made_by = int(os.stat(os.path.realpath(java())).st_mtime)
    return cache() / f"kafka-{of_version}" / f"classes-{made_by}.jsa"


def formatted(of_version):
    """What the formatter has once made of a data folder. It may be missing: who formats one keeps it."""
    return cache() / f"kafka-{of_version}" / "formatted"


def command(of_version, options, main, *arguments):
    """The command line that runs a class of Kafka's."""
    path = os.pathsep.join(str(jar) for jar in jars(of_version))
    shared = archive(of_version)
    if shared.exists():
        # Java goes on without what it cannot use; that is no reason for words on a tool's standard output.
        options = [*options, f"-XX:SharedArchiveFile={shared}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return [java(), *options, "-cp", path, main, *arguments]
