"""The network between clients and one broker, which tests cut: a program of its own.

proxy.py PORT   forwards to 127.0.0.1:PORT. Prints the port that it listens on, then obeys on standard input, answering
each command with a line: cut (nothing arrives any more, in either direction; connections stay open), heal (it arrives
after all), drop (all connections are closed, and what was on its way is lost).
"""

import asyncio
import sys


class Proxy:
    def __init__(self, port):
        self.port = port
        self.whole = asyncio.Event()
        self.whole.set()
        self.writers = set()

    async def connected(self, reader, writer):
        self.writers.add(writer)
        others = None
        pumps = []
        try:
            await self.whole.wait()
            other_reader, others = await asyncio.open_connection("127.0.0.1", self.port)
            self.writers.add(others)
            pumps = [asyncio.create_task(self.pump(reader, others)), asyncio.create_task(self.pump(other_reader, writer))]
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

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                await self.whole.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def obey(self, command):
        if command == "cut":
            self.whole.clear()
        elif command == "heal":
            self.whole.set()
        elif command == "drop":
            for writer in list(self.writers):
                writer.transport.abort()
        else:
            raise ValueError(command)


async def main(port):
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        proxy.obey(line.decode().strip())
        print("done", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1])))
    except KeyboardInterrupt:
        pass
