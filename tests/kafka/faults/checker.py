"""What is right, found without Kappa: from the CSV file by arithmetic, and from the topics by a plain consumer
(confluent_kafka, read_committed).

Every hour of every origin is in topic hourly-delays once, with the figures of the file, so that each row has had its effect
once; within an origin hours come in order; alerts follow from the hours, and are there once each and in order; of each bad
row there is one dead letter.
"""

import calendar
import csv
import math
import struct
import subprocess
import time

HOUR_MS = 3_600_000
LEAST_DELAY, MOST_DELAY = -120, 1440  # minutes; what lies outside is a bad row
LEAST_FLIGHTS, LEAST_HISTORY = 5, 24
TOPICS = ("hourly-delays", "delay-alerts", "flights.dead-letters")


class Expected:
    """hours: (origin, start in ms) → (flights, sum, least, most, delayed). alerts: the same key → (flights, mean). bad: rows."""

    def __init__(self, path):
        self.hours, self.bad = {}, 0
        for row in rows_of(path):
            self._add(row)
        self.alerts = alerts_of(self.hours)

    def _add(self, row):
        try:
            delay, at = int(row["delay"]), time_ms(row["scheduled"])
        except (TypeError, ValueError):
            self.bad += 1
            return
        if not LEAST_DELAY < delay < MOST_DELAY:
            self.bad += 1
            return
        key = (row["origin"], at // HOUR_MS * HOUR_MS)
        flights, total, least, most, late = self.hours.get(key, (0, 0, delay, delay, 0))
        self.hours[key] = (flights + 1, total + delay, min(least, delay), max(most, delay), late + (delay >= 15))


def rows_of(path):
    with subprocess.Popen(["zstd", "-dcf", path], stdout=subprocess.PIPE, text=True) as unpacking:
        yield from csv.DictReader(unpacking.stdout)


def alerts_of(hours):
    """An hour whose mean is more than three deviations over those before it."""
    alerts, history = {}, {}
    for origin, start in sorted(hours):
        flights, total = hours[(origin, start)][:2]
        if flights < LEAST_FLIGHTS:
            continue
        mean = total / flights
        n, average, squares = history.get(origin, (0, 0.0, 0.0))
        if n >= LEAST_HISTORY and mean > average + 3 * math.sqrt(squares / n):
            alerts[(origin, start)] = (flights, mean)
        step = mean - average
        average += step / (n + 1)
        history[origin] = (n + 1, average, squares + step * (mean - average))
    return alerts


def time_ms(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) * 1000


def read_all(address, topic):
    """All committed records up to where the topic ends now, partition by partition in order."""
    import confluent_kafka  # here: what is judged by hand-made records needs no Kafka

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
                    records.append((m.key(), m.value(), dict(m.headers() or [])))
                elif m.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    open_partitions.discard(m.partition())
                elif m.error().fatal():
                    raise RuntimeError(f"{topic}: {m.error()}")
        return records
    finally:
        consumer.close()


def hour_key(key):
    return key[:-8].decode(), int.from_bytes(key[-8:], "big") - 2 ** 63


def data_words(value, layout):
    """Of a Cap'n Proto struct: the words that its root pointer leads to. What is left out at the end is zero."""
    pointer = int.from_bytes(value[:8], "little")
    begin, words = 8 + 8 * ((pointer & 0xFFFFFFFF) >> 2), pointer >> 32 & 0xFFFF
    return struct.unpack_from(layout, value[begin:begin + 8 * words] + bytes(64))


def hour_of(key, value):
    return hour_key(key), data_words(value, "<qqiiq")


def alert_of(key, value):
    hour, flights, mean = data_words(value, "<qqd")
    return (key.decode(), hour), (flights, mean)


def compare(what, decode, records, expected):
    wrong, seen, last = [], {}, {}
    for key, value, _ in records:
        (origin, start), figures = decode(key, value)
        name = f"{what} {origin} {time.strftime('%d %H:%M', time.gmtime(start / 1000))}"
        if (origin, start) in seen:
            wrong.append(f"doubled: {name}")
        elif start < last.get(origin, start):
            wrong.append(f"out of order: {name}")
        if (origin, start) not in expected:
            wrong.append(f"invented: {name}")
        elif figures != expected[(origin, start)]:
            wrong.append(f"wrong: {name} has {figures}, must have {expected[(origin, start)]}")
        seen[(origin, start)] = figures
        last[origin] = start
    wrong += [f"lost: {what} {origin} {time.strftime('%d %H:%M', time.gmtime(start / 1000))}"
              for origin, start in expected if (origin, start) not in seen]
    return wrong


def judge(expected, hours, alerts, dead):
    """What is wrong with the records (key, value, headers) of the three topics, in words; nothing: all is right."""
    wrong = compare("hour", hour_of, hours, expected.hours) + compare("alert", alert_of, alerts, expected.alerts)
    places = [headers.get("kappa.position") for _, _, headers in dead]
    if len(places) != expected.bad or len(set(places)) != len(places):
        wrong.append(f"dead letters of {sorted(map(str, places))}; must be {expected.bad}, each of another row")
    return wrong


def findings(address, expected):
    return judge(expected, *(read_all(address, topic) for topic in TOPICS))
