"""A wire between the application and PostgreSQL that a test can cut, slow down and clog."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """A proxy on loopback. Whoever connects by `dsn` is connected to the server through it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.delay = 0.0
        self._parts = urlsplit(dsn)
        self._free = asyncio.Event()
        self._free.set()
        self._cut_behind = b""
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        far_reader, far_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._connections |= {writer, far_writer}
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer))
        except asyncio.CancelledError:
            pass  # by `close`; asyncio's streams would complain of it
        finally:
            self._connections -= {writer, far_writer}
            self._tasks.discard(task)
            for end in (writer, far_writer):
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(2**16):
                await self._free.wait()
                await asyncio.sleep(self.delay)
                last = bool(self._cut_behind) and self._cut_behind in data
                if last:
                    self.clog()  # what PostgreSQL answers does not arrive
                writer.write(data)
                await writer.drain()
                if last:
                    self._cut_behind = b""
                    await asyncio.sleep(0.5)  # it has time to do what was asked
                    self.cut()
                    self.clear()
            writer.write_eof()

    def clog(self) -> None:
        """Let nothing through any more, and tell nobody: as a router that has lost its power."""
        self._free.clear()

    def clear(self) -> None:
        """Let everything through that waits."""
        self._free.set()

    def cut(self) -> None:
        """End every connection without a farewell (RST)."""
        for writer in self._connections:
            writer.transport.abort()

    def cut_behind(self, text: bytes) -> None:
        """Cut everything once the application has sent this, and before it has an answer."""
        self._cut_behind = text

    def half_close(self) -> None:
        """Send nothing more to the application, but go on listening to it (FIN)."""
        for writer in self._connections:
            if writer.get_extra_info("sockname")[1] == urlsplit(self.dsn).port:
                writer.write_eof()

    async def close(self) -> None:
        """End what still goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def wired(dsn: str) -> AsyncIterator[Wire]:
    """A wire to this server while the block runs."""
    wire = Wire(dsn)
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    parts = urlsplit(dsn)
    user = parts.netloc.rpartition("@")[0]
    wire.dsn = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
