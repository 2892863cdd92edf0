"""A load for the application: connections that are kept open and ask again as soon as they are answered.

Standard library only and as little of it as will do, so that what is measured is the server.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True)
class Result:
    """What a load has seen. Times are in milliseconds."""

    times: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def percentile(self, percent: int) -> float:
        return quantiles(self.times, n=100)[percent - 1]


def request(method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/x-www-form-urlencoded"]
    return "\r\n".join([*lines, "", body]).encode()


class Connection:
    """One connection, which asks one thing at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, raw: bytes) -> tuple[int, bytes]:
        """Send the request and return the status and the body of its answer."""
        self._writer.write(raw)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return int(head[9:12]), await self._reader.readexactly(length)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def load(port: int, raw: bytes, *, connections: int, seconds: float, expected: int = 200) -> Result:
    """Ask the same for so long, over so many connections."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def keep_asking() -> None:
        connection = await Connection.open(port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            status, body = await connection.ask(raw)
            times.append((time.perf_counter() - started) * 1000)
            if status != expected:
                raise RuntimeError(f"{status}: {body[:200]!r}")
        await connection.close()

    started = time.perf_counter()
    await asyncio.gather(*[keep_asking() for _ in range(connections)])
    return Result(times, time.perf_counter() - started)
