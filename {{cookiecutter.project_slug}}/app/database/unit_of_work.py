"""Writing: one transaction, which is committed where its block ends."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self, cast
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from app.database import retries, tenancy
from app.database.connections import Connection
from app.database.driver_errors import translated
from app.database.prepared import Prepared

AfterCommit = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)

# In which databases a task has a unit of work open. Another task needs its own: a session serves one at a time.
_open: Final[WeakKeyDictionary[asyncio.Task[Any], set[async_sessionmaker[AsyncSession]]]] = WeakKeyDictionary()


class NestedUnitOfWorkError(RuntimeError):
    """A unit of work inside another one of the same database would be a second transaction, which stays when the first
    is rolled back, and waits for ever for what that has locked. Never a client's mistake.
    """


class UnitOfWork:
    """One transaction: committed when its block ends cleanly, rolled back on any exception.

    Nobody else commits. What the driver refuses, at a flush as much as at the commit itself,
    leaves the block as one of the application's own errors.

    A function that needs one gets it from its caller; a part that may fail alone is `uow.session.begin_nested()`.
    """

    session: AsyncSession

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._after_commit: list[AfterCommit] = []

    def after_commit(self, callback: AfterCommit) -> None:
        """Call this once the data are safe: for a message to another system, or whatever else cannot be rolled back.

        A callback that fails is logged and does not turn the committed work into an error. None is left out because
        the request is cancelled; so they should not take long.
        """
        self._after_commit.append(callback)

    def enter(self, workspace_id: int) -> None:
        """See and write the rows of this workspace from now on, and no others."""
        tenancy.bind(self.session.info, workspace_id)

    @contextmanager
    def unscoped(self) -> Iterator[None]:
        """See and write the rows of every workspace while the block runs."""
        before = dict(self.session.info)
        tenancy.lift(self.session.info)
        try:
            yield
        finally:
            self.session.info.clear()
            self.session.info.update(before)

    async def fetch(self, statement: Prepared, values: Mapping[str, Any]) -> list[Any]:
        """What `Reader.fetch` does, as this transaction sees the rows that it has flushed."""
        compiled = statement.compiled(tenancy.criteria(self.session.info))
        arguments = compiled.arguments({**values, **tenancy.values(self.session.info)})
        connection = await self.session.run_sync(_driver_connection)
        if not connection.is_in_transaction():  # SQLAlchemy begins one with the first statement of its own
            await self.session.execute(select(1))
        return await connection.ask(compiled.sql, arguments)

    async def keep(self) -> None:
        """Commit what was done so far: for a revocation that ends in an error, which must not undo it.

        Nothing may follow but the `raise`.
        """
        with translated():
            await _carried_through(self._keep())

    async def __aenter__(self) -> Self:
        """Raises `NestedUnitOfWorkError` where this task has one open already."""
        self._open_here = _open.setdefault(_current_task(), set())
        if self._sessions in self._open_here:
            raise NestedUnitOfWorkError(
                "A unit of work is open here already: pass that on. For a part that may fail alone, use a savepoint: "
                "async with uow.session.begin_nested()"
            )
        self.session = self._sessions()
        self._transaction = self.session.sync_session.begin().__enter__()  # which asks nothing of the database yet
        self._open_here.add(self._sessions)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with translated():
                await _carried_through(self._end(kind, error, traceback))
                if error is not None:
                    raise error
        finally:
            self._open_here.discard(self._sessions)

    async def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.session.run_sync(self._close, kind, error, traceback)
        except DBAPIError:
            if error is None:
                raise
        if error is None:  # else, with or without a rollback: a connection that is lost takes its transaction along
            await self._follow_up()

    def _close(self, session: Session, *outcome: Any) -> None:
        """All in one, and not by SQLAlchemy's own `async with`, which starts tasks and greenlets for each part."""
        with session:
            self._transaction.__exit__(*outcome)

    async def _keep(self) -> None:
        await self.session.commit()
        await self._follow_up()

    async def _follow_up(self) -> None:
        """What the commit was the condition of."""
        retries.committed()
        while self._after_commit:
            callback = self._after_commit.pop(0)
            try:
                await callback()
            except Exception:
                log.exception("after_commit_failed", callback=getattr(callback, "__qualname__", repr(callback)))


def _driver_connection(session: Session) -> Connection:
    return cast("Connection", session.connection().connection.driver_connection)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # an `async with` stands in one  # noqa: S101
    return task


async def _carried_through(work: Coroutine[Any, Any, None]) -> None:
    """Do the work to its end although this task is cancelled meanwhile, and be cancelled then.

    A commit that is given up halfway may have happened or not, and nobody would know what has to follow.
    """
    task, cancellation = asyncio.create_task(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from task.exception()
    task.result()
