"""How the application talks to PostgreSQL: a UnitOfWork to write, a Reader to read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Result, Select
from sqlalchemy import Row as SqlRow
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from app import discovery, retries, tenancy
from app.config import Settings
from app.driver_errors import translated
from app.engine import EXPLAIN, create_engine, rows_expected
from app.errors import Unavailable
from app.replica import Replica, is_its_own, reason_of

# Models refer to each other by name: whoever uses one needs all of them.
with discovery.assembling():
    list(discovery.modules("app.models"))

Row = TypeVar("Row")
Columns = TypeVarTuple("Columns")
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
        self._transaction: AbstractAsyncContextManager[AsyncSession] = self._sessions.begin()
        self.session = await self._transaction.__aenter__()
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
            await self._transaction.__aexit__(kind, error, traceback)
        except DBAPIError:
            if error is None:
                raise
        if error is None:  # else, with or without a rollback: a connection that is lost takes its transaction along
            await self._follow_up()

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


class Reader:
    """Single statements in autocommit.

    A read in BEGIN … ROLLBACK costs three round trips where this costs one. Each statement takes a
    connection and gives it back, so that nothing is held while the request does something else.

    Where there is a replica it answers, and may not know yet what was committed a moment ago.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        scope: dict[Any, Any] | None = None,
        replica: Replica | None = None,
    ) -> None:
        self._sessions = sessions
        self._scope = scope or {}
        self._replica = replica

    def fresh(self) -> "Reader":
        """The same from the primary, which knows of every commit: for what decides who may do what."""
        return Reader(self._sessions, self._scope)

    def within(self, workspace_id: int) -> "Reader":
        """Reads of the rows of this workspace, and no others."""
        scope: dict[Any, Any] = {}
        tenancy.bind(scope, workspace_id)
        return Reader(self._sessions, scope, self._replica)

    def unscoped(self) -> "Reader":
        """Reads of the rows of every workspace. The statement has to know what it may show."""
        scope: dict[Any, Any] = {}
        tenancy.lift(scope)
        return Reader(self._sessions, scope, self._replica)

    async def all(self, statement: Select[Row]) -> Sequence[Row]:
        """The first column of every row."""
        return (await self._result(statement)).scalars().all()

    async def one_or_none(self, statement: Select[Row]) -> Row | None:
        """The first column of the only row.

        Raises `MultipleResultsFound` when there is more than one: the statement is wrong then, not the request.
        """
        return (await self._result(statement)).scalars().one_or_none()

    async def rows(self, statement: Select[Any]) -> Sequence[SqlRow[Any]]:
        """Every row, with all its columns."""
        return (await self._result(statement)).all()

    async def estimate(self, statement: Select[Any]) -> int:
        """How many rows PostgreSQL's planner expects, which takes no look at them."""
        return rows_expected((await self._result(statement, execution_options=EXPLAIN)).scalar())

    async def row(self, statement: Select[*Columns], **values: Any) -> SqlRow[*Columns] | None:
        """The only row, with all its columns. `values` are for the `bindparam`s of a statement that was built before.

        Raises `MultipleResultsFound` when there is more than one.
        """
        return (await self._result(statement, values)).one_or_none()

    async def _result(self, statement: Select[*Columns], *values: Any, **options: Any) -> Result[*Columns]:
        """What the replica answers, or else the primary."""
        with translated():
            if self._replica is not None and self._replica.may_be_asked():
                try:
                    answer = await self._execute(self._replica.sessions, statement, *values, **options)
                except (DBAPIError, Unavailable) as error:
                    if not is_its_own(error):
                        raise
                    self._replica.lose(reason_of(error))
                else:
                    self._replica.find()
                    return answer
            return await self._execute(self._sessions, statement, *values, **options)

    async def _execute(
        self, sessions: async_sessionmaker[AsyncSession], statement: Select[*Columns], *values: Any, **options: Any
    ) -> Result[*Columns]:
        async with sessions(info=self._scope) as session:
            result: Result[*Columns] = await session.execute(statement, *values, **options)
            return result


@dataclass(frozen=True)
class Database:
    """Where units of work and readers come from."""

    writes: async_sessionmaker[AsyncSession]
    reads: async_sessionmaker[AsyncSession]
    replica: Replica | None = None

    def unit_of_work(self) -> UnitOfWork:
        """A new transaction, to be entered with `async with`."""
        return UnitOfWork(self.writes)

    def reader(self) -> Reader:
        """Reads that need no transaction."""
        return Reader(self.reads, replica=self.replica)


def sessions(bind: AsyncEngine | AsyncConnection, **options: Any) -> async_sessionmaker[AsyncSession]:
    """Sessions that keep to a workspace: the only kind that the application uses."""
    return async_sessionmaker(bind, sync_session_class=tenancy.TenantSession, expire_on_commit=False, **options)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database while the block runs. Connects on the first statement, not here: a start does not wait for it."""
    async with AsyncExitStack() as engines:

        def open_engine(of: Settings) -> AsyncEngine:
            engine = create_engine(of)
            engines.push_async_callback(engine.dispose)
            return engine

        primary = open_engine(settings)
        replica = None
        if settings.database_read_url is not None:
            copy = open_engine(settings.model_copy(update={"database_url": settings.database_read_url}))
            replica = Replica(sessions(_autocommit(copy)))
        yield Database(writes=sessions(primary), reads=sessions(_autocommit(primary)), replica=replica)


def _autocommit(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")
