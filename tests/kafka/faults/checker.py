"""What is right, found without Kappa: from the CSV file by arithmetic, and from the topics by a plain consumer
(confluent_kafka, read_committed).

Every hour of every origin is in topic hourly-delays once, with the figures of the file; within an origin hours come in
order; alerts are those of the undisturbed run, once each; of the three bad rows there is one dead letter each.
"""

import calendar
import csv
import struct
import subprocess
import time

import confluent_kafka

HOUR_MS = 3_600_000
BAD_ROWS = 3
LEAST_DELAY, MOST_DELAY = -120, 1440  # minutes; what lies outside is a bad row


def rows_of(path):
    with subprocess.Popen(["zstd", "-dc", path], stdout=subprocess.PIPE, text=True) as unpacking:
        yield from csv.DictReader(unpacking.stdout)


def hours_of(path):
    """(origin, start in ms) → (flights, sum, least, most, delayed): what the job must find."""
    hours = {}
    for row in rows_of(path):
        try:
            delay = int(row["delay"])
            at = time_ms(row["scheduled"])
        except ValueError:
            continue
        if not LEAST_DELAY < delay < MOST_DELAY:
            continue
        key = (row["origin"], at // HOUR_MS * HOUR_MS)
        flights, total, least, most, late = hours.get(key, (0, 0, delay, delay, 0))
        hours[key] = (flights + 1, total + delay, min(least, delay), max(most, delay), late + (delay >= 15))
    return hours


def time_ms(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) * 1000


def read_all(address, topic):
    """All committed records up to where the topic ends now, partition by partition in order."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": address, "group.id": "checker", "isolation.level": "read_committed",
        "enable.auto.commit": False, "auto.offset.reset": "earliest", "enable.partition.eof": True})
    try:
        partitions = consumer.list_topics(topic, 30).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in partitions])
        open_partitions, records = set(partitions), []
        until = time.monotonic() + 120
        while open_partitions:
            if time.monotonic() > until:
                raise RuntimeError(f"{topic}: partitions {sorted(open_partitions)} do not end: an open transaction?")
            for m in consumer.consume(10_000, 1.0):
                if m.error() is None:
                    records.append(m)
                elif m.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    open_partitions.discard(m.partition())
                elif m.error().fatal():
                    raise RuntimeError(f"{topic}: {m.error()}")
        return records
    finally:
        consumer.close()


def hour_key(key):
    return key[:-8].decode(), int.from_bytes(key[-8:], "big") - 2 ** 63


def hour_value(value):
    """Of a Cap'n Proto struct behind its pointer: the data words. What is left out at the end is zero."""
    words = value[8:] + bytes(32)
    flights, total, least, most, late = struct.unpack_from("<qqiiq", words)
    return flights, total, least, most, late


def findings(address, expected, reference_alerts):
    """What is wrong, in words; nothing: all is right."""
    wrong = []
    seen, last = {}, {}
    for m in read_all(address, "hourly-delays"):
        origin, start = hour_key(m.key())
        figures = hour_value(m.value())
        if (origin, start) in seen:
            wrong.append(f"doubled: {origin} {start} at {m.partition()}@{m.offset()}")
        seen[(origin, start)] = figures
        if start <= last.get(origin, -1):
            wrong.append(f"out of order: {origin} {start} at {m.partition()}@{m.offset()}")
        last[origin] = start
    for key, figures in expected.items():
        if key not in seen:
            wrong.append(f"lost: {key[0]} {key[1]}")
        elif seen[key] != figures:
            wrong.append(f"wrong: {key[0]} {key[1]} has {seen[key]}, must have {figures}")
    wrong += [f"invented: {key[0]} {key[1]}" for key in seen if key not in expected]
    alerts = read_all(address, "delay-alerts")
    if len(alerts) != reference_alerts or len({(m.key(), m.value()) for m in alerts}) != reference_alerts:
        wrong.append(f"{len(alerts)} alerts; must be {reference_alerts}, all different")
    dead = read_all(address, "flights.dead-letters")
    if len(dead) != BAD_ROWS:
        wrong.append(f"{len(dead)} dead letters; must be {BAD_ROWS}")
    return wrong
