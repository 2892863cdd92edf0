"""Pools of connections to PostgreSQL: what becomes of one between its uses."""

import json
import select
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from app import sql_timing, telemetry
from app.config import Settings
from app.connections import Connector

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
    """A pool of connections to the database of the settings."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=Connector(settings),
        # The values of a failed statement, hashes and addresses among them, stay out of the logs.
        hide_parameters=True,
        poolclass=Pool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
    )
    event.listen(engine.sync_engine, "connect", _keep_no_statements)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "before_cursor_execute", _explain, retval=True)
    if settings.otel_exporter_otlp_endpoint:
        telemetry.trace_statements(engine.sync_engine)
    sql_timing.install(engine.sync_engine, slow=settings.log_slow_statement_ms / 1000)
    return engine


def _keep_no_statements(connection: Any, _record: object) -> None:
    """Have each statement prepared anew where a pooler answers.

    There it has no name, and PostgreSQL would not refuse it after a migration: what it sends would be read as before.
    """
    if connection.driver_connection.pooled:
        connection._prepared_statement_cache = None  # noqa: SLF001  # its size is chosen before there is a connection


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
