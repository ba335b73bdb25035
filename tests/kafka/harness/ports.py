"""Free loopback ports that stay ours.

A port that was merely found free may be somebody else's before the broker has it, or while the broker is down. So the
harness keeps a socket bound to each, without listening. That keeps everybody else away, but for sockets with
SO_REUSEADDR, which Java's server sockets have: the broker.
"""

import socket


class Ports:
    def __init__(self):
        self.held = []

    def take(self):
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not before: the kernel would share ports out
        self.held.append(held)
        return held.getsockname()[1]

    def release(self):
        for held in self.held:
            held.close()
        self.held.clear()
