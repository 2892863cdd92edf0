"""A real PostgreSQL for every test: each worker has a database, each test a transaction that is rolled back."""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# The application is made when its module is imported, and then wants settings. In a project they are in .env.
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))

from app.config import Settings, get_settings
from app.database.connections import Connection
from app.database.database import Database, open_database, sessions
from app.database.engine import create_engine
from app.database.read_pool import ReadPool
from app.database.replica import ReadSource
from app.main import create_app
from tests.contract import ContractTransport
from tests.databases import TestDatabases, clone
from tests.letters import Letters, MailServer, mail_server
from tests.people import People, Served
from tests.serving import serving_in_thread
from tools.embedded_postgres import EmbeddedPostgresError, serving

TEMPLATE = "template"
# Whatever the environment or .env says: plain http, nothing that goes on between tests, and patience, because twenty
# requests at once on a busy machine may wait for a connection.
IN_TESTS = {
    "environment": "development",
    "rate_limit_enabled": False,
    "worker_in_process": False,
    "redis_url": None,
    "database_read_url": None,
    "database_pool_timeout": 30.0,
    "database_statement_timeout": 30.0,
    "database_lock_timeout": 30.0,
    "smtp_host": "",
    "frontend_url": "",
    "registration_by_mail": False,
    "request_timeout": 60.0,
    "sentry_dsn": None,
    "otel_exporter_otlp_endpoint": "",
    "metrics_token": None,
}

for talkative in ("alembic", "httpx"):  # each run makes the template, each test requests: no news
    logging.getLogger(talkative).setLevel(logging.WARNING)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the embedded server and make the template: once, in the process that the workers belong to."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    settings = get_settings()
    cleanup = ExitStack()
    session.config.add_cleanup(cleanup.close)
    try:
        cleanup.enter_context(serving(settings.dsn))
    except EmbeddedPostgresError as error:
        pytest.exit(str(error), returncode=1)
    databases = TestDatabases(settings)
    cleanup.callback(databases.close)
    databases.create_template()
    session.config.stash[_template] = databases.template


_template = pytest.StashKey[str]()
_loop = pytest.StashKey[asyncio.AbstractEventLoop]()


@pytest.fixture(scope="session", autouse=True)
async def event_loop_is_known(request: pytest.FixtureRequest) -> None:  # for the hook below
    request.config.stash[_loop] = asyncio.get_running_loop()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Show where each task stands when a test has hung: the stack that interrupts it ends in the event loop."""
    try:
        return (yield)
    except pytest.fail.Exception:
        for task in asyncio.all_tasks(pyfuncitem.config.stash[_loop]):
            task.print_stack()
        raise


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: pytest.Item) -> None:
    """Tell a worker of pytest-xdist where the template is."""
    node.workerinput[TEMPLATE] = node.config.stash[_template]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest) -> str:
    """The address of the migrated template database."""
    worker = getattr(request.config, "workerinput", None)
    return str(worker[TEMPLATE]) if worker else request.config.stash[_template]


@pytest.fixture(scope="session")
async def settings(template: str, worker_id: str) -> Settings:
    """Settings that name this worker's own database."""
    dsn = await clone(template, worker_id)
    return get_settings().model_copy(update={"database_url": SecretStr(dsn), **IN_TESTS})


@pytest.fixture(scope="session")
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings)
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction that never commits."""
    async with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        await transaction.rollback()


class OneConnection(ReadPool):
    """A pool of the test's own connection, so that the application reads what the test has not committed."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(self._connect_no_more, size=1, timeout=1)
        self._connection = connection

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        if not self._idle:
            raw = await self._connection.get_raw_connection()
            self._idle.append(cast("Connection", raw.driver_connection))
        return await super().fetch(sql, arguments)

    async def _connect_no_more(self) -> Connection:
        raise AssertionError


@pytest.fixture
def database(connection: AsyncConnection) -> Database:
    """The database as the application uses it, except that its commits are savepoints."""
    both = sessions(connection, join_transaction_mode="create_savepoint")
    return Database(writes=both, reads=ReadSource(both, OneConnection(connection)))


@pytest.fixture(scope="session")
def assembled(settings: Settings) -> FastAPI:
    """The application, put together once: that takes longer than most tests."""
    return create_app(settings)


@pytest.fixture
def app(assembled: FastAPI, database: Database) -> FastAPI:
    """The application on this test's transaction."""
    assembled.state.database = database
    return assembled


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without an account. Every answer it gets is held against the contract."""
    async with httpx.AsyncClient(transport=ContractTransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
def people(app: FastAPI, database: Database, settings: Settings) -> People:
    """Makes accounts, each with a client that is logged in."""
    return People(app, database, settings)


@pytest.fixture(scope="session")
async def own_settings(template: str, settings: Settings) -> Settings:
    """Settings that name a database where commits are real."""
    dsn = await clone(template, secrets.token_hex(4))
    return settings.model_copy(update={"database_url": SecretStr(dsn)})


@pytest.fixture(scope="session")
def own_assembled(own_settings: Settings) -> FastAPI:
    """The application for that database."""
    return create_app(own_settings)


@pytest.fixture
async def own_app(own_assembled: FastAPI, own_settings: Settings) -> AsyncIterator[FastAPI]:
    """An application with real commits and a pool of connections, for what many do at once. It finds no rows."""
    async with open_database(own_settings) as database:
        async with database.unit_of_work() as uow:
            names = await uow.session.scalars(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
            )
            await uow.session.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
        own_assembled.state.database = database
        yield own_assembled


@pytest.fixture
def own_people(own_app: FastAPI, own_settings: Settings) -> People:
    """Makes accounts there."""
    return People(own_app, own_app.state.database, own_settings)


@pytest.fixture(scope="session")
async def mailbox() -> AsyncIterator[MailServer]:
    """A mail server, for every test of this process."""
    async with mail_server() as server:
        yield server


@pytest.fixture
def letters(database: Database, settings: Settings, mailbox: MailServer) -> Letters:
    """Called and awaited, it has a worker send what is due, and gives what has arrived since the last time."""
    return Letters(database, settings, mailbox)


@pytest.fixture
def own_letters(own_app: FastAPI, own_settings: Settings, mailbox: MailServer) -> Letters:
    """The same for `own_app`."""
    return Letters(own_app.state.database, own_settings, mailbox)


@pytest.fixture
def queries(connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that the test sends to the database, by SQLAlchemy and by the driver itself, savepoints aside."""
    statements: list[str] = []

    def record(*args: object) -> None:
        statement = str(args[2])
        if "SAVEPOINT" not in statement:
            statements.append(statement)

    ask = Connection.ask

    async def record_and_ask(self: Connection, sql: str, arguments: Sequence[Any]) -> list[Any]:
        statements.append(sql)
        return await ask(self, sql, arguments)

    monkeypatch.setattr(Connection, "ask", record_and_ask)
    event.listen(connection.sync_connection, "before_cursor_execute", record)
    yield statements
    event.remove(connection.sync_connection, "before_cursor_execute", record)


@pytest.fixture(scope="session")
async def served(template: str, settings: Settings) -> AsyncIterator[Served]:
    """A running server with a database of its own, the same for all tests that ask for it."""
    own = settings.model_copy(update={"database_url": SecretStr(await clone(template, secrets.token_hex(4)))})
    app = create_app(own)
    async with serving_in_thread(app) as url, open_database(own) as database:
        yield Served(url, People(app, database, own))
