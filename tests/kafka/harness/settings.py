"""The settings of a broker that tests use: small, quick to start, quick to notice a death."""

from artifacts import Unusable

# Extra listeners beside the plaintext one: name → Kafka's protocol, its SASL mechanisms.
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
CUTTABLE = "cuttable"
LISTENERS = {
    CUTTABLE: ("PLAINTEXT", ()),  # behind a proxy of the harness: the network that tests cut
    "tls": ("SSL", ()),
    "mtls": ("SSL", ()),  # asks clients for a certificate too
    "sasl_plain": ("SASL_PLAINTEXT", ("PLAIN",)),
    "sasl_scram": ("SASL_PLAINTEXT", SCRAM),
    "sasl_ssl": ("SASL_SSL", ("PLAIN", *SCRAM)),
}
USERS = {"alice": "alice-secret", "bob": "bob-secret", "admin": "admin-secret"}  # unless the caller names others
ADMIN = "admin"

OFFSETS_PARTITIONS = "offsets.topic.num.partitions"
TRANSACTIONS_PARTITIONS = "transaction.state.log.num.partitions"

_COMMON = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    OFFSETS_PARTITIONS: "4",
    TRANSACTIONS_PARTITIONS: "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # Threads and buffers for two cores and a small heap.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "4194304",
}
_SINCE_4 = {
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
}


def brokers_own(nodes, version, extra):
    """What is the same on all nodes. `extra` is the caller's: it wins."""
    copies, least = ("1", "1") if nodes == 1 else ("3", "2")
    # A node that was killed may register again when its old session is over, so a short one makes restarts quick; among
    # several, too short a one would take a slow node for a dead one.
    session, heartbeat = ("3000", "500") if nodes == 1 else ("6000", "1000")
    own = {
        **_COMMON,
        "broker.session.timeout.ms": session,
        "broker.heartbeat.interval.ms": heartbeat,
        "default.replication.factor": copies,
        "min.insync.replicas": least,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": least,
    }
    if not version.startswith("3."):
        own.update(_SINCE_4)
        own["share.coordinator.state.topic.replication.factor"] = copies
        own["share.coordinator.state.topic.min.isr"] = least
    return {**own, **extra}


def parse(pairs):
    """key=value of the command line → a dictionary."""
    out = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Unusable(f"--set wants key=value, not '{pair}'")
        out[key] = value
    return out


def listener_names(kinds):
    return ["plaintext", *kinds]


def listeners(kinds, ports, clients_ports, controller_port):
    """`ports`: listener → port of this node; `clients_ports`: the same as clients are told."""
    names = {kind: kind.upper() for kind in listener_names(kinds)}
    addresses = [f"{names[kind]}://127.0.0.1:{ports[kind]}" for kind in names]
    told = [f"{names[kind]}://127.0.0.1:{clients_ports[kind]}" for kind in names]
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    protocols.update({kind.upper(): LISTENERS[kind][0] for kind in kinds})
    return {
        "listeners": ",".join([*addresses, f"CONTROLLER://127.0.0.1:{controller_port}"]),
        "advertised.listeners": ",".join(told),
        "listener.security.protocol.map": ",".join(f"{n}:{p}" for n, p in protocols.items()),
    }


def security(kinds, users, certificates, acls):
    out = {}
    for kind in kinds:
        protocol, mechanisms = LISTENERS[kind]
        prefix = f"listener.name.{kind}."
        if protocol.endswith("SSL"):
            out[prefix + "ssl.keystore.type"] = out[prefix + "ssl.truststore.type"] = "PEM"
            out[prefix + "ssl.keystore.location"] = certificates["server"]
            out[prefix + "ssl.truststore.location"] = certificates["ca"]
            out[prefix + "ssl.client.auth"] = "required" if kind == "mtls" else "none"
        if mechanisms:
            out[prefix + "sasl.enabled.mechanisms"] = ",".join(mechanisms)
        for mechanism in mechanisms:
            key = f"{prefix}{mechanism.lower()}.sasl.jaas.config"
            if mechanism == "PLAIN":
                known = " ".join(f'user_{name}="{secret}"' for name, secret in users.items())
                out[key] = f"org.apache.kafka.common.security.plain.PlainLoginModule required {known};"
            else:
                out[key] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    if acls:
        out["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        # The nodes themselves talk plaintext, so whoever comes that way may do all: tests grant permissions there.
        out["super.users"] = f"User:ANONYMOUS;User:{ADMIN}"
    return out


def scram_users(kinds, users):
    """Arguments of the formatter: SCRAM's users are in the metadata from the start."""
    mechanisms = sorted({m for kind in kinds for m in LISTENERS[kind][1] if m in SCRAM})
    return [a for m in mechanisms for name, secret in users.items()
            for a in ("--add-scram", f"{m}=[name={name},password={secret}]")]


def text(values):
    """As a properties file, where a backslash would begin an escape."""
    return "".join(f"{key}={value}\n".replace("\\", "\\\\") for key, value in sorted(values.items()))
