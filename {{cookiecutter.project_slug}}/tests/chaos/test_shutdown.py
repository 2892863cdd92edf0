"""The end of the application while it is in use: nobody who was let in is turned away."""

import asyncio
import secrets
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.databases import clone
from tests.servers import PATIENCE, Server, served, until


@pytest.fixture(scope="module")
async def dsn(template: str) -> str:
    return await clone(template, secrets.token_hex(4))


class LoadBalancer:
    """Sends requests, many at a time, for as long as the application says that it is ready."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.answers: Counter[int] = Counter()
        self.ready = True

    async def send(self, client: httpx.AsyncClient) -> None:
        while self.ready:
            response = await client.get("/articles")
            self.answers[response.status_code] += 1

    async def check(self, client: httpx.AsyncClient) -> None:
        while self.ready:
            self.ready = (await client.get("/health/ready")).status_code == 200

    async def sent(self) -> bool:
        return self.answers[200] > 50


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_not_ready_comes_before_the_end_and_no_request_fails(dsn: str, tmp_path: Path, processes: str) -> None:
    settings = {"WEB_CONCURRENCY": processes, "SHUTDOWN_DELAY": "2", "SHUTDOWN_TIMEOUT": "5"}
    async with served(dsn, tmp_path, **settings) as server, server.member() as client, server.client() as prober:
        balancer = LoadBalancer(server)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(balancer.send(client))
            await until(balancer.sent)
            tasks.create_task(balancer.check(prober))
            server.process.terminate()
        # Whoever has not heard of it yet is served, on a connection that is not kept for more.
        late = await client.get("/articles")
        assert (late.status_code, late.headers["connection"]) == (200, "close")
        refused = await prober.get("/health/ready")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["detail"] == "This process is about to end"
        await asyncio.to_thread(server.process.wait, PATIENCE)
        assert balancer.answers.keys() == {200}
        assert await server.refuses()
        assert not server.complaints()


async def test_a_second_sigterm_ends_it_at_once(dsn: str, tmp_path: Path) -> None:
    async with served(dsn, tmp_path, SHUTDOWN_DELAY="600") as server:
        async with server.client() as client:
            server.process.terminate()

            async def not_ready() -> bool:
                return (await client.get("/health/ready")).status_code == 503

            await until(not_ready)
        server.process.terminate()
        await asyncio.to_thread(server.process.wait, PATIENCE)
        assert not server.complaints()


async def test_what_takes_too_long_is_not_waited_for(dsn: str, tmp_path: Path) -> None:
    """Whoever sends SIGKILL after a while should find nothing to kill."""
    async with served(dsn, tmp_path, SHUTDOWN_TIMEOUT="1") as server:
        with server.connect() as connection, suppress(ConnectionError):
            connection.sendall(b"POST /auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            connection.sendall(b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
            server.process.terminate()
            await asyncio.to_thread(server.process.wait, PATIENCE)
