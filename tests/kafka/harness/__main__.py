"""Apache Kafka from its Java artifacts, for tests and for trying things.

  up        starts it, detached, until `down`
  down      ends what `up` started, and removes its data
  status    what runs; exit code 3 when nothing does
  tool      one of Kafka's own command line tools: tool CLASS [ARGUMENT…]
  run       in the foreground, for programs: a line of JSON when it can be used, then one for each command on standard
            input (kill N, stop N, start N, pause N, resume N, wipe N, fill N, wait, status, and with the listener
            'cuttable' cut N, heal N, drop N, lose-commit N, lose-answer N); at the end of input all is gone
"""

import argparse
import os
import sys

import artifacts
import detached
import settings
import supervisor
from artifacts import Unusable
from cluster import Options

COMMANDS = ("up", "down", "status", "tool", "run",
            # The set-up's: prints the version in force; makes the class data; what `up` leaves behind.
            "version", "archive", "detached")


def parser():
    p = argparse.ArgumentParser(prog="./dev kafka", description=__doc__, allow_abbrev=False,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    p.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="3: three copies, of which two must be in sync")
    p.add_argument("--version", help=f"of Kafka: {', '.join(artifacts.VERSIONS)}")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the brokers' own")
    p.add_argument("--listener", action="append", default=[], choices=list(settings.LISTENERS),
                   help="one more listener beside the plaintext one")
    p.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD",
                   help="for the SASL listeners (default: " + ", ".join(f"{n}:{s}" for n, s in settings.USERS.items()) + ")")
    p.add_argument("--acls", action="store_true", help="users of the SASL listeners may do only what they are granted "
                   f"(all but '{settings.ADMIN}'; whoever comes by the plaintext listener may do all)")
    p.add_argument("--heap", type=int, default=384, metavar="MB", help="of each broker (default: 384)")
    p.add_argument("--full-speed", action="store_true", help="for measurements: let Java compile as well as it can")
    p.add_argument("--timeout", type=int, default=180, metavar="SECONDS", help="for each wait (default: 180)")
    p.add_argument("--folder", help="of up, down and status (default: in the cache)")
    p.add_argument("--json", action="store_true", help="status: for programs")
    p.add_argument("--report", type=int, help=argparse.SUPPRESS)
    return p


def options_of(arguments):
    users = {}
    for pair in arguments.user:
        name, colon, secret = pair.partition(":")
        if not colon or not name or not secret or set('",[]= ') & set(pair):
            raise Unusable("--user wants NAME:PASSWORD, of plain characters")
        users[name] = secret
    return Options(artifacts.version(arguments.version), arguments.nodes, arguments.listener,
                   settings.parse(arguments.set), users, arguments.acls, arguments.heap, arguments.full_speed,
                   arguments.timeout)


def tool(words):
    if not words:
        raise Unusable("which tool? For example: ./dev kafka tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "
                       "--bootstrap-server HOST:PORT --describe --all-groups")
    # Its logging is set up by a file; without one it complains.
    quiet = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tool-log4j.properties")
    command = artifacts.command(artifacts.version(), ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                                                      f"-Dlog4j.configuration=file:{quiet}"], *words)
    os.execv(command[0], command)


def main(words):
    if words[:1] == ["tool"]:
        tool(words[1:])
    arguments = parser().parse_args(words)
    options = options_of(arguments)
    folder = detached.folder_of(arguments)
    if arguments.command == "version":
        print(options.version)
        return 0
    if arguments.command == "archive":
        return supervisor.make_archive(options)
    if arguments.command == "run":
        return supervisor.run(options)
    if arguments.command == "up":
        return detached.up(options, folder, words[1:])
    if arguments.command == "detached":
        return detached.detached(options, folder, arguments.report)
    if arguments.command == "down":
        return detached.down(folder)
    return detached.status(folder, arguments.json)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unusable as error:
        if sys.argv[1:2] == ["run"]:
            supervisor.say({"error": str(error)})
        else:
            print(f"kafka: error: {error}", file=sys.stderr)
        sys.exit(1)
