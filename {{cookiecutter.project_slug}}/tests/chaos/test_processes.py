"""What goes wrong in operation, done to real processes: uvicorn, PostgreSQL, sockets."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.commands.migrations import upgrade
from app.config import Settings
from tests.databases import clone, connect
from tests.servers import PATIENCE, POOL_SIZE, OwnPostgres, Server, own_postgres, served, until
from tests.traffic import ARTICLE, Bare, Writers
from tests.watch import Watch, watching

# Keeps every title that an article ever had.
HISTORY = """
CREATE TABLE history (number bigint GENERATED ALWAYS AS IDENTITY, title text);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO history (title) VALUES (NEW.title); RETURN NULL; END $$;
CREATE TRIGGER remember AFTER UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION remember();
"""


@pytest.fixture(scope="module")
async def dsn(template: str) -> str:
    """A database for the applications of this file."""
    return await clone(template, secrets.token_hex(4))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
async def server(dsn: str, logs: Path) -> AsyncIterator[Server]:
    """An application that is still there afterwards."""
    async with served(dsn, logs) as server:
        yield server


@pytest.fixture(scope="module")
async def ada(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.member() as client:
        yield client


@pytest.fixture
async def watch(dsn: str) -> AsyncIterator[Watch]:
    async with watching(dsn) as watch:
        yield watch


@pytest.fixture
async def article(ada: httpx.AsyncClient) -> int:
    """The id of one that Ada has written."""
    return int((await ada.post("/articles", json=ARTICLE)).json()["id"])


@pytest.fixture(scope="module")
async def postgres(settings: Settings) -> AsyncIterator[OwnPostgres]:
    """A server to stop and to kill, with the tables in it."""
    with own_postgres() as postgres:
        # Migrations in development bring up the embedded server of the project; this one is up.
        own = {"database_url": SecretStr(postgres.dsn), "environment": "production"}
        await asyncio.to_thread(upgrade, settings.model_copy(update=own))
        yield postgres


@pytest.fixture(scope="module")
async def on_postgres(postgres: OwnPostgres, logs: Path) -> AsyncIterator[Server]:
    """An application that uses it."""
    async with served(postgres.dsn, logs) as server:
        yield server


async def stored(dsn: str) -> set[str]:
    """The titles that the database has."""
    connection = await connect(dsn)
    try:
        return {row[0] for row in await connection.fetch("SELECT title FROM articles")}
    finally:
        await connection.close()


async def test_robustness_33_a_constraint_that_fails_at_commit_is_no_success(
    ada: httpx.AsyncClient, watch: Watch
) -> None:
    """Over a socket the answer cannot be taken back: it must not be on its way before the commit."""
    body = ARTICLE | {"title": "Twice"}
    unique = "CONSTRAINT uq_articles_content UNIQUE (title, content) DEFERRABLE INITIALLY DEFERRED"
    await watch.connection.execute("DELETE FROM articles")
    await watch.connection.execute(f"ALTER TABLE articles ADD {unique}")
    try:
        assert [(await ada.post("/articles", json=body)).status_code for _ in range(2)] == [201, 409]
    finally:
        await watch.connection.execute("ALTER TABLE articles DROP CONSTRAINT uq_articles_content")


async def test_robustness_34_an_application_that_is_killed_loses_nothing_it_acknowledged(dsn: str, logs: Path) -> None:
    async with served(dsn, logs) as server, server.member() as client, asyncio.TaskGroup() as tasks:
        writers = Writers(client)
        writing = tasks.create_task(writers.write())
        await writers.hear(201, times=50)
        server.process.kill()
        await writing
    assert writers.acknowledged <= await stored(dsn)
    assert writers.answers.keys() == {201}


async def test_robustness_34_nor_does_postgresql(postgres: OwnPostgres, on_postgres: Server) -> None:
    async with on_postgres.member() as client, asyncio.TaskGroup() as tasks:
        writers = Writers(client)
        tasks.create_task(writers.write())
        await writers.hear(201, times=50)
        await asyncio.to_thread(postgres.kill)
        await writers.hear(503, times=Writers.NUMBER)
        await asyncio.to_thread(postgres.start)
        await writers.hear(201, times=50)
        writers.enough = True
    assert writers.acknowledged <= await stored(postgres.dsn)
    assert writers.answers.keys() == {201, 503}


async def test_robustness_35_connections_that_the_database_has_ended_fail_no_request(
    server: Server, ada: httpx.AsyncClient, watch: Watch, article: int
) -> None:
    async with watch.pool_in_use(ada, article):
        pass  # from now on every connection is open, and idle
    reads = [Bare(server, ada, "GET", f"/articles/{article}") for _ in range(POOL_SIZE)]
    writes = [Bare(server, ada, "POST", "/articles", **ARTICLE) for _ in range(POOL_SIZE)]
    with server.paused():  # so that it learns of the end no sooner than of the requests
        assert await watch.terminate() > POOL_SIZE  # the others are those of the reads
        for request in reads + writes:
            request.send()
    statuses = [await asyncio.to_thread(request.status) for request in reads + writes]
    assert statuses == [200] * len(reads) + [201] * len(writes)


async def test_robustness_36_without_postgresql_alive_but_not_ready_and_ready_soon_after(
    postgres: OwnPostgres, on_postgres: Server
) -> None:
    async with on_postgres.member() as client:
        assert (await client.get("/health/ready")).status_code == 200
        await asyncio.to_thread(postgres.stop)
        refused = await client.get("/health/ready")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.get("/health/live")).status_code == 200
        await asyncio.to_thread(postgres.start)

        async def ready() -> bool:
            return (await client.get("/health/ready")).status_code == 200

        await until(ready, within=5)
        assert (await client.post("/articles", json=ARTICLE)).status_code == 201


async def test_robustness_37_a_pool_that_is_exhausted_says_so_within_two_seconds(
    ada: httpx.AsyncClient, watch: Watch, article: int
) -> None:
    async with watch.pool_in_use(ada, article), asyncio.timeout(2):
        requests = [ada.post("/articles", json=ARTICLE), ada.get("/health/ready")]
        for response in await asyncio.gather(*requests):
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        for path in ("/articles", "/health/live"):  # reads have a pool of their own
            assert (await ada.get(path)).status_code == 200


async def test_robustness_38_clients_that_hang_up_leave_nothing_behind(
    server: Server, ada: httpx.AsyncClient, watch: Watch, article: int
) -> None:
    before = len(server.log())
    async with watch.locked(article):
        requests = [Bare(server, ada, "PATCH", f"/articles/{article}", title="Gone") for _ in range(100)]
        for number, request in enumerate(requests):
            request.begin()
            request.go_on(without=5 * (number % 2))  # every other one stops in the middle of its body
        await until(watch.all_wait)
        for number, request in enumerate(requests):
            request.abort(reset=number % 4 > 1)

    async def all_ended() -> bool:
        return server.log()[before:].count(f" path=/articles/{article} ") == len(requests)

    await until(all_ended)
    await until(lambda: watch.none("state <> 'idle'"))
    assert not server.complaints()
    async with watch.pool_in_use(ada, article):
        pass  # and every connection can be had


async def test_robustness_39_who_is_being_served_when_sigterm_comes_is_served(dsn: str, logs: Path) -> None:
    async with served(dsn, logs) as server, server.member() as client, watching(dsn) as watch:
        article = int((await client.post("/articles", json=ARTICLE)).json()["id"])
        async with watch.pool_in_use(client, article):
            server.process.terminate()
            await until(server.refuses)
        await asyncio.to_thread(server.process.wait, PATIENCE)
        assert not server.complaints()


async def test_robustness_41_of_200_changes_at_once_none_is_lost(
    ada: httpx.AsyncClient, watch: Watch, article: int
) -> None:
    async def change(title: str) -> None:
        async def changed() -> bool:
            # A connection of its own: one that was idle for long the server may close just when it is used again.
            response = await ada.patch(f"/articles/{article}", json={"title": title}, headers={"Connection": "close"})
            assert response.status_code in {200, 503}
            return response.status_code == 200

        await until(changed)

    titles = [f"Change {number}" for number in range(200)]
    await watch.connection.execute(HISTORY)
    try:
        await asyncio.gather(*map(change, titles))
        history = [row[0] for row in await watch.connection.fetch("SELECT title FROM history ORDER BY number")]
    finally:
        await watch.connection.execute("DROP FUNCTION remember CASCADE; DROP TABLE history")
    assert sorted(history) == sorted(titles)
    assert (await ada.get(f"/articles/{article}")).json()["title"] == history[-1]
