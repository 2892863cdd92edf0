"""The database of an application, from its settings: units of work to write, readers to read."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from app import discovery
from app.config import Settings
from app.database import tenancy
from app.database.engine import create_engine, create_read_pool
from app.database.reader import Reader
from app.database.replica import ReadSource, Replica
from app.database.unit_of_work import UnitOfWork

# Models refer to each other by name: whoever uses one needs all of them.
with discovery.assembling():
    list(discovery.modules("app.models"))


@dataclass(frozen=True)
class Database:
    """Where units of work and readers come from."""

    writes: async_sessionmaker[AsyncSession]
    reads: ReadSource
    replica: Replica | None = None

    def unit_of_work(self) -> UnitOfWork:
        """A new transaction, to be entered with `async with`."""
        return UnitOfWork(self.writes)

    def reader(self) -> Reader:
        """Reads that need no transaction."""
        return Reader(self.reads, replica=self.replica)


def sessions(bind: AsyncEngine | AsyncConnection, **options: Any) -> async_sessionmaker[AsyncSession]:
    """Sessions that keep to a workspace: the only kind that the application uses.

    One that was closed refuses, where SQLAlchemy would begin a transaction anew, which nobody commits or ends.
    """
    return async_sessionmaker(
        bind, sync_session_class=tenancy.TenantSession, expire_on_commit=False, close_resets_only=False, **options
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database while the block runs. Connects on the first statement, not here: a start does not wait for it."""
    async with AsyncExitStack() as engines:

        def open_source(of: Settings) -> tuple[AsyncEngine, ReadSource]:
            engine, pool = create_engine(of), create_read_pool(of)
            engines.push_async_callback(engine.dispose)
            engines.push_async_callback(pool.close)
            return engine, ReadSource(sessions(engine.execution_options(isolation_level="AUTOCOMMIT")), pool)

        primary, reads = open_source(settings)
        replica = None
        if settings.database_read_url is not None:
            _, copy = open_source(settings.model_copy(update={"database_url": settings.database_read_url}))
            replica = Replica(copy)
        yield Database(writes=sessions(primary), reads=reads, replica=replica)
