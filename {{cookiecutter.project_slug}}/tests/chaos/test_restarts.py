"""Processes that end while nginx sends them requests, and come back."""

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.chaos.answers import problem
from tests.chaos.processes import free_port, nginx, port_of, redis
from tests.databases import clone, connect
from tests.servers import PATIENCE, Server, served, until
from tests.traffic import ARTICLE


@pytest.fixture(scope="module")
async def dsn(template: str) -> str:
    """A database for the applications of this file."""
    return await clone(template, secrets.token_hex(4))


class Crowd:
    """Many who read and write through nginx, each one request after the other, and what they were told."""

    def __init__(self) -> None:
        self.reads: Counter[int] = Counter()
        self.writes: Counter[int] = Counter()
        self.written: list[str] = []
        self.enough = False

    async def read(self, client: httpx.AsyncClient) -> None:
        while not self.enough:
            self.reads[(await client.get("/articles?limit=1")).status_code] += 1

    async def write(self, client: httpx.AsyncClient) -> None:
        while not self.enough:
            title = f"rolling {secrets.token_hex(8)}"
            self.written.append(title)
            answer = 502
            while answer == 502:
                headers = {"Idempotency-Key": title}
                answer = (await client.post("/articles", json=ARTICLE | {"title": title}, headers=headers)).status_code
                self.writes[answer] += 1

    async def hear(self, times: int) -> None:
        """Wait until they were told so often more."""
        before = self.reads.total() + self.writes.total()

        async def heard() -> bool:
            return self.reads.total() + self.writes.total() >= before + times

        await until(heard)


async def test_an_application_that_is_away_is_a_problem_and_one_that_is_back_is_found(dsn: str, tmp_path: Path) -> None:
    port = free_port()
    async with nginx(tmp_path, port) as front, front.client() as client:
        for _ in range(2):
            async with served(dsn, tmp_path, "--port", str(port)):
                assert (await client.get("/health/ready")).status_code == 200
            away = await client.get("/health/ready")
            assert problem(away, 502).detail == "The application does not answer"
            assert away.headers["retry-after"] == "1"


@pytest.mark.timeout(180)  # five applications start, under load
async def test_a_rolling_restart_fails_no_request(dsn: str, tmp_path: Path) -> None:
    """One process after the other: SIGTERM, and the next one only when this one is ready again.

    nginx sends everything once more that may be done twice. A POST that arrives in the very moment in which its
    connection is closed may not: its client is told 502, and sends it again under the same `Idempotency-Key`.
    """
    ports = free_port(), free_port()
    crowd = Crowd()

    async def start(port: int) -> Server:
        return await stack.enter_async_context(served(dsn, tmp_path, "--port", str(port)))

    async with AsyncExitStack() as stack:
        servers = [await start(port) for port in ports]
        front = await stack.enter_async_context(nginx(tmp_path, *ports))
        member = await stack.enter_async_context(servers[0].member())
        client = await stack.enter_async_context(front.client(headers=member.headers))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(crowd.read(client))
                tasks.create_task(crowd.write(client))
            for server, port in zip(servers, ports, strict=True):
                await crowd.hear(100)
                server.process.terminate()
                await asyncio.to_thread(server.process.wait, PATIENCE)
                await crowd.hear(100)
                await start(port)
            await crowd.hear(100)
            crowd.enough = True
    assert crowd.reads.keys() == {200}
    assert crowd.writes.keys() <= {201, 502}
    connection = await connect(dsn)
    try:
        titles = [row[0] for row in await connection.fetch("SELECT title FROM articles WHERE title LIKE 'rolling %'")]
    finally:
        await connection.close()
    assert sorted(titles) == sorted(crowd.written)  # all of them, and each once


async def test_robustness_48_without_redis_each_process_counts_for_itself(dsn: str, tmp_path: Path) -> None:
    form = {"username": "nobody", "password": "a guess"}
    limits = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_LOGIN": "2/day", "TRUSTED_PROXIES": "127.0.0.1"}
    async with AsyncExitStack() as stack:
        counters = await stack.enter_async_context(redis(tmp_path))
        limits["REDIS_URL"] = f"redis://127.0.0.1:{counters.port}/0"
        servers = [await stack.enter_async_context(served(dsn, tmp_path, **limits)) for _ in "12"]
        front = await stack.enter_async_context(nginx(tmp_path, *map(port_of, servers)))
        client = await stack.enter_async_context(front.client())

        async def guesses(number: int) -> Counter[int]:
            responses = [await client.post("/auth/login", data=form) for _ in range(number)]
            return Counter(response.status_code for response in responses)

        assert await guesses(4) == {401: 2, 429: 2}
        await counters.stop()
        assert await guesses(12) == {401: 4, 429: 8}
        assert (await client.get("/health/ready")).status_code == 200
        assert all("redis_lost" in server.log() and not server.complaints() for server in servers)
