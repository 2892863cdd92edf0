"""What PostgreSQL gives up in favour of somebody else is done again, and nobody hears of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Body, FastAPI, Request
from sqlalchemy import select, text, update

from app.config import Settings
from app.database.database import Database, open_database
from app.database.retries import TRIES, retried
from app.database.unit_of_work import UnitOfWork
from app.dependencies import Uow
from app.errors import Contended
from app.main import create_app
from app.models.article import Article
from tests.databases import connect
from tests.people import People

TITLES = ("first", "second")
CONTENDED = "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"


class Meeting:
    """Two transactions that hold what the other one wants: each takes an article, and then waits for the other."""

    def __init__(self) -> None:
        self.tries: Counter[int] = Counter()
        self.followed: Counter[int] = Counter()
        self._both_hold_one = asyncio.Barrier(2)

    async def change(self, uow: UnitOfWork, first: int, second: int, title: str) -> None:
        self.tries[first] += 1

        async def follow() -> None:
            self.followed[first] += 1

        uow.after_commit(follow)
        with uow.unscoped():
            await uow.session.execute(update(Article).where(Article.id == first).values(title=title))
            if self.tries[first] == 1:
                await self._both_hold_one.wait()
            await uow.session.execute(update(Article).where(Article.id == second).values(title=title))


@pytest.fixture
def meeting() -> Meeting:
    return Meeting()


@pytest.fixture
async def deadlocks_are_found_soon(own_settings: Settings) -> AsyncIterator[None]:
    connection = await connect(own_settings.dsn)
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '10ms'")
    yield
    await connection.execute(f"ALTER DATABASE {name} RESET deadlock_timeout")
    await connection.close()


@pytest.fixture
async def articles(own_people: People) -> tuple[int, int]:
    ada = await own_people.join()
    one, other = [await own_people.write(ada, title=title) for title in TITLES]
    return one.id, other.id


@pytest.fixture
async def contending(
    own_app: FastAPI, own_settings: Settings, meeting: Meeting, deadlocks_are_found_soon: None
) -> AsyncIterator[FastAPI]:
    """An application with endpoints that get in each other's way, or that always fail."""
    app = create_app(own_settings.model_copy(update={"max_body_bytes": 2**22}))

    @app.put("/both/{first}/{second}")
    async def change_both(uow: Uow, first: int, second: int, title: Annotated[str, Body(embed=True)]) -> str:
        await meeting.change(uow, first, second, title)
        return title

    @app.post("/contended")
    async def fail(request: Request, uow: Uow) -> None:
        meeting.tries[len(await request.body())] += 1
        await uow.session.execute(text(CONTENDED))

    @app.post("/contended-after-commit")
    async def commit_and_fail(request: Request) -> None:
        database: Database = request.app.state.database
        meeting.tries[0] += 1
        async with database.unit_of_work() as uow:
            await uow.session.execute(text("SELECT 1"))
        async with database.unit_of_work() as uow:
            await uow.session.execute(text(CONTENDED))

    # Of its own, because a connection that is open already knows the old deadlock_timeout.
    async with open_database(own_settings) as database:
        app.state.database = database
        yield app


@pytest.fixture
async def client(contending: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(contending)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def titles(database: Database) -> set[str]:
    return set(await database.reader().unscoped().all(select(Article.title)))


async def test_two_requests_that_deadlock_both_succeed(
    client: httpx.AsyncClient, contending: FastAPI, articles: tuple[int, int], meeting: Meeting
) -> None:
    one, other = articles
    responses = await asyncio.gather(
        client.put(f"/both/{one}/{other}", json={"title": "one"}),
        client.put(f"/both/{other}/{one}", json={"title": "other"}),
    )
    assert [(response.status_code, response.json()) for response in responses] == [(200, "one"), (200, "other")]
    assert sorted(meeting.tries.values()) == [1, 2]
    assert meeting.followed == {one: 1, other: 1}, "what follows a commit does not follow a rollback"
    (title,) = await titles(contending.state.database)
    assert title in {"one", "other"}


async def test_work_outside_of_requests_is_retried_too(
    contending: FastAPI, articles: tuple[int, int], meeting: Meeting
) -> None:
    database: Database = contending.state.database

    async def work(first: int, second: int) -> str:
        async with database.unit_of_work() as uow:
            await meeting.change(uow, first, second, f"by {first}")
        return f"by {first}"

    one, other = articles
    one_did, other_did = await asyncio.gather(retried(lambda: work(one, other)), retried(lambda: work(other, one)))
    assert (one_did, other_did) == (f"by {one}", f"by {other}")
    assert sorted(meeting.tries.values()) == [1, 2]
    assert meeting.followed == {one: 1, other: 1}


async def test_what_fails_each_time_is_told(client: httpx.AsyncClient, meeting: Meeting) -> None:
    response = await client.post("/contended", content=b"body", headers={"X-Request-ID": "mine"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["detail"] == "Others change the same data at this moment"
    assert response.json()["request_id"] == response.headers["x-request-id"] == "mine"
    assert meeting.tries == {4: TRIES}


async def test_a_large_body_is_not_kept_for_another_try(client: httpx.AsyncClient, meeting: Meeting) -> None:
    response = await client.post("/contended", content=b"x" * 17 * 2**16)
    assert response.status_code == 503
    assert meeting.tries == {17 * 2**16: 1}


async def test_what_has_committed_something_is_not_done_again(client: httpx.AsyncClient, meeting: Meeting) -> None:
    response = await client.post("/contended-after-commit")
    assert response.status_code == 503
    assert meeting.tries == {0: 1}


async def test_nor_is_work_outside_of_requests(contending: FastAPI) -> None:
    database: Database = contending.state.database
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        async with database.unit_of_work() as uow:
            await uow.session.execute(text("SELECT 1"))
        async with database.unit_of_work() as uow:
            await uow.session.execute(text(CONTENDED))

    with pytest.raises(Contended):
        await retried(work)
    assert tries == 1
