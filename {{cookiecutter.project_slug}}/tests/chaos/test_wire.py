"""The network between the application and PostgreSQL fails in every way that networks do."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.chaos.wire import Wire, wired
from tests.databases import clone
from tests.servers import Server, served, until
from tests.traffic import ARTICLE

TIME_LIMIT = 2.0


@pytest.fixture
async def wire(template: str) -> AsyncIterator[Wire]:
    """A wire to a database of its own."""
    async with wired(await clone(template, secrets.token_hex(4))) as wire:
        yield wire


@pytest.fixture
async def server(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """The application at the other end of it."""
    logs = tmp_path_factory.mktemp("logs")
    async with served(wire.dsn, logs, REQUEST_TIMEOUT=str(TIME_LIMIT), DATABASE_STATEMENT_TIMEOUT="1") as server:
        yield server
        assert server.complaints() == []


@pytest.fixture
async def ada(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.member() as client:
        yield client


async def open_connections(ada: httpx.AsyncClient) -> None:
    """Have several of them in the pool, idle."""
    answers = await asyncio.gather(*(ada.get("/articles") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("happens", ["cut", "half_close"])
async def test_robustness_35_idle_connections_that_are_gone_fail_no_request(
    wire: Wire, ada: httpx.AsyncClient, happens: str
) -> None:
    await open_connections(ada)
    getattr(wire, happens)()
    await asyncio.sleep(0.1)  # it takes the kernel a moment to pass it on
    answers = await asyncio.gather(
        *(ada.get("/articles") for _ in range(8)), *(ada.post("/articles", json=ARTICLE) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {200, 201}


async def test_a_slow_wire_makes_requests_slow_and_nothing_else(wire: Wire, ada: httpx.AsyncClient) -> None:
    wire.delay = 0.03
    answers = await asyncio.gather(*(ada.post("/articles", json=ARTICLE) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}


async def test_robustness_36_a_database_that_is_silent_is_not_waited_for(
    wire: Wire, server: Server, ada: httpx.AsyncClient
) -> None:
    await open_connections(ada)
    wire.clog()
    started = time.monotonic()
    silent = asyncio.gather(
        *(ada.get("/articles") for _ in range(30)), *(ada.post("/articles", json=ARTICLE) for _ in "12")
    )
    while not silent.done():
        async with server.client() as probe:
            assert (await probe.get("/health/live")).status_code == 200
        await asyncio.sleep(0.05)
    answers = await silent
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["retry-after"] for answer in answers)
    assert time.monotonic() - started < 3 * TIME_LIMIT  # not how quick it is, but that it does not go on
    assert not await is_ready(ada)
    wire.clear()
    await until(lambda: is_ready(ada), within=5)
    await open_connections(ada)


async def test_robustness_42_a_commit_that_nobody_heard_of_is_not_done_twice(
    wire: Wire, ada: httpx.AsyncClient
) -> None:
    once = {"Idempotency-Key": "an article"}
    wire.cut_behind(b"COMMIT;")
    lost = await ada.post("/articles", json=ARTICLE, headers=once)
    assert lost.status_code == 503
    again = await ada.post("/articles", json=ARTICLE, headers=once)
    assert again.status_code == 201
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await ada.get("/articles")).json()) == 1
