"""Whoever waits for the database may be told to stop, at any moment: a timeout, a worker that is to end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text

from app.config import Settings
from app.database.database import Database
from app.errors import Unauthenticated
from app.models.user import User
from app.repositories.base import Repository
from tests.people import HASH
from tests.servers import until
from tests.watch import Watch, watching

LOCK = 33  # an advisory lock of PostgreSQL's, for what should take as long as the test likes
SLOW_COMMIT = f"""
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
"""


@pytest.fixture
def database(own_app: FastAPI) -> Database:
    database: Database = own_app.state.database
    return database


@pytest.fixture
async def watch(own_settings: Settings) -> AsyncIterator[Watch]:
    """Holds the lock to begin with."""
    async with watching(own_settings.dsn) as watch:
        await watch.connection.execute(f"SELECT pg_advisory_lock({LOCK})")
        yield watch


@pytest.fixture
async def slow_commit(watch: Watch) -> AsyncIterator[None]:
    """Let the commit of a new user wait for the lock."""
    await watch.connection.execute(SLOW_COMMIT)
    yield
    await watch.connection.execute("DROP FUNCTION wait CASCADE")


async def release(watch: Watch) -> None:
    await watch.connection.execute(f"SELECT pg_advisory_unlock({LOCK})")


async def read(database: Database) -> None:
    await database.reader().row(select(func.pg_advisory_xact_lock(LOCK)))


async def write(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))


async def add_user(database: Database, follow: Callable[[], Awaitable[None]]) -> None:
    async with database.unit_of_work() as uow:
        uow.after_commit(follow)
        await Repository(User, uow.session).add(User(email="a@example.com", username="ada", hashed_password=HASH))


async def add_user_and_fail(database: Database, follow: Callable[[], Awaitable[None]]) -> None:
    async with database.unit_of_work() as uow:
        uow.after_commit(follow)
        await Repository(User, uow.session).add(User(email="a@example.com", username="ada", hashed_password=HASH))
        await uow.keep()
        raise Unauthenticated


async def cancelled(task: "asyncio.Task[None]", times: int = 1) -> None:
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)  # to be cancelled while it is being cancelled


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("wait", [read, write])
async def test_a_statement_that_is_cancelled_gives_its_connection_back(
    database: Database, watch: Watch, wait: Callable[[Database], Awaitable[None]], times: int
) -> None:
    tasks = [asyncio.ensure_future(wait(database)) for _ in range(4)]
    await until(lambda: watch.waiting(4))
    for task in tasks:
        await cancelled(task, times)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 4
    assert database.writes.kw["bind"].pool.checkedout() == 0
    await release(watch)
    await until(lambda: watch.none("state <> 'idle'"))
    await asyncio.gather(*(wait(database) for _ in range(15)))


async def test_a_statement_that_is_cancelled_is_stopped_in_postgresql(database: Database, watch: Watch) -> None:
    tasks = [asyncio.ensure_future(wait(database)) for wait in (read, write)]
    await until(lambda: watch.waiting(2))
    for task in tasks:
        await cancelled(task)
    await until(lambda: watch.none("state <> 'idle'"))
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("work", [add_user, add_user_and_fail])
async def test_a_commit_that_is_cancelled_is_carried_through_with_what_follows_it(
    database: Database, watch: Watch, slow_commit: None, work: Callable[..., Awaitable[None]]
) -> None:
    begun, go_on, followed = asyncio.Event(), asyncio.Event(), False

    async def follow() -> None:
        nonlocal followed
        begun.set()
        await go_on.wait()
        followed = True

    task = asyncio.ensure_future(work(database, follow))
    await until(lambda: watch.waiting(1))
    await cancelled(task, times=3)
    await asyncio.wait([task], timeout=0.1)
    assert not task.done()
    await release(watch)
    await begun.wait()
    await cancelled(task, times=3)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert followed
    assert await database.reader().one_or_none(select(func.count()).select_from(User)) == 1
