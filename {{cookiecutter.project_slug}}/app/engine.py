"""Connections to PostgreSQL: how they are made, and when one is of no use any more."""

import json
import select
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from app import sql_timing, telemetry
from app.config import Settings
from app.driver_errors import connecting

# Seconds. A server that was out of reach is found again soon after: who still waits for the old one does not wait long.
CONNECT_TIMEOUT = 3.0
# Execution options of a statement whose plan is wanted instead of its rows.
EXPLAIN: Final = {"explain": True}


class Pool(AsyncAdaptedQueuePool):
    """Knows how many wait for a connection: until one is given back, or until a new one is made."""

    waiting = 0

    def _do_get(self) -> ConnectionPoolEntry:
        self.waiting += 1
        try:
            return super()._do_get()
        finally:
            self.waiting -= 1


def create_engine(settings: Settings) -> AsyncEngine:
    """A pool of connections to the database of the settings.

    asyncpg parses the URL itself, so that everything libpq knows (sslmode, several hosts, …) works in it.
    """

    async def connect() -> asyncpg.Connection:
        with connecting():
            return await asyncpg.connect(settings.dsn, timeout=CONNECT_TIMEOUT, server_settings=_of_session(settings))

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        # The values of a failed statement, hashes and addresses among them, stay out of the logs.
        hide_parameters=True,
        poolclass=Pool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "before_cursor_execute", _explain, retval=True)
    if settings.otel_exporter_otlp_endpoint:
        telemetry.trace_statements(engine.sync_engine)
    sql_timing.install(engine.sync_engine, slow=settings.log_slow_statement_ms / 1000)
    return engine


def _of_session(settings: Settings) -> dict[str, str]:
    """What PostgreSQL is told when a connection begins. Limits are sent only if there are any."""
    limits = {
        "statement_timeout": settings.database_statement_timeout,
        "lock_timeout": settings.database_lock_timeout,
        "idle_in_transaction_session_timeout": settings.database_idle_timeout,
    }
    return {"timezone": "UTC"} | {name: str(round(seconds * 1000)) for name, seconds in limits.items() if seconds}


def _explain(
    _connection: object, _cursor: object, statement: str, parameters: Any, context: Any, _executemany: object
) -> tuple[str, Any]:
    """Ask for the plan of a statement that says so. Here, after the ORM has put in what belongs to the workspace."""
    if context is not None and context.execution_options.get("explain"):
        statement = f"EXPLAIN (FORMAT JSON) {statement}"
    return statement, parameters


def rows_expected(plan: Any) -> int:
    """How many rows a plan leads to, which came in the place of the first column."""
    (explained,) = json.loads(plan) if isinstance(plan, str | bytes) else plan
    return int(explained["Plan"]["Plan Rows"])


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool replace a connection that the server has closed meanwhile, instead of handing it out.

    A server says nothing on a connection that is idle but farewell: so it is enough to see whether there is something
    to read, and no question to the server (`pool_pre_ping`) is needed. asyncpg hears of it too, but may be told
    after the request that asks for the connection.
    """
    driver = connection.driver_connection
    if driver.is_closed() or _is_readable(driver._transport.get_extra_info("socket").fileno()):  # noqa: SLF001  # nothing public
        raise DisconnectionError


def _is_readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
