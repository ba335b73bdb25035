"""Rows of the flights job as the job's rules see them: written from the rules, not from the C++.

The rules are those of docs (issue "main job"): a row is a line (LF or CRLF), five columns separated
by commas, RFC 4180 quotes within a line, integers are an optional minus and digits in 32 bits, a
time is exactly YYYY-MM-DDTHH:MM:SSZ, an airport is three capital letters.
"""

import calendar
import datetime
import functools
import re
import subprocess

HEADER = b"scheduled,delay,distance,origin,destination"
MAX_ROW_BYTES = 64 * 1024
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_TIME = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")
_INTEGER = re.compile(rb"-?[0-9]+")
_AIRPORT = re.compile(rb"[A-Z]{3}")


class BadRow(Exception):
    """A row that cannot be parsed; says why."""


def read_bytes(path):
    """The content of a file, decompressed when it is zstd."""
    with open(path, "rb") as file:
        content = file.read()
    if content[:4] != ZSTD_MAGIC:
        return content
    return subprocess.run(["zstd", "-dcq", "--", path], check=True, stdout=subprocess.PIPE).stdout


def write_bytes(path, content):
    """Compressed when the name ends with .zst."""
    if path.endswith(".zst"):
        subprocess.run(["zstd", "-q", "-f", "-o", path], check=True, input=content)
    else:
        with open(path, "wb") as file:
            file.write(content)


def read_lines(path):
    """The rows after the header, in order, without line ends."""
    lines = read_bytes(path).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    lines = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    if not lines or lines[0] != HEADER:
        raise SystemExit(f"{path}: the header line must be {HEADER.decode()}")
    return lines[1:]


def columns_of(line):
    """Columns of one line: RFC 4180, but a quote does not reach over the end of the line."""
    if b'"' not in line:
        return line.split(b",")
    columns = []
    at = 0
    while True:
        if line[at : at + 1] == b'"':
            text = b""
            at += 1
            while True:
                end = line.find(b'"', at)
                if end < 0:
                    raise BadRow("quote not closed")
                text += line[at:end]
                at = end + 1
                if line[at : at + 1] != b'"':
                    break
                text += b'"'
                at += 1
            columns.append(text)
            if at == len(line):
                return columns
            if line[at : at + 1] != b",":
                raise BadRow("text after closing quote")
        else:
            end = line.find(b",", at)
            if end < 0:
                columns.append(line[at:])
                return columns
            columns.append(line[at:end])
            at = end
        at += 1


@functools.lru_cache(maxsize=1 << 16)
def parse_time(text):
    """Seconds since 1970."""
    match = _TIME.fullmatch(text)
    if not match:
        raise BadRow("time")
    try:
        moment = datetime.datetime(*(int(part) for part in match.groups()))
    except ValueError as problem:
        raise BadRow("time") from problem
    return calendar.timegm(moment.timetuple())


def parse_int32(text, what):
    # A number of any length is one of few digits after its zeros, or out of range.
    if not _INTEGER.fullmatch(text):
        raise BadRow(what)
    digits = text.lstrip(b"-").lstrip(b"0")
    if len(digits) > 10:
        raise BadRow(what)
    value = int(digits or b"0") * (-1 if text.startswith(b"-") else 1)
    if not -(2**31) <= value < 2**31:
        raise BadRow(what)
    return value


def parse_airport(text, what):
    if not _AIRPORT.fullmatch(text):
        raise BadRow(what)
    return text.decode()


def parse_row(line):
    """(scheduled in seconds, delay, distance, origin, destination), or BadRow."""
    if len(line) > MAX_ROW_BYTES:
        raise BadRow("too long")
    columns = columns_of(line)
    if len(columns) != 5:
        raise BadRow("columns")
    return (
        parse_time(columns[0]),
        parse_int32(columns[1], "delay"),
        parse_int32(columns[2], "distance"),
        parse_airport(columns[3], "origin"),
        parse_airport(columns[4], "destination"),
    )


def implausible(row, largest, begin, end):
    """What is implausible about a row, or None. `largest`: plausible time before it, or None."""
    scheduled, delay, distance, _, _ = row
    if not -120 < delay < 1440:
        return "delay"
    if distance <= 0:
        return "distance"
    if not begin <= scheduled < end:
        return "time"
    if largest is not None and scheduled > largest + 24 * 3600:
        return "ahead"
    return None


def format_time(seconds):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def parse_day(text):
    """--from and --to: a day, or a time in full."""
    return parse_time((text if "T" in text else text + "T00:00:00Z").encode())
