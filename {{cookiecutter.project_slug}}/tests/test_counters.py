"""Counting attempts: in memory, and in a Redis that comes and goes."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing

import httpx
import pytest
from fakeredis import TcpFakeServer
from fastapi import FastAPI
from limits import parse
from pydantic import SecretStr
from redis.asyncio import Redis

from app import counters as module
from app.config import Settings
from app.counters import Counters
from app.database.database import Database
from app.main import create_app
from app.observability import logs

TWO_A_DAY = parse("2/day")


class Clock:
    """The time, as the test wants it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    yield clock
    monkeypatch.undo()


class TestInMemory:
    @pytest.mark.parametrize("pause", [0.0, 0.4, 7.0, 13.37, 31.0])
    @pytest.mark.parametrize("start", [0.01, 1.5, 29.0, 59.99])
    async def test_who_waits_as_long_as_he_is_told_may_go_on_and_not_earlier(
        self, clock: Clock, start: float, pause: float
    ) -> None:
        """However often he was refused meanwhile."""
        counters, limit = Counters(None), parse("5/minute")
        clock.now += start
        refused = 0
        for _ in range(30):
            wait = await counters.attempt(limit, "ada")
            clock.now += pause
            if wait:
                refused += 1
                clock.now += wait - pause - 1.001
                assert await counters.attempt(limit, "ada") > 0
                clock.now += 1.001
                assert await counters.attempt(limit, "ada") == 0
        assert refused or pause >= 12

    async def test_no_more_than_the_limit_gets_through_in_the_long_run(self, clock: Clock) -> None:
        counters, limit = Counters(None), parse("10/minute")
        passed = 0
        for _ in range(60 * 60):
            passed += await counters.attempt(limit, "ada") == 0
            clock.now += 1
        assert 590 <= passed <= 610

    async def test_what_is_over_is_forgotten(self, clock: Clock) -> None:
        """Else anybody could fill the memory with names."""
        counters, limit = Counters(None), parse("5/minute")
        for number in range(5000):
            await counters.attempt(limit, f"account-{number}")
        clock.now += 121
        await counters.attempt(limit, "ada")
        await asyncio.sleep(0)
        storage = counters._memory.storage
        assert [len(kept) for kept in (storage.storage, storage.expirations, storage.locks)] == [1, 1, 1]  # type: ignore[attr-defined]


class RedisServer:
    """Speaks Redis on a port of its own, and may be stopped and started again there. It keeps nothing meanwhile."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._server = TcpFakeServer(("127.0.0.1", self.port))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def clients(self) -> int:
        return len(self._server.clients)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
async def counters(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], Counters]]:
    """Makes what each process has, with more patience: a busy machine is not what is tested."""
    monkeypatch.setattr(module, "TIMEOUT", 30.0)
    async with AsyncExitStack() as stack:

        def make() -> Counters:
            made = Counters(redis.url)
            stack.push_async_callback(made.aclose)
            return made

        yield make


async def outcomes(counters: Counters, times: int) -> list[bool]:
    """Whether so many attempts, one after the other, are within two a day."""
    return [await counters.attempt(TWO_A_DAY, "ada") == 0 for _ in range(times)]


class TestInRedis:
    async def test_processes_count_together(self, counters: Callable[[], Counters]) -> None:
        one, other = counters(), counters()
        assert await outcomes(one, 1) + await outcomes(other, 1) == [True, True]
        assert await outcomes(one, 1) + await outcomes(other, 1) == [False, False]
        assert 1 <= await one.attempt(TWO_A_DAY, "ada") <= 24 * 60 * 60 + 1
        assert await one.attempt(TWO_A_DAY, "eve") == 0

    async def test_not_one_more_gets_through_when_all_come_at_once(self, counters: Callable[[], Counters]) -> None:
        both = counters(), counters()
        waits = await asyncio.gather(*(each.attempt(TWO_A_DAY, "ada") for each in both for _ in range(4)))
        assert waits.count(0) == 2

    async def test_an_attempt_is_one_question(
        self, counters: Callable[[], Counters], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []
        execute: Callable[..., Awaitable[object]] = Redis.execute_command

        async def record(self: Redis, *args: object, **options: object) -> object:
            asked.append(args[0])
            return await execute(self, *args, **options)

        one = counters()
        await outcomes(one, 1)  # makes the connection and sends the script
        monkeypatch.setattr(Redis, "execute_command", record)
        await outcomes(one, 1)
        assert asked == ["EVALSHA"]

    async def test_robustness_48_without_redis_a_process_counts_for_itself(
        self,
        redis: RedisServer,
        counters: Callable[[], Counters],
        settings: Settings,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        logs.configure(settings)
        one = counters()
        assert await outcomes(one, 3) == [True, True, False]
        redis.stop()
        assert await outcomes(one, 4) == [True, True, False, False]
        redis.start()
        assert await outcomes(one, 2) == [False, False]  # the pause is not over
        assert redis.clients == 0
        assert capsys.readouterr().out.count("redis_lost") == 1

    async def test_robustness_48_redis_is_used_again_when_it_is_back(
        self,
        redis: RedisServer,
        counters: Callable[[], Counters],
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        logs.configure(settings)
        monkeypatch.setattr("app.dispensable.PAUSE", 0.0)
        one, other = counters(), counters()
        for _ in range(2):
            assert await outcomes(one, 1) + await outcomes(other, 2) == [True, True, False]
            redis.stop()
            await outcomes(one, 1)
            redis.start()
        logged = capsys.readouterr().out
        assert (logged.count("redis_lost"), logged.count("redis_found")) == (2, 1)

    @pytest.mark.parametrize(
        "answer", [b"", b"-NOAUTH Authentication required.\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", None]
    )
    async def test_robustness_48_nothing_that_redis_says_or_does_not_say_fails_a_request(
        self, answer: bytes | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "TIMEOUT", 0.05)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1000) and answer != b"":
                if answer is not None:
                    writer.write(answer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with aclosing(Counters(f"redis://127.0.0.1:{port}/0")) as alone:
                assert await outcomes(alone, 3) == [True, True, False]


class TestInTheApplication:
    @pytest.fixture
    def app(
        self, redis: RedisServer, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> FastAPI:
        monkeypatch.setattr(module, "TIMEOUT", 30.0)
        limits = {"rate_limit_enabled": True, "rate_limit_login": "2/day", "redis_url": SecretStr(redis.url)}
        app = create_app(settings.model_copy(update=limits))
        app.state.database = database
        return app

    async def test_robustness_48_requests_do_not_notice_that_redis_is_gone(
        self, app: FastAPI, redis: RedisServer
    ) -> None:
        async with aclosing(app.state.throttling):
            assert await guesses(app, 3) == [401, 401, 429]
            redis.stop()
            assert await guesses(app, 3) == [401, 401, 429]
            redis.start()

    async def test_redis_learns_no_name_and_no_address(self, app: FastAPI, redis: RedisServer) -> None:
        async with aclosing(app.state.throttling), Redis.from_url(redis.url) as client:
            await guesses(app, 1)
            keys = sorted([key.decode() async for key in client.scan_iter()])
        assert len(keys) == 2
        assert "login/" in keys[0]
        assert "per_address/" in keys[1]
        words = [re.sub(r"[0-9a-f]{64}", "", key) for key in keys]  # in sixty-four digits there may be any short name
        assert not [word for word in words if "ada" in word or "203.0.113.9" in word]

    async def test_the_connections_are_closed_when_the_application_stops(self, app: FastAPI) -> None:
        async with app.router.lifespan_context(app):
            await guesses(app, 1)
            pool = app.state.throttling._counters._pool
            assert [connection.is_connected for connection in pool._available_connections] == [True]
        assert not any(connection.is_connected for connection in pool._available_connections)


async def guesses(app: FastAPI, times: int) -> list[int]:
    """The answers to so many guesses at one account."""
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 50000))
    form = {"username": "ada@example.com", "password": "a guess"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return [(await client.post("/auth/login", data=form)).status_code for _ in range(times)]
