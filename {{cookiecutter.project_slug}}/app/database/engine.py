"""Pools of connections to PostgreSQL: what becomes of one between its uses."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from app.config import Settings
from app.database import sql_timing
from app.database.connections import Connector
from app.database.read_pool import ReadPool
from app.observability import telemetry


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


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool replace a connection that the server has closed meanwhile, instead of handing it out."""
    if connection.driver_connection.is_gone():
        raise DisconnectionError


def create_read_pool(settings: Settings) -> ReadPool:
    """Connections for single statements to the same."""
    return ReadPool(Connector(settings), size=settings.database_read_pool_size, timeout=settings.database_pool_timeout)
