"""The network between clients and one broker, which tests cut: a program of its own.

proxy.py PORT   forwards to 127.0.0.1:PORT. Prints the port that it listens on, then obeys on standard input, answering
each command with a line: cut (nothing arrives any more, in either direction; connections stay open), heal (it arrives
after all), drop (all connections are closed, and what was on its way is lost). lose-commit: the next commit of a
transaction does not arrive; lose-answer: it arrives, and its answer does not; either is a drop and a cut at once. look:
nothing. The line is the number of commits and answers that were lost.
"""

import asyncio
import struct
import sys

END_TXN = 26  # of Kafka's protocol
FLEXIBLE_SINCE = 3  # version of that request: a byte of tagged fields ends it


def asks_for_commit(request):
    api, version = struct.unpack_from(">hh", request)
    return api == END_TXN and request[-2 if version >= FLEXIBLE_SINCE else -1] == 1


class Proxy:
    def __init__(self, port):
        self.port = port
        self.whole = asyncio.Event()
        self.whole.set()
        self.writers = set()
        self.losing = None  # the command, until it has happened
        self.lost = 0

    async def connected(self, reader, writer):
        self.writers.add(writer)
        others = None
        pumps = []
        try:
            await self.whole.wait()
            other_reader, others = await asyncio.open_connection("127.0.0.1", self.port)
            self.writers.add(others)
            unheard = set()  # requests whose answers are lost
            pumps = [asyncio.create_task(self.pump(reader, others, lambda request: self.may_go(request, unheard))),
                     asyncio.create_task(self.pump(other_reader, writer, lambda answer: self.may_return(answer, unheard)))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the broker is down: the client sees its connection closed
        finally:
            await self.whole.wait()  # an end does not arrive either
            for end in (writer, others):
                if end is not None:
                    self.writers.discard(end)
                    end.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def pump(self, reader, writer, may_pass):
        """Requests, or answers: each has its length in front."""
        try:
            while True:
                length = await reader.readexactly(4)
                message = await reader.readexactly(*struct.unpack(">i", length))
                await self.whole.wait()
                if not may_pass(message):
                    self.lose()
                    return
                writer.write(length + message)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass

    def may_go(self, request, unheard):
        if self.losing is None or not asks_for_commit(request):
            return True
        if self.losing == "lose-commit":
            return False
        self.losing = None
        unheard.add(request[4:8])
        return True

    def may_return(self, answer, unheard):
        return answer[:4] not in unheard

    def lose(self):
        self.losing = None
        self.lost += 1
        self.drop()
        self.whole.clear()

    def drop(self):
        for writer in list(self.writers):
            writer.transport.abort()

    def obey(self, command):
        if command == "cut":
            self.whole.clear()
        elif command == "heal":
            self.whole.set()
        elif command == "drop":
            self.drop()
        elif command in ("lose-commit", "lose-answer"):
            self.losing = command
        elif command != "look":
            raise ValueError(command)


async def main(port):
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        proxy.obey(line.decode().strip())
        print(proxy.lost, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1])))
    except KeyboardInterrupt:
        pass
