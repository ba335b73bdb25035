"""A Python client that knows nothing of Kappa, for tests; commands and lines as in Client.java beside it.

  write BROKERS TOPIC COMPRESSION
  read BROKERS TOPIC
"""

import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

SECONDS = 60


def from_text(word):
    return None if word == "-" else bytes.fromhex(word)


def to_text(content):
    return "-" if content is None else content.hex()


def write(brokers, topic, compression):
    places = []

    def delivered(error, message):
        if error:
            raise KafkaException(error)
        places.append((message.partition(), message.offset()))

    producer = Producer({"bootstrap.servers": brokers, "compression.type": compression, "linger.ms": 50})
    for line in sys.stdin:
        partition, _, time, key, value, *headers = line.rstrip("\n").split("\t")
        where = {} if partition == "-" else {"partition": int(partition)}
        pairs = [(name, from_text(content)) for name, content in (h.split("=") for h in headers)]
        producer.produce(topic, key=from_text(key), value=from_text(value), timestamp=int(time), headers=pairs,
                         on_delivery=delivered, **where)
    if producer.flush(SECONDS):
        raise SystemExit("not all was delivered")
    for partition, offset in places:
        print(f"{partition}\t{offset}")


def read(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "plain-python", "isolation.level": "read_committed",
                         "enable.partition.eof": True, "enable.auto.commit": False, "auto.offset.reset": "error"})
    partitions = consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
    consumer.assign([TopicPartition(topic, n, 0) for n in partitions])
    left = set(partitions)
    while left:
        message = consumer.poll(SECONDS)
        if message is None:
            raise SystemExit("nothing came")
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            left.discard(message.partition())
            continue
        words = [str(message.partition()), str(message.offset()), str(message.timestamp()[1]), to_text(message.key()),
                 to_text(message.value())]
        words += [f"{name}={to_text(content)}" for name, content in message.headers() or []]
        print("\t".join(words))
    consumer.close()


{"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
