"""How the application talks to PostgreSQL: a UnitOfWork to write, a Reader to read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import asyncpg
import structlog
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.config import Settings
from app.driver_errors import connecting, translated

Row = TypeVar("Row")
AfterCommit = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class UnitOfWork:
    """One transaction: committed when its block ends cleanly, rolled back on any exception.

    Nobody else commits. What the driver refuses, at a flush as much as at the commit itself,
    leaves the block as one of the application's own errors.
    """

    session: AsyncSession

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._after_commit: list[AfterCommit] = []

    def after_commit(self, callback: AfterCommit) -> None:
        """Call this once the data are safe: mail, messages, whatever cannot be rolled back.

        A callback that fails is logged and does not turn the committed work into an error.
        """
        self._after_commit.append(callback)

    async def __aenter__(self) -> Self:
        self._transaction: AbstractAsyncContextManager[AsyncSession] = self._sessions.begin()
        self.session = await self._transaction.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with translated():
            await self._transaction.__aexit__(kind, error, traceback)
            if error is not None:
                raise error
        for callback in self._after_commit:
            try:
                await callback()
            except Exception:
                log.exception("after_commit_failed", callback=getattr(callback, "__qualname__", repr(callback)))


class Reader:
    """Single statements in autocommit.

    A read in BEGIN … ROLLBACK costs three round trips where this costs one. Each statement takes a
    connection and gives it back, so that nothing is held while the request does something else.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    async def all(self, statement: Select[Row]) -> Sequence[Row]:
        """The first column of every row."""
        with translated():
            async with self._sessions() as session:
                return (await session.scalars(statement)).all()

    async def one_or_none(self, statement: Select[Row]) -> Row | None:
        """The first column of the only row.

        Raises `MultipleResultsFound` when there is more than one: the statement is wrong then, not the request.
        """
        with translated():
            async with self._sessions() as session:
                return (await session.scalars(statement)).one_or_none()


@dataclass(frozen=True)
class Database:
    """Where units of work and readers come from."""

    writes: async_sessionmaker[AsyncSession]
    reads: async_sessionmaker[AsyncSession]

    def unit_of_work(self) -> UnitOfWork:
        """A new transaction, to be entered with `async with`."""
        return UnitOfWork(self.writes)

    def reader(self) -> Reader:
        """Reads that need no transaction."""
        return Reader(self.reads)


def create_engine(settings: Settings) -> AsyncEngine:
    """A pool of connections to the database of the settings.

    asyncpg parses the URL itself, so that everything libpq knows (sslmode, several hosts, …) works in it.
    """

    async def connect() -> asyncpg.Connection:
        with connecting():
            return await asyncpg.connect(settings.dsn, server_settings={"timezone": "UTC"})

    # hide_parameters: the values of a failed statement, hashes and addresses among them, stay out of the logs.
    return create_async_engine("postgresql+asyncpg://", async_creator=connect, hide_parameters=True)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database while the block runs. Connects on the first statement, not here: a start does not wait for it."""
    engine = create_engine(settings)
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield Database(
            writes=async_sessionmaker(engine, expire_on_commit=False),
            reads=async_sessionmaker(autocommit, expire_on_commit=False),
        )
    finally:
        await engine.dispose()
