"""Databases for one run of the tests, beside the one that DATABASE_URL names, which they never touch."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from fastapi import FastAPI
from sqlalchemy import text

from app.commands.migrations import upgrade
from app.config import Settings
from app.database.database import Database, open_database

PREFIX = "test_"


class TestDatabases:
    """A migrated template for the run, from which each worker clones its own: quicker than to migrate each."""

    __test__ = False  # for pytest: this is not a class of tests

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._run = f"{PREFIX}{secrets.token_hex(4)}"
        self._runner = asyncio.Runner()
        # Held open for the whole run under the run's name: whoever cleans up sees that it is alive.
        self._connection = self._runner.run(connect(settings.dsn, application_name=self._run))

    @property
    def template(self) -> str:
        """The address of the template."""
        return on_database(self._settings.dsn, f"{self._run}_template")

    def create_template(self) -> None:
        """Make the template with the migrations of this project."""
        self._runner.run(self._drop_leftovers())
        self._execute(f'CREATE DATABASE "{database_of(self.template)}"')
        upgrade(self._settings.model_copy(update={"database_url": type(self._settings.database_url)(self.template)}))

    def close(self) -> None:
        """Drop everything of this run."""
        self._runner.run(self._drop(self._run))
        self._runner.run(self._connection.close())
        self._runner.close()

    def _execute(self, statement: str) -> None:
        self._runner.run(self._connection.execute(statement))

    async def _drop_leftovers(self) -> None:
        """What a run that was killed has left behind."""
        names = await self._databases(PREFIX)  # first: a run that begins meanwhile is not among them
        alive = {
            row["name"] for row in await self._connection.fetch("SELECT application_name AS name FROM pg_stat_activity")
        }
        for run in {"_".join(name.split("_")[:2]) for name in names} - alive:
            await self._drop(run)

    async def _drop(self, run: str) -> None:
        for name in await self._databases(f"{run}_"):
            await self._connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _databases(self, prefix: str) -> list[str]:
        rows = await self._connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
        return [row["datname"] for row in rows]


async def clone(template: str, suffix: str) -> str:
    """A new database like the template, empty of rows; gives its address."""
    source = database_of(template)
    name = f"{source.removesuffix('_template')}_{suffix}"
    connection = await connect(on_database(template, "postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    finally:
        await connection.close()
    return on_database(template, name)


async def connect(dsn: str, application_name: str = "tests") -> asyncpg.Connection:
    return await asyncpg.connect(dsn, server_settings={"application_name": application_name})


def database_of(dsn: str) -> str:
    return urlsplit(dsn).path.strip("/")


def on_database(dsn: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def until_somebody_waits(database: Database) -> None:
    """Wait until a statement on this database waits for a lock, so that what is under test is where it should be."""
    waiters = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with database.reads.sessions() as session:
        while not await session.scalar(waiters):  # noqa: ASYNC110  # PostgreSQL tells nobody that somebody waits
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened_with(app: FastAPI, settings: Settings) -> AsyncIterator[Database]:
    """The application on a database that is opened with these settings while the block runs."""
    before = app.state.database
    async with open_database(settings) as database:
        app.state.database = database
        yield database
    app.state.database = before


@asynccontextmanager
async def locked(dsn: str, table: str) -> AsyncIterator[None]:
    """Somebody else has every row of the table for himself."""
    other = await connect(dsn)
    try:
        async with other.transaction():
            await other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await other.close()
