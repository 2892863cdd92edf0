"""Clients that keep a connection open, cheap enough to have a thousand of them in one process."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.servers import Server

ENOUGH_FILES = 4096


class Line:
    """One connection, on which one request follows the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authorization: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: test\r\nAuthorization: {authorization}\r\n\r\n" if authorization else "Host: test\r\n\r\n"

    async def get(self, target: str) -> tuple[int, bytes]:
        """The status and the body."""
        self.send(self.request(target))
        return await self.answer()

    def request(self, target: str) -> bytes:
        return f"GET {target} HTTP/1.1\r\n{self._head}".encode()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """The next answer, all of it."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), body

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def lines(server: Server, number: int, authorization: str = "") -> AsyncIterator[list[Line]]:
    """So many connections, all of them open while the block runs."""
    parts = urlsplit(server.url)
    opened: list[Line] = []
    try:
        for _ in range(number):
            # A small buffer: who does not read has the sender wait soon.
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**14)
            opened.append(Line(reader, writer, authorization))
        yield opened
    finally:
        await asyncio.gather(*(line.close() for line in opened), return_exceptions=True)


@asynccontextmanager
async def many_files() -> AsyncIterator[None]:
    """While the block runs, this process and those that it starts may have many connections: some systems allow 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < ENOUGH_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ENOUGH_FILES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
