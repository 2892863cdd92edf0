"""How Alembic reaches the database: with the application's settings, one process at a time."""

import asyncio
import time
from logging.config import fileConfig
from typing import Final

from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import SchemaItem

from app.config import Settings, get_settings
from app.database.connections import Connection as DriverConnection
from app.database.engine import create_engine
from app.development import database_server
from app.discovery import modules
from app.errors import Unavailable
from app.models.base import Declarative

# Any number will do, so long as nobody else on this database uses it for an advisory lock of his own.
MIGRATION_LOCK: Final = 4_617_315_517_961_601

settings: Settings = context.config.attributes.get("settings") or get_settings()
if "settings" not in context.config.attributes and context.config.config_file_name:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
list(modules("app.models"))  # each model registers itself with the metadata when it is imported


def number_revision(_context: MigrationContext, _revision: object, directives: list[MigrationScript]) -> None:
    """Call the next one 0002, not 3f9a…: the order shows in the folder, and two that collide show in review."""
    if directives:
        newest = ScriptDirectory.from_config(context.config).get_current_head()
        directives[0].rev_id = f"{int(newest or 0) + 1:04}"


def is_ours(item: SchemaItem, *_: object) -> bool:
    """Whether it is for migrations to make: a view, which says so in its `info`, is not."""
    return not item.info.get("view")


def run(connection: Connection) -> None:
    """Run what was asked for while nobody else migrates this database."""
    # Asked for again and again rather than waited for: a transaction that waits would hold a snapshot,
    # for which a CREATE INDEX CONCURRENTLY of the one who has the lock would wait in turn.
    while not connection.scalar(select(func.pg_try_advisory_lock(MIGRATION_LOCK))):
        connection.rollback()
        time.sleep(0.1)
    # Behind an ALTER TABLE that waits for a long query, every other query waits too: better to give up soon.
    lock_timeout = context.config.get_main_option("lock_timeout", "5s")
    connection.execute(select(func.set_config("lock_timeout", lock_timeout, text("false"))))
    # An index on a large table takes as long as it takes.
    connection.execute(select(func.set_config("statement_timeout", "0", text("false"))))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Declarative.metadata,
        compare_type=True,
        compare_server_default=True,
        process_revision_directives=number_revision,
        include_object=is_ours,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Connect and run. What the database says against it is a sentence: the traceback would tell of our libraries."""
    engine = create_engine(settings)
    try:
        connection = await engine.connect()
    except (Unavailable, DBAPIError, ValueError) as error:
        reason = error.__cause__ if isinstance(error, Unavailable) else getattr(error, "orig", error)
        raise CommandError(f"The database of DATABASE_URL cannot be used: {reason}") from error
    try:
        driver: DriverConnection | None = (await connection.get_raw_connection()).driver_connection
        if driver is not None and driver.pooled:
            raise CommandError(
                "DATABASE_URL leads to a pooler (PgBouncer), where the lock that keeps others from migrating at the "
                "same time would stay behind: for migrations it has to be the address of PostgreSQL itself"
            )
        await connection.run_sync(run)
    except DBAPIError as error:
        raise CommandError(f"The database refuses: {error.orig}\n{error.statement}") from error
    finally:
        await connection.close()
        await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Declarative.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    try:
        with database_server(settings):
            asyncio.run(run_online())
    except Unavailable as error:
        raise CommandError(error.detail) from error
