"""Reads from a real replica: how old they may be, what must not be old, and what happens without it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import String, case, cast, func, select, table
from structlog.testing import capture_logs

from app.commands.migrations import upgrade
from app.config import Settings
from app.database.database import open_database
from tests.chaos.standby import Standby, standby_of
from tests.databases import connect
from tests.people import PASSWORD
from tests.servers import OwnPostgres, Server, own_postgres, served, until
from tests.traffic import ARTICLE


@pytest.fixture(scope="module")
async def primary(settings: Settings) -> AsyncIterator[OwnPostgres]:
    with own_postgres() as postgres:
        own = {"database_url": SecretStr(postgres.dsn), "environment": "production"}
        await asyncio.to_thread(upgrade, settings.model_copy(update=own))
        yield postgres


@pytest.fixture(scope="module")
def standby(primary: OwnPostgres) -> Iterator[Standby]:
    with standby_of(primary) as standby:
        yield standby


@pytest.fixture(scope="module")
async def server(
    primary: OwnPostgres, standby: Standby, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """The application that writes to the one and reads from the other."""
    async with served(primary.dsn, tmp_path_factory.mktemp("logs"), DATABASE_READ_URL=standby.dsn) as server:
        yield server


@pytest.fixture(scope="module")
async def ada(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.member() as client:
        yield client


async def write(client: httpx.AsyncClient) -> str:
    """Publish an article; gives its path."""
    response = await client.post("/articles", json=ARTICLE | {"title": secrets.token_hex(8), "published": True})
    assert response.status_code == 201
    return str(response.headers["location"])


async def listed(client: httpx.AsyncClient) -> set[str]:
    """The paths of the newest articles, as the list knows them."""
    response = await client.get("/articles", params={"sort": "-created_at", "limit": "100"})
    assert response.status_code == 200
    return {f"/articles/{article['id']}" for article in response.json()}


async def test_lists_come_from_the_replica_and_may_be_old(ada: httpx.AsyncClient, standby: Standby) -> None:
    before = await write(ada)
    async with standby.paused():
        now = await write(ada)
        paths = await listed(ada)
        assert before in paths
        assert now not in paths
        counted = await ada.get("/articles", params={"count": "exact"})
        assert int(counted.headers["x-total-count"]) == len(paths)
    assert now in await listed(ada)


async def test_whoever_has_written_reads_it_by_its_name(ada: httpx.AsyncClient, standby: Standby) -> None:
    async with standby.paused():
        path = await write(ada)
        first = await ada.get(path)
        assert first.status_code == 200
        body = {"title": "Changed"}
        changed = await ada.patch(path, json=body, headers={"If-Match": first.headers["etag"]})
        assert changed.status_code == 200
        again = await ada.get(path)
        assert (again.json()["title"], again.headers["etag"]) == ("Changed", changed.headers["etag"])
        comments = await ada.get(f"{path}/comments")
        assert (comments.status_code, comments.json()) == (200, [])
        assert (await ada.delete(path)).status_code == 204
        assert (await ada.get(path)).status_code == 404


async def test_who_may_do_what_is_never_old(server: Server, standby: Standby) -> None:
    async with standby.paused(), server.member() as eve:  # who registers and logs in meanwhile
        assert (await eve.get("/users/me")).status_code == 200
        workspace = (await eve.post("/workspaces", json={"name": "New"})).json()["id"]
        assert (await eve.post(f"/workspaces/{workspace}/activate")).status_code < 300
        assert (await eve.get(f"/workspaces/{workspace}")).json()["role"] == "owner"
        assert workspace in [one["id"] for one in (await eve.get("/workspaces")).json()]
        await write(eve)
        assert (await eve.post("/auth/logout")).status_code == 204
        assert (await eve.get("/users/me")).status_code == 401
        assert (await eve.get("/articles")).status_code == 401


async def test_a_new_password_is_the_only_one_at_once(server: Server, standby: Standby) -> None:
    async with server.member() as eve:
        name = (await eve.get("/users/me")).json()["username"]
        async with standby.paused():
            change = {"current_password": PASSWORD, "new_password": "another battery staple"}
            assert (await eve.post("/users/me/password", json=change)).status_code < 300
            logins = [{"username": name, "password": password} for password in (PASSWORD, change["new_password"])]
            async with server.client() as client:
                assert [(await client.post("/auth/login", data=login)).status_code for login in logins] == [401, 200]


async def test_without_the_replica_the_primary_answers_until_it_is_back(
    server: Server, ada: httpx.AsyncClient, standby: Standby
) -> None:
    path = await write(ada)
    await standby.catch_up()
    assert path in await listed(ada)
    before = len(server.log())
    await asyncio.to_thread(standby.stop)
    now = await write(ada)
    for _ in range(20):
        assert {path, now} <= await listed(ada)
        assert (await ada.get("/health/ready")).status_code == 200
    assert server.log()[before:].count("replica_lost") == 1
    await asyncio.to_thread(standby.start)

    async def found() -> bool:
        await listed(ada)
        return "replica_found" in server.log()[before:]

    await until(found)
    async with standby.paused():
        now = await write(ada)
        assert now not in await listed(ada), "from the replica again"
    assert not server.complaints()


async def test_a_replica_that_dies_in_the_middle_fails_no_request(
    server: Server, ada: httpx.AsyncClient, standby: Standby
) -> None:
    statuses: set[int] = set()
    enough = False

    async def read_on() -> None:
        while not enough:
            statuses.add((await ada.get("/articles")).status_code)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(read_on())
        await asyncio.to_thread(standby.kill)
        before = len(server.log())
        await asyncio.to_thread(standby.start)

        async def found() -> bool:
            return "replica_found" in server.log()[before:]

        await until(found)
        enough = True
    assert statuses == {200}


async def test_what_the_replica_cancels_to_replay_is_read_from_the_primary(
    primary: OwnPostgres, standby: Standby, settings: Settings
) -> None:
    urls = {"database_url": SecretStr(primary.dsn), "database_read_url": SecretStr(standby.dsn)}
    there = case((func.pg_is_in_recovery(), cast(func.pg_sleep(30), String)), else_="the primary")
    slow_there = select(there).select_from(table("short_lived"))
    async with open_database(settings.model_copy(update=urls)) as database:
        in_the_way = await connect(primary.dsn)
        try:
            await in_the_way.execute("CREATE TABLE short_lived AS SELECT 1 AS id")
            await standby.catch_up()
            with capture_logs() as logs:
                reading = asyncio.create_task(database.reader().one_or_none(slow_there))
                watch = await connect(standby.dsn)

                async def sleeps() -> object:
                    return await watch.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")

                await until(sleeps)
                await watch.close()
                await in_the_way.execute("DROP TABLE short_lived")
                await in_the_way.execute("CREATE TABLE short_lived AS SELECT 1 AS id")
                assert await reading == "the primary"
        finally:
            await in_the_way.execute("DROP TABLE short_lived")
            await in_the_way.close()
    assert [log["event"] for log in logs] == ["replica_lost"]


async def test_without_the_primary_strangers_read_on(
    server: Server, ada: httpx.AsyncClient, primary: OwnPostgres, standby: Standby
) -> None:
    path = await write(ada)
    await standby.catch_up()

    async with server.client() as stranger:

        async def from_the_replica() -> bool:
            return path in await listed(stranger)

        await until(from_the_replica)
        await asyncio.to_thread(primary.stop)
        try:
            assert path in await listed(stranger)
            assert (await stranger.get(path)).status_code == 503
            assert (await stranger.get("/health/ready")).status_code == 503
            assert (await ada.get("/articles")).status_code == 503, "nobody knows whether this session still lives"
        finally:
            await asyncio.to_thread(primary.start)

        async def ready() -> bool:
            return (await stranger.get("/health/ready")).status_code == 200

        await until(ready)
