"""Through PgBouncer in transaction mode: every transaction may be on another connection of PostgreSQL's."""

import asyncio
import random
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from alembic.util import CommandError
from pydantic import SecretStr
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app.commands.migrations import upgrade
from app.config import Settings
from app.database.database import Database, open_database
from app.errors import Conflict
from app.models.audit_event import AuditEvent
from app.models.user import User
from app.repositories.base import Repository
from tests.chaos.pgbouncer import SHIPPED, PgBouncer, pgbouncer
from tests.databases import connect
from tests.people import HASH
from tests.servers import OwnPostgres, Server, own_postgres, served, until
from tests.traffic import ARTICLE

POOLS = 4  # as many processes as together want more connections than PgBouncer has
TRANSACTIONS = 10_000
LIMITS = {"statement_timeout": "statement", "lock_timeout": "lock", "idle_in_transaction_session_timeout": "idle"}


@pytest.fixture(scope="module")
async def postgres(settings: Settings) -> AsyncIterator[OwnPostgres]:
    """A server with passwords, and with the tables in it."""
    with own_postgres() as postgres:
        own = {"database_url": SecretStr(postgres.dsn), "environment": "production"}
        await asyncio.to_thread(upgrade, settings.model_copy(update=own))
        yield postgres


@pytest.fixture(scope="module")
async def bouncer(postgres: OwnPostgres) -> AsyncIterator[PgBouncer]:
    async with pgbouncer(postgres.dsn) as bouncer:
        yield bouncer


@pytest.fixture(scope="module")
def through(settings: Settings, bouncer: PgBouncer) -> Settings:
    """Settings whose database is behind PgBouncer, and whose time limits are those of production."""
    defaults = {name: Settings.model_fields[name].default for name in map(setting, LIMITS.values())}
    return settings.model_copy(update={"database_url": SecretStr(bouncer.dsn), **defaults})


@pytest.fixture
async def database(through: Settings) -> AsyncIterator[Database]:
    async with open_database(through) as database:
        yield database


@pytest.fixture(scope="module")
async def server(bouncer: PgBouncer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """The application behind PgBouncer, in a process of its own."""
    async with served(bouncer.dsn, tmp_path_factory.mktemp("logs"), DATABASE_POOL_TIMEOUT="30") as server:
        yield server


def setting(limit: str) -> str:
    return f"database_{limit}_timeout"


def user() -> User:
    name = secrets.token_hex(8)
    return User(email=f"{name}@example.com", username=name, hashed_password=HASH)


async def write(database: Database) -> None:
    """Two rows, of which the second is about the first."""
    async with database.unit_of_work() as uow:
        added = await Repository(User, uow.session).add(user())
        await Repository(AuditEvent, uow.session).add(AuditEvent(action="registered", actor_id=added.id))


async def read_and_write(database: Database) -> None:
    """A row that is locked, changed, and refused in part."""
    async with database.unit_of_work() as uow:
        newest = select(User).order_by(User.id.desc()).limit(1).with_for_update(skip_locked=True)
        found = (await uow.session.scalars(newest)).one_or_none()
        if found is None:
            return
        found.email = f"{secrets.token_hex(8)}@example.com"
        with pytest.raises(Conflict):
            async with uow.session.begin_nested():
                taken = User(email="other@example.com", username=found.username, hashed_password=HASH)
                await Repository(User, uow.session).add(taken)


async def read(database: Database) -> None:
    """What is sent once with its values and once without, what is counted, and what is JSON."""
    reader = database.reader()
    some = await reader.all(select(User).where(User.id > random.randrange(100)).order_by(User.id).limit(5))  # noqa: S311  # any will do
    assert await reader.one_or_none(
        select(func.count()).select_from(User).where(User.id.in_(u.id for u in some))
    ) == len(some)


async def look(client: httpx.AsyncClient) -> None:
    assert (
        await client.get("/articles", params={"limit": "5", "include": "author", "count": "exact"})
    ).status_code == 200


async def publish(client: httpx.AsyncClient) -> None:
    created = await client.post("/articles", json=ARTICLE | {"title": secrets.token_hex(8)})
    assert created.status_code == 201, created.text
    changed = await client.patch(created.headers["location"], json={"published": True})
    assert changed.status_code == 200, changed.text
    assert (await client.get(created.headers["location"])).status_code == 200


async def transactions(dsn: str) -> int:
    """How many PostgreSQL has committed in this database, as it notes them from time to time."""
    connection = await connect(dsn)
    try:
        return int(
            await connection.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        )
    finally:
        await connection.close()


@pytest.mark.timeout(300)
async def test_robustness_46_10_000_transactions_without_an_error(
    bouncer: PgBouncer, postgres: OwnPostgres, through: Settings, server: Server
) -> None:
    before = await transactions(postgres.dsn)
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(through)) for _ in range(POOLS)]
        client = await stack.enter_async_context(server.member())

        async def work(database: Database) -> None:
            for _ in range(TRANSACTIONS // (POOLS * through.database_pool_size * 4) + 1):
                for step in (read, write, read, read_and_write):
                    await step(database)

        async def use() -> None:
            for _ in range(TRANSACTIONS // 100):
                await look(client)
                await publish(client)

        async with asyncio.TaskGroup() as tasks:
            for database in databases:
                for _ in range(through.database_pool_size):
                    tasks.create_task(work(database))
            for _ in range(4):
                tasks.create_task(use())

    async def all_are_noted() -> bool:
        return await transactions(postgres.dsn) - before >= TRANSACTIONS

    await until(all_are_noted)
    assert not server.complaints()
    assert not bouncer.complaints()


async def test_connections_are_shared(through: Settings, postgres: OwnPostgres) -> None:
    """So what is seen to work here is not one connection of PostgreSQL's for each of the application's."""
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(through)) for _ in range(POOLS)]
        readers = [database.reader() for database in databases]
        for reader in readers * 2:  # one after the other, each on a connection of its own to PgBouncer
            await reader.one_or_none(select(func.pg_backend_pid()))
        pids = {await reader.one_or_none(select(func.pg_backend_pid())) for reader in readers}
        assert len(pids) < POOLS
        assert [database.reads.sessions.kw["bind"].pool.checkedin() for database in databases] == [1] * POOLS


@pytest.mark.parametrize("limit", LIMITS)
async def test_the_time_limits_are_in_force(database: Database, through: Settings, limit: str) -> None:
    wanted = getattr(through, setting(LIMITS[limit]))
    question = select(func.current_setting(limit))
    async with database.unit_of_work() as uow:
        assert await uow.session.scalar(question) == f"{wanted:.0f}s"
    assert await database.reader().one_or_none(question) == f"{wanted:.0f}s"


async def test_a_limit_that_is_not_in_force_is_told_once(
    settings: Settings, through: Settings, postgres: OwnPostgres
) -> None:
    without = re.sub(" connect_query=.*", "", SHIPPED.read_text(encoding="utf-8"))
    async with pgbouncer(postgres.dsn, without) as bouncer:
        behind = through.model_copy(update={"database_url": SecretStr(bouncer.dsn)})
        with capture_logs() as logs:
            async with open_database(behind) as database:
                await asyncio.gather(*(read(database) for _ in range(10)))
    assert [(log["event"], log["limit"], log["there_ms"]) for log in logs] == [
        ("database_limit_not_in_force", limit, 0) for limit in LIMITS
    ]


async def test_times_are_told_in_utc(database: Database, postgres: OwnPostgres) -> None:
    connection = await connect(postgres.dsn)
    await connection.execute("ALTER ROLE embedded SET timezone = 'Asia/Tokyo'")
    try:
        assert await database.reader().one_or_none(select(func.current_setting("TimeZone"))) == "UTC"
    finally:
        await connection.execute("ALTER ROLE embedded RESET timezone")
        await connection.close()


async def test_without_pgbouncer_503_and_with_it_all_is_well_again(bouncer: PgBouncer, server: Server) -> None:
    async with server.member() as client:
        bouncer.stop()
        assert (await client.get("/articles")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200
        await bouncer.start()
        await look(client)
        await publish(client)


async def test_migrations_want_postgresql_itself(through: Settings) -> None:
    """Their lock is a connection's; behind PgBouncer it would stay with a connection that nobody knows."""
    production = through.model_copy(update={"environment": "production"})
    with pytest.raises(CommandError, match="leads to a pooler"):
        await asyncio.to_thread(upgrade, production)
