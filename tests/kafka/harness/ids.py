"""Ids as Kafka makes them."""

import base64
import uuid


def new():
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return "K" + text[1:] if text.startswith("-") else text  # "-…" would be an option to the formatter
