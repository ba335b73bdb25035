"""As much of Kafka's protocol as it takes to see whether a broker can be used."""

import socket
import struct

METADATA, FIND_COORDINATOR, DESCRIBE_GROUPS, API_VERSIONS, INIT_PRODUCER_ID = 3, 10, 15, 18, 22
DESCRIBE_QUORUM, DESCRIBE_TRANSACTIONS, LIST_TRANSACTIONS = 55, 65, 66
GROUP, TRANSACTION = 0, 1  # the kinds of coordinator
NO_SUCH_TRANSACTION = 105


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def number(self, code):
        (value,) = struct.unpack_from(">" + code, self.data, self.at)
        self.at += struct.calcsize(">" + code)
        return value

    def string(self):
        length = self.number("h")
        return None if length < 0 else self.take(length).decode()

    def compact_string(self):
        return self.take(self.varint() - 1).decode()

    def take(self, length):
        self.at += length
        return self.data[self.at - length:self.at]

    def array(self, item):
        return [item(self) for _ in range(self.number("i"))]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def compact_string(text):
    return bytes([len(text) + 1]) + text.encode()


class Connection:
    """One plaintext connection to one broker. Raises OSError when the broker is not there or does not answer in time."""

    def __init__(self, port, seconds=2.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, api, api_version, body, flexible=False):
        self.correlation += 1
        head = struct.pack(">hhi", api, api_version, self.correlation) + string("kappa-harness")
        request = head + (b"\0" if flexible else b"") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", self.exactly(4))
        answer = Reader(self.exactly(length))
        if answer.number("i") != self.correlation:
            raise OSError("an answer to another question")
        if flexible:
            answer.varint()  # tagged fields
        return answer

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("the broker closed the connection")
            data += part
        return data

    def answers(self):
        """Whether it takes requests: a broker does when it has registered and caught up with the metadata."""
        return self.ask(API_VERSIONS, 0, b"").number("h") == 0

    def metadata(self, *topics):
        """Ids of the brokers that are in, and topic → [(error, leader, in-sync replicas)] by partition."""
        return self.metadata_of(struct.pack(">i", len(topics)) + b"".join(map(string, topics)))

    def topic_names(self):
        """Of all topics."""
        return list(self.metadata_of(struct.pack(">i", -1))[1])

    def metadata_of(self, topics):
        answer = self.ask(METADATA, 1, topics)
        brokers = answer.array(lambda r: (r.number("i"), r.string(), r.number("i"), r.string())[0])
        answer.number("i")  # the controller

        def partition(r):
            error, index, leader = r.number("h"), r.number("i"), r.number("i")
            r.array(lambda r: r.number("i"))  # replicas
            return index, (error, leader, r.array(lambda r: r.number("i")))

        def topic(r):
            r.number("h")
            name = r.string()
            r.number("b")
            return name, [rest for _, rest in sorted(r.array(partition))]  # in no order on the wire

        return brokers, dict(answer.array(topic))

    def leading_controller(self):
        """The node whose controller leads the others; -1 while there is none."""
        topic = compact_string("__cluster_metadata") + b"\x02" + struct.pack(">i", 0) + b"\0" + b"\0"
        answer = self.ask(DESCRIBE_QUORUM, 0, b"\x02" + topic + b"\0", flexible=True)
        if answer.number("h") != 0 or answer.varint() != 2:  # an array of one
            return -1
        answer.compact_string()  # its name
        answer.varint()  # an array of partitions
        answer.number("i")
        return answer.number("i") if answer.number("h") == 0 else -1

    def gives_producer_ids(self):
        """A broker has none to give until the controller has handed it a block of them, which the first question asks
        for; a producer that comes before is told that a coordinator is loading."""
        answer = self.ask(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60000))
        answer.number("i")  # throttled for
        return answer.number("h") == 0

    def coordinator(self, kind, key):
        """The broker that coordinates a group or a transactional id; None while there is none. The first question makes
        the internal topic."""
        answer = self.ask(FIND_COORDINATOR, 1, string(key) + struct.pack(">b", kind))
        answer.number("i")  # throttled for
        error = answer.number("h")
        answer.string()
        node = answer.number("i")
        return node if error == 0 else None

    def has_loaded(self, kind, key):
        """Whether this broker has loaded the coordinator's partition that the key is in."""
        if kind == GROUP:
            answer = self.ask(DESCRIBE_GROUPS, 0, struct.pack(">i", 1) + string(key))
            answer.number("i")  # of an array
        else:
            answer = self.ask(DESCRIBE_TRANSACTIONS, 0, b"\x02" + compact_string(key) + b"\0", flexible=True)
            answer.number("i")  # throttled for
            answer.varint()  # of an array
        return answer.number("h") in (0, NO_SUCH_TRANSACTION)

    def transactions(self):
        """Transactional id → state, of those that this broker coordinates."""
        answer = self.ask(LIST_TRANSACTIONS, 0, b"\x01\x01\0", flexible=True)  # without filters
        answer.number("i")  # throttled for
        if answer.number("h") != 0:
            return {"all of them": "unknown: a coordinator is loading"}
        answer.take(answer.varint() - 1)  # filters that it does not know: none
        found = {}
        for _ in range(answer.varint() - 1):
            name = answer.compact_string()
            answer.number("q")  # its producer's id
            found[name] = answer.compact_string()
            answer.varint()  # tagged fields
        return found


def partition_of(key, partitions):
    """The partition of its topic that a group or a transactional id is kept in: Java's String.hashCode, made positive."""
    code = 0
    for letter in key.encode("ascii"):
        code = (31 * code + letter) & 0xFFFFFFFF
    code = min(code, (1 << 32) - code) & 0x7FFFFFFF  # Java has no positive of its least number and takes 0
    return code % partitions


def keys_for_all(partitions):
    """One key for each partition of a coordinator's topic."""
    keys, number = {}, 0
    while len(keys) < partitions:
        key = f"kappa-harness-{number}"
        keys.setdefault(partition_of(key, partitions), key)
        number += 1
    return [keys[p] for p in range(partitions)]
