"""The connections of reads: when they are lost, cancelled, too few, refused."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from sqlalchemy import Select, bindparam, column, select, table, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.config import Settings
from app.database.connections import Connection, Connector
from app.database.database import Database
from app.database.prepared import Prepared
from app.database.read_pool import ReadPool
from app.errors import Unavailable
from tests.databases import locked, opened_with
from tests.people import People
from tests.servers import until
from tests.watch import Watch, watching

SIZE = 3
LOCK = 34  # an advisory lock, for a statement that takes as long as the test likes
WAIT = f"SELECT pg_advisory_xact_lock({LOCK})"
PID = "SELECT pg_backend_pid()"


class Counted:
    """Makes connections, and knows how many there are; it may be told to fail."""

    def __init__(self, settings: Settings) -> None:
        self._connector = Connector(settings)
        self.fails = False
        self.made: list[Connection] = []
        self.most = 0

    async def __call__(self) -> Connection:
        if self.fails:
            raise Unavailable("The database does not answer")
        connection = await self._connector()
        self.made.append(connection)
        self.most = max(self.most, sum(not one.is_closed() for one in self.made))
        return connection


@pytest.fixture
def connect(own_settings: Settings) -> Counted:
    return Counted(own_settings)


@pytest.fixture
async def pool(connect: Counted) -> AsyncIterator[ReadPool]:
    """With few connections. Whatever the test does, at its end no place is taken, and all connections are closed."""
    pool = ReadPool(connect, size=SIZE, timeout=30.0)
    yield pool
    assert (pool.checkedout(), pool.waiting) == (0, 0)
    await pool.close()
    assert all(connection.is_closed() for connection in connect.made)


@pytest.fixture
async def watch(own_settings: Settings) -> AsyncIterator[Watch]:
    """Holds the lock to begin with."""
    async with watching(own_settings.dsn) as watch:
        await watch.connection.execute(f"SELECT pg_advisory_lock({LOCK})")
        yield watch


async def release(watch: Watch) -> None:
    await watch.connection.execute(f"SELECT pg_advisory_unlock({LOCK})")


async def pid(pool: ReadPool) -> int:
    ((own,),) = await pool.fetch(PID, [])
    return int(own)


async def all_in_use(pool: ReadPool, watch: Watch) -> "list[asyncio.Task[list[Any]]]":
    tasks = [asyncio.create_task(pool.fetch(WAIT, [])) for _ in range(SIZE)]
    await until(lambda: watch.waiting(SIZE))
    return tasks


async def yes(answer: bool) -> bool:  # for `until`
    return answer


async def test_one_connection_is_enough_for_one_after_the_other(pool: ReadPool, connect: Counted) -> None:
    assert len({await pid(pool) for _ in range(5)}) == len(connect.made) == 1


async def test_many_at_once_take_turns(pool: ReadPool, connect: Counted) -> None:
    rows = await asyncio.gather(*(pool.fetch("SELECT $1::int", [number]) for number in range(200)))
    assert [row[0][0] for row in rows] == list(range(200))
    assert connect.most == len(connect.made) == SIZE
    assert pool.size() == SIZE


async def test_what_the_server_closed_while_idle_is_replaced(pool: ReadPool, connect: Counted, watch: Watch) -> None:
    for _ in range(3):
        await asyncio.gather(*(pid(pool) for _ in range(SIZE)))
        assert await watch.terminate() >= 1
        await asyncio.gather(*(pid(pool) for _ in range(SIZE)))
    assert connect.most <= SIZE


async def test_what_is_lost_in_the_middle_is_unavailable_and_then_replaced(pool: ReadPool, watch: Watch) -> None:
    tasks = await all_in_use(pool, watch)
    assert await watch.terminate() == SIZE
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(outcome, Unavailable | asyncpg.PostgresError), outcome
        assert getattr(outcome, "sqlstate", "08").startswith(("08", "57"))
    await asyncio.gather(*(pid(pool) for _ in range(2 * SIZE)))


async def test_what_postgresql_refuses_leaves_the_connection_as_good_as_ever(pool: ReadPool, connect: Counted) -> None:
    for _ in range(3):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.fetch("SELECT 1 / 0", [])
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetch("SELECT FROM nowhere", [])
        with pytest.raises(asyncpg.DataError):
            await pool.fetch("SELECT $1::int", ["a word"])
    await pid(pool)
    assert len(connect.made) == 1


class TestCancellation:
    @pytest.mark.parametrize("times", [1, 3])
    async def test_stops_the_statement_and_frees_the_place_at_once(
        self, pool: ReadPool, connect: Counted, watch: Watch, times: int
    ) -> None:
        tasks = await all_in_use(pool, watch)
        for task in tasks:
            for _ in range(times):
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * SIZE
        assert pool.checkedout() == 0
        stopped = {connection.get_server_pid() for connection in connect.made if not connection.is_closed()}
        after = {await pid(pool) for _ in range(SIZE)}
        assert not stopped & after, "is not used while it is being cancelled"
        await until(lambda: watch.none("state <> 'idle'"))

    async def test_of_one_who_waits_for_a_connection_leaves_it_to_the_others(
        self, pool: ReadPool, watch: Watch
    ) -> None:
        tasks = await all_in_use(pool, watch)
        waiting = [asyncio.create_task(pid(pool)) for _ in range(4)]
        await until(lambda: yes(pool.waiting == len(waiting)))
        waiting[0].cancel()
        waiting[2].cancel()
        await asyncio.wait([waiting[0], waiting[2]])
        assert pool.waiting == 2
        await release(watch)
        await asyncio.gather(waiting[1], waiting[3], *tasks)

    async def test_at_the_moment_that_a_place_is_given_loses_none(self, pool: ReadPool, watch: Watch) -> None:
        tasks = await all_in_use(pool, watch)
        waiting = [asyncio.create_task(pid(pool)) for _ in range(SIZE)]
        await until(lambda: yes(pool.waiting == SIZE))
        for place, task in zip(waiting, tasks, strict=True):
            task.add_done_callback(lambda _, place=place: place.cancel())  # type: ignore[misc]  # it has its own
        await release(watch)
        await asyncio.gather(*tasks, *waiting, return_exceptions=True)
        assert pool.checkedout() == 0
        await asyncio.gather(*(pid(pool) for _ in range(2 * SIZE)))

    async def test_while_it_connects_frees_the_place(self) -> None:
        async def connect_for_ever() -> Connection:
            await asyncio.Event().wait()
            raise AssertionError

        pool = ReadPool(connect_for_ever, size=1, timeout=30.0)
        for _ in range(3):
            task = asyncio.create_task(pid(pool))
            await until(lambda: yes(pool.checkedout() == 1))
            task.cancel()
            await asyncio.wait([task])
            assert pool.checkedout() == 0


async def test_who_waits_too_long_is_told_so_and_waits_no_more(connect: Counted, watch: Watch) -> None:
    pool = ReadPool(connect, size=SIZE, timeout=0.01)
    tasks = await all_in_use(pool, watch)
    for _ in range(2):
        outcomes = await asyncio.gather(*(pid(pool) for _ in range(5)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [PoolTimeoutError] * 5
        assert (pool.waiting, pool.checkedout()) == (0, SIZE)
    await release(watch)
    await asyncio.gather(*tasks)
    assert await pid(pool)
    await pool.close()


async def test_a_server_that_is_away_takes_no_places(pool: ReadPool, connect: Counted) -> None:
    connect.fails = True
    for _ in range(2 * SIZE):
        with pytest.raises(Unavailable):
            await pid(pool)
    outcomes = await asyncio.gather(*(pid(pool) for _ in range(2 * SIZE)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 2 * SIZE
    connect.fails = False
    await asyncio.gather(*(pid(pool) for _ in range(2 * SIZE)))


async def test_a_connection_in_use_is_closed_after_the_pool_was(connect: Counted, watch: Watch) -> None:
    pool = ReadPool(connect, size=SIZE, timeout=30.0)
    tasks = await all_in_use(pool, watch)
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    await pool.close()
    await release(watch)
    await asyncio.gather(*tasks[1:])
    await until(watch.none)
    assert all(connection.is_closed() for connection in connect.made)


# ---------------------------------------------------------------------------------------------------- through HTTP


async def test_a_read_that_loses_its_connection_says_503_and_the_next_works(
    own_people: People, own_settings: Settings, watch: Watch
) -> None:
    ada = await own_people.join()
    async with opened_with(own_people.app, own_settings):
        async with locked(own_settings.dsn, "tags"):
            reads = [asyncio.create_task(ada.client.get("/tags")) for _ in range(SIZE)]
            await until(lambda: watch.waiting(SIZE))
            await watch.terminate()
            answers = await asyncio.gather(*reads)
        assert [answer.status_code for answer in answers] == [503] * SIZE
        assert [answer.headers["retry-after"] for answer in answers] == ["1"] * SIZE
        assert (await ada.client.get("/tags")).status_code == 200


async def test_a_pool_that_is_in_use_for_too_long_says_503(
    own_people: People, own_settings: Settings, watch: Watch
) -> None:
    ada = await own_people.join()
    limits = {"database_read_pool_size": 2, "database_pool_timeout": 0.01}
    async with opened_with(own_people.app, own_settings.model_copy(update=limits)) as database:
        async with locked(own_settings.dsn, "tags"):
            reads = [asyncio.create_task(ada.client.get("/tags")) for _ in range(2)]
            await until(lambda: watch.waiting(2))
            answer = await ada.client.get("/tags")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["detail"] == "The database does not answer"
            assert database.reads.pool.waiting == 0
        assert [read.status_code for read in await asyncio.gather(*reads)] == [200, 200]


async def test_a_client_that_is_gone_leaves_nothing_behind(
    own_people: People, own_settings: Settings, watch: Watch
) -> None:
    ada = await own_people.join()
    async with opened_with(own_people.app, own_settings.model_copy(update={"database_read_pool_size": 1})) as database:
        async with locked(own_settings.dsn, "tags"):
            read = asyncio.create_task(ada.client.get("/tags"))
            await until(lambda: watch.waiting(1))
            read.cancel()
            await asyncio.wait([read])
            assert database.reads.pool.checkedout() == 0
            await until(lambda: watch.none("state <> 'idle'"))
            assert (await ada.client.get("/users/me")).status_code == 200
        assert (await ada.client.get("/tags")).status_code == 200


# ------------------------------------------------------------------------------------------------------ migrations


async def test_a_column_may_change_its_type_meanwhile(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    value: Select[Any] = (
        select(column("value")).select_from(table("changed")).where(column("value") > bindparam("least"))
    )
    prepared = Prepared(value)

    async def change(*statements: str) -> None:
        async with database.unit_of_work() as uow:
            for statement in statements:
                await uow.session.execute(text(statement))

    async def values() -> list[Any]:
        reader, least = database.reader(), {"least": 0}
        fetched = await asyncio.gather(*(reader.fetch(prepared, least) for _ in range(4)))
        by_sessions = await asyncio.gather(*(reader.rows(value, least) for _ in range(4)))
        answers = [[row[0] for row in rows] for rows in (*fetched, *by_sessions)]
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    await change("CREATE TABLE changed (value int)", "INSERT INTO changed VALUES (1)")
    try:
        assert await values() == [1]
        await change("ALTER TABLE changed ALTER value TYPE bigint", "INSERT INTO changed VALUES (1099511627776)")
        assert sorted(await values()) == [1, 2**40]
        await change("ALTER TABLE changed ALTER value TYPE double precision")
        assert sorted(await values()) == [1.0, float(2**40)]
        await change("ALTER TABLE changed ADD another int")
        assert sorted(await values()) == [1.0, float(2**40)]
    finally:
        await change("DROP TABLE changed")


async def test_so_may_one_that_is_shown_and_written(own_people: People, watch: Watch) -> None:
    ada = await own_people.join()
    numbers = itertools.count()

    async def write() -> list[int]:
        name = f"tag {next(numbers):03}"
        made = await ada.client.post("/tags", json={"name": name})
        changed = await ada.client.patch(f"/tags/{made.json().get('id', 0)}", json={"name": f"{name}!"})
        return [made.status_code, changed.status_code]

    async def read() -> list[int]:
        first = await ada.client.get("/tags?limit=1&sort=name")
        following = await ada.client.get(first.links["next"]["url"])
        assert [answer.json()[0]["name"] for answer in (first, following)] == ["tag 000!", "tag 001!"]
        return [first.status_code, following.status_code]

    async def all_is_well() -> None:
        written = await asyncio.gather(*(write() for _ in range(4)))
        seen = await asyncio.gather(*(read() for _ in range(4)))
        assert (written, seen) == ([[201, 200]] * 4, [[200, 200]] * 4)

    await all_is_well()
    try:
        for change in ("ALTER name TYPE text", "ADD made_up int DEFAULT 7", "DROP made_up"):
            await watch.connection.execute(f"ALTER TABLE tags {change}")
            await all_is_well()
    finally:
        await watch.connection.execute("ALTER TABLE tags ALTER name TYPE varchar(50)")
