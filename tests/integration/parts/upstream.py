"""The service behind the proxy: remembers what reached it, and answers with it."""

import asyncio
import dataclasses
import json
import threading


@dataclasses.dataclass
class Arrival:
    """One request as far as it has arrived. Names keep their case; bytes are Latin-1."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    is_complete: bool = False

    def values(self, name):
        return [value for other, value in self.headers if other.lower() == name]


class Upstream:
    """An HTTP/1.1 server in a thread of its own. It notes a head as soon as it is there."""

    def __init__(self):
        self.arrivals = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="upstream", daemon=True)
        self.thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.server = asyncio.run_coroutine_threadsafe(starting, self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def requests_to(self, path):
        """All arrivals at a path (with its query); tests use a path of their own each."""
        return [arrival for arrival in list(self.arrivals) if arrival.path == path]

    async def _close(self):
        self.server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The proxy ended the connection, between requests or within one.
        finally:
            writer.close()

    async def _answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")[:-2]
        method, path, _ = lines[0].split(" ")
        arrival = Arrival(method, path, _fields(lines[1:]))
        self.arrivals.append(arrival)
        await _read_body(reader, arrival)
        arrival.is_complete = True
        # Bodies are not echoed: some tests send large ones.
        echo = {
            "method": method,
            "path": path,
            "headers": arrival.headers,
            "size": len(arrival.body),
            "trailers": arrival.trailers,
        }
        body = json.dumps(echo).encode()
        fields = b"content-type: application/json\r\ncontent-length: %d" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % fields)
        writer.write(b"" if method == "HEAD" else body)
        await writer.drain()


async def _read_body(reader, arrival):
    if arrival.values("transfer-encoding") == ["chunked"]:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            arrival.body += await reader.readexactly(size)
            await reader.readexactly(2)
        while line := (await reader.readuntil(b"\r\n"))[:-2]:
            arrival.trailers += _fields([line.decode("latin-1")])
    else:
        for length in arrival.values("content-length"):
            arrival.body = await reader.readexactly(int(length))


def _fields(lines):
    fields = (line.partition(":") for line in lines)
    return [(name, value.strip(" \t")) for name, _, value in fields]
