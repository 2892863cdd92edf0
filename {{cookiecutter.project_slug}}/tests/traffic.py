"""What clients do, the many, the impatient and the impolite."""

import asyncio
import json
import secrets
import socket
import struct
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx

from tests.servers import Server, until

ARTICLE = {"title": "Title", "content": "Some content"}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Writers:
    """Write one article after the other, all at the same time, and remember what they were told."""

    NUMBER = 8

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.acknowledged: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.enough = False

    async def write(self) -> None:
        """Ends after `enough`, or when the application is gone."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.NUMBER):
                tasks.create_task(self._write_on())

    async def _write_on(self) -> None:
        with suppress(httpx.TransportError):
            while not self.enough:
                title = secrets.token_hex(8)
                response = await self._client.post("/articles", json=ARTICLE | {"title": title})
                self.answers[response.status_code] += 1
                if response.status_code == 201:
                    self.acknowledged.add(title)
                else:
                    await asyncio.sleep(0.02)  # whoever is told to come back does not come back at once

    async def hear(self, status: int, times: int) -> None:
        """Wait until they were told this so many times more."""
        before = self.answers[status]

        async def heard() -> bool:
            return self.answers[status] >= before + times

        await until(heard)


class Bare:
    """One request on a connection of its own, sent without a client that would mind its manners."""

    def __init__(self, server: Server, client: httpx.AsyncClient, method: str, path: str, **body: Any) -> None:
        self._body = json.dumps(body).encode() if body else b""
        self._head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {client.base_url.host}",
            f"Authorization: {client.headers['authorization']}",
            "Content-Type: application/json",
            f"Content-Length: {len(self._body)}",
            "Connection: close",
        ]
        self._connection = server.connect()

    def send(self) -> None:
        """Hand the whole request to the network."""
        self._connection.sendall("\r\n".join([*self._head, "", ""]).encode() + self._body)

    def begin(self) -> None:
        """Send the head, and wait until the application asks for the body (RFC 9110, section 10.1.1)."""
        self._connection.sendall("\r\n".join([*self._head, "Expect: 100-continue", "", ""]).encode())
        assert self._connection.recv(1000).startswith(b"HTTP/1.1 100 ")

    def go_on(self, *, without: int) -> None:
        """Send the body, but for so many bytes of its end."""
        self._connection.sendall(self._body[: len(self._body) - without])

    def abort(self, *, reset: bool) -> None:
        """Be gone, with a word (FIN) or without (RST)."""
        if reset:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._connection.close()

    def status(self) -> int:
        """Wait for the answer."""
        with self._connection, self._connection.makefile("rb") as answer:
            return int(answer.read().split()[1])
