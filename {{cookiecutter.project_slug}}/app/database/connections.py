"""How a connection to PostgreSQL begins, also where PgBouncer stands between."""

import select
import time
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import structlog

from app.config import Settings
from app.database import sql_timing
from app.database.driver_errors import connecting
from app.errors import Unavailable
from app.observability import telemetry

# Seconds. A server that was out of reach is found again soon after: who still waits for the old one does not wait long.
CONNECT_TIMEOUT = 3.0

log = structlog.get_logger(__name__)


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """asyncpg's, which knows whether the other end is PostgreSQL itself or a pooler such as PgBouncer.

    From a pooler each transaction may get another connection of PostgreSQL's: what is said to one of them, a prepared
    statement or a SET, the next transaction may not find.
    """

    pooled = False
    slow = 0.0  # seconds from which on a statement is logged; 0 is never
    _poll: "select.poll | None" = None

    async def ask(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        """The rows that a statement leads to. It is counted, logged and traced like those of SQLAlchemy.

        Raises `Unavailable` when the connection is lost, and what PostgreSQL refuses as asyncpg has it.
        """
        began = time.perf_counter()
        try:
            with telemetry.statement(sql):
                rows: list[Any] = await self.fetch(sql, *arguments)
                return rows
        except (OSError, asyncpg.InterfaceError) as error:
            if self.is_closed():
                raise Unavailable("The database does not answer") from error
            raise
        finally:
            sql_timing.note(sql, time.perf_counter() - began, self.slow)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's
        """As ever. Raises asyncpg's error where PostgreSQL has made a rollback of a commit, which it does without a
        word when a statement before it failed and somebody has caught that.
        """
        status: str = await super().execute(query, *arguments, timeout=timeout)
        if status == "ROLLBACK" and query.startswith("COMMIT"):
            raise asyncpg.InFailedSQLTransactionError(
                "Nothing was committed, because a statement had failed: what may fail alone needs a savepoint"
            )
        return status

    def is_gone(self) -> bool:
        """Whether the server has closed this connection while it was idle, by all that the machine knows.

        A server says nothing on a connection that is idle but farewell: so it is enough to see whether there is
        something to read, and no question to the server is needed. asyncpg hears of it too, but may be told after the
        request that asks for the connection.
        """
        if self.is_closed():
            return True
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self._descriptor()], [], [], 0)[0])
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._descriptor(), select.POLLIN)
        return bool(self._poll.poll(0))

    def _descriptor(self) -> int:
        descriptor: int = self._transport.get_extra_info("socket").fileno()
        return descriptor


class Connector:
    """Makes connections to the database of the settings.

    asyncpg parses the URL itself, so that everything libpq knows (sslmode, several hosts, …) works in it.
    """

    def __init__(self, settings: Settings) -> None:
        self._dsn = settings.dsn
        self._slow = settings.log_slow_statement_ms / 1000
        self._warned = False
        limits = {
            "statement_timeout": settings.database_statement_timeout,
            "lock_timeout": settings.database_lock_timeout,
            "idle_in_transaction_session_timeout": settings.database_idle_timeout,
        }
        # In milliseconds, and only if there are any.
        self._limits: Final = {name: round(seconds * 1000) for name, seconds in limits.items() if seconds}

    async def __call__(self) -> Connection:
        """A new connection. Raises `Unavailable`."""
        with connecting():
            connection = await self._connect()
            try:
                if not await self._limit(connection):
                    await connection.close()
                    connection = await self._connect(statement_cache_size=0)
                    connection.pooled = True
                    await self._warn_of_missing_limits(connection)
            except BaseException:
                connection.terminate()
                raise
            connection.slow = self._slow
            return connection

    async def _connect(self, **options: Any) -> Connection:
        """The time zone is sent along, because a pooler keeps it apart for each client. It would refuse the limits."""
        connection: Connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT,
            server_settings={"timezone": "UTC"},
            connection_class=Connection,
            **options,
        )
        return connection

    async def _limit(self, connection: Connection) -> bool:
        """Set the limits, unless a pooler has answered: whether none has.

        A pooler invents the number of the process that clients are told when they connect. This one statement asks
        and sets, and is not prepared, so that it leaves nothing behind: PostgreSQL tells how many rows there were.
        """
        limits = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in self._limits.items())
        own = f"SELECT {limits or 1} WHERE pg_backend_pid() = {connection.get_server_pid()}"
        return bool(await connection.execute(own) == "SELECT 1")

    async def _warn_of_missing_limits(self, connection: Connection) -> None:
        """Say once which limits are not in force behind the pooler, where somebody else has to set them."""
        if self._warned:
            return
        self._warned = True
        for name, wanted in self._limits.items():
            there = await connection.fetchval("SELECT setting::bigint FROM pg_settings WHERE name = $1", name)
            if not 0 < there <= wanted:
                log.warning("database_limit_not_in_force", limit=name, wanted_ms=wanted, there_ms=there)
