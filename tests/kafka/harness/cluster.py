"""One broker or three, from nothing to usable, and what tests do to them."""

import time

import artifacts
import certificates
import ids
import settings
import wire
from artifacts import Unusable
from node import Node, tail
from ports import Ports


class Options:
    """What a caller can choose; the command line fills it in."""

    def __init__(self, version, nodes=1, kinds=(), values=None, users=None, acls=False, heap=384, full_speed=False,
                 seconds=180, jvm=()):
        self.version = version
        self.nodes = nodes
        self.kinds = list(dict.fromkeys(kinds))
        self.values = values or {}
        self.users = {settings.ADMIN: settings.USERS[settings.ADMIN], **(users or settings.USERS)}
        self.acls = acls
        self.heap = heap
        self.full_speed = full_speed
        self.seconds = seconds
        self.jvm = list(jvm)


class Cluster:
    """`check` is called while something is waited for; what it raises ends the waiting."""

    def __init__(self, options, folder, check=lambda: None):
        self.options = options
        self.folder = folder
        self.check = check
        self.ports = Ports()
        self.id = ids.new()
        jvm = [f"-Xmx{options.heap}m", f"-Xms{options.heap // 2}m", *options.jvm]
        if not options.full_speed:
            jvm.append("-XX:TieredStopAtLevel=1")
        self.nodes = {n: Node(n, folder, options.version, jvm) for n in range(1, options.nodes + 1)}
        self.files = {}
        self.values = settings.brokers_own(options.nodes, options.version, options.values)

    def configure(self):
        """Ports, certificates, proxies and the settings files. What it began is ended by stop_all."""
        controllers = {n: self.ports.take() for n in self.nodes}
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in controllers.items())
        kinds = self.options.kinds
        if any(settings.LISTENERS[k][0].endswith("SSL") for k in kinds):
            self.files = certificates.make(self.folder / "certificates")
        for n, node in self.nodes.items():
            node.ports = {kind: self.ports.take() for kind in settings.listener_names(kinds)}
            node.clients_ports = dict(node.ports)
            if settings.CUTTABLE in kinds:
                node.start_proxy(settings.CUTTABLE)
            node.settings.write_text(settings.text({
                "node.id": n,
                "controller.quorum.voters": voters,
                "log.dirs": node.data,
                **settings.listeners(kinds, node.ports, node.clients_ports, controllers[n]),
                **settings.security(kinds, self.options.users, self.files, self.options.acls),
                **self.values,
            }))

    # ------------------------------------------------------------------------------------------------------- waiting

    def until(self, what, condition, seconds=None):
        """`condition` answers True, or what is still missing."""
        seconds = seconds or self.options.seconds
        end = time.monotonic() + seconds
        while True:
            self.check()
            missing = condition()
            if missing is True:
                return
            if time.monotonic() > end:
                raise Unusable(f"{what}: not in {seconds} s ({missing})")
            time.sleep(0.05)

    def alive(self, node):
        if not node.running():
            raise Unusable(f"node {node.number} has ended; the end of {node.log}:\n{tail(node.log)}")

    def ask(self, question):
        """A question to the first node that answers one; its answer, or why there is none."""
        why = "no node is up"
        for node in self.nodes.values():
            if node.state() == "up":
                try:
                    with wire.Connection(node.ports["plaintext"]) as broker:
                        return question(broker)
                except OSError as error:
                    why = f"node {node.number}: {error}"
        return why

    def usable(self):
        """True when every node that is up is in, and groups and transactions can be begun at once."""
        up = [n for n, node in self.nodes.items() if node.state() == "up"]
        missing = self.ask(lambda broker: self.members(broker, up))
        if missing is not True:
            return missing
        for kind, name, setting in ((wire.GROUP, "__consumer_offsets", settings.OFFSETS_PARTITIONS),
                                    (wire.TRANSACTION, "__transaction_state", settings.TRANSACTIONS_PARTITIONS)):
            for key in wire.keys_for_all(int(self.values[setting])):
                missing = self.coordinated(kind, name, key)
                if missing is not True:
                    return missing
            missing = self.ask(lambda broker, name=name: self.in_sync(broker, name, up))
            if missing is not True:
                return missing
        return self.ask_all(up, lambda broker: broker.gives_producer_ids() or "it has no producer ids yet")

    def ask_all(self, numbers, question):
        """True when each of the nodes answers True, else what the first other one said."""
        for number in numbers:
            answer = self.ask_one(self.nodes[number], question)
            if answer is not True:
                return f"node {number}: {answer}"
        return True

    @staticmethod
    def ask_one(node, question):
        try:
            with wire.Connection(node.ports["plaintext"]) as broker:
                return question(broker)
        except OSError as error:
            return str(error)

    @staticmethod
    def members(broker, up):
        brokers, _ = broker.metadata()
        return sorted(brokers) == up or f"of the nodes {up} there are {sorted(brokers)}"

    @staticmethod
    def in_sync(broker, topic, up):
        partitions = broker.metadata(topic)[1][topic]
        return all(error == 0 and set(up) <= set(replicas) for error, _, replicas in partitions) or \
            f"replicas of {topic} are behind"

    def coordinated(self, kind, topic, key):
        leader = self.ask(lambda broker: broker.coordinator(kind, key))
        if not isinstance(leader, int):
            return leader or f"{topic} has no coordinator yet"
        if self.nodes[leader].state() != "up":
            return f"{topic} is led by node {leader}, which is not up"
        return self.ask_all([leader], lambda broker: broker.has_loaded(kind, key) or f"it is loading {topic}")

    def led_by_another(self, lost):
        """A controller that has lost its disk must not come back as the leader that the others still take it for: it
        would read there that it leads an epoch of which it knows nothing, and end."""
        leader = self.ask(lambda broker: broker.leading_controller())
        if not isinstance(leader, int):
            return leader
        return leader not in (-1, *lost) or f"node {leader} leads"

    # ------------------------------------------------------------------------------------------------------ commands

    def start(self, numbers=None):
        """Returns when each of them takes requests, which takes a majority of the nodes."""
        nodes = [self.nodes[n] for n in numbers or self.nodes if not self.nodes[n].running()]
        new = [node for node in nodes if not node.formatted()]
        users = settings.scram_users(self.options.kinds, self.options.users)
        if new and any(node.running() for node in self.nodes.values()):
            lost = [node.number for node in new]
            self.until("waiting for another leader of the controllers", lambda: self.led_by_another(lost))
        self.format(new, users)
        for node in nodes:
            node.start()

        def up(node):
            self.alive(node)
            return node.answers() or "it does not answer"

        for node in nodes:
            self.until(f"starting node {node.number}", lambda node=node: up(node))

    def format(self, new, users):
        """With users they are in what is formatted; without, one is as the other, and to start Java for it takes longer
        than all else."""
        formatted = artifacts.formatted(self.options.version)
        if not users and formatted.exists():
            for node in new:
                node.format_as(formatted, self.id)
            return
        for node in new:
            node.format(self.id, users)
        for node in new:
            self.until(f"formatting node {node.number}", lambda node=node: not node.running() or "still at it")
            if node.process.wait() != 0:
                raise Unusable(f"node {node.number} could not be formatted; the end of {node.log}:\n{tail(node.log)}")
        if new and not users:
            new[0].keep_format(formatted)

    def wait(self):
        def condition():
            for node in self.nodes.values():
                if node.process is not None:
                    self.alive(node)
            return self.usable()

        self.until("waiting for a usable cluster", condition)

    def wait_for_transactions(self):
        """Returns when the coordinators have ended all, and have no more to tell the partitions. (A partition may still
        not have heard of an end: one without a leader is left out.)"""
        def open_ones(broker):
            found = {name: state for name, state in broker.transactions().items()
                     if state not in ("Empty", "Dead", "CompleteCommit", "CompleteAbort")}
            return not found or str(found)

        self.until("waiting for transactions to end",
                   lambda: self.ask_all([n for n, node in self.nodes.items() if node.state() == "up"], open_ones))

    def stop_all(self):
        for node in self.nodes.values():
            node.kill()
            node.end_proxy()
        self.ports.release()

    def bootstrap(self, kind):
        return ",".join(f"127.0.0.1:{node.clients_ports[kind]}" for node in self.nodes.values())

    def describe(self):
        return {
            "version": self.options.version,
            "bootstrap": self.bootstrap("plaintext"),
            "listeners": {kind: self.bootstrap(kind) for kind in settings.listener_names(self.options.kinds)},
            "nodes": [node.describe() for node in self.nodes.values()],
            "folder": str(self.folder),
            "files": self.files,
            "cluster_id": self.id,
        }
