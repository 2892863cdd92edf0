"""What is asked of a connection that begins, and what a pooler's is spared; tests/chaos has a real PgBouncer."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy import Select, column, func, select, table, text

from app.config import Settings
from app.database.database import Database, open_database

PREPARED = text("SELECT count(*) FROM pg_prepared_statements")
TIMEOUT = select(func.current_setting("statement_timeout"))


async def ask(database: Database) -> tuple[str | None, int | None]:
    """The time limit of a statement, and how many are kept after some of them."""
    limits = {await database.reader().one_or_none(TIMEOUT) for _ in range(2)}
    async with database.unit_of_work() as uow:
        limits.add(await uow.session.scalar(TIMEOUT))
        (limit,) = limits
        return limit, await uow.session.scalar(PREPARED)


async def test_postgresql_itself_is_told_the_limits_and_keeps_statements(own_settings: Settings) -> None:
    async with open_database(own_settings) as database:
        limit, kept = await ask(database)
    assert limit == "30s"
    assert kept


async def test_a_pooler_is_told_nothing_that_would_stay_behind(
    own_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncpg.Connection, "get_server_pid", lambda _: 4_000_000_000)  # PgBouncer invents one
    async with open_database(own_settings) as database:
        assert await ask(database) == ("0", 0)


async def test_a_limit_of_zero_leaves_what_the_database_says(own_settings: Settings) -> None:
    none = {f"database_{limit}_timeout": 0.0 for limit in ("statement", "lock", "idle")}
    async with open_database(own_settings.model_copy(update=none)) as database:
        limit, kept = await ask(database)
    assert limit == "0"
    assert kept, "and is no reason to take it for a pooler"


async def test_behind_a_pooler_a_column_may_change_its_type(
    own_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement without a name PostgreSQL does not refuse then: what it sends must not be read as it was before."""
    monkeypatch.setattr(asyncpg.Connection, "get_server_pid", lambda _: 4_000_000_000)
    value: Select[Any] = select(column("value")).select_from(table("changing"))
    async with open_database(own_settings) as database:

        async def change(*statements: str) -> None:
            async with database.unit_of_work() as uow:
                for statement in statements:
                    await uow.session.execute(text(statement))

        await change("CREATE TABLE changing (value bigint)", "INSERT INTO changing VALUES (1)")
        try:
            assert await database.reader().one_or_none(value) == 1
            await change("ALTER TABLE changing ALTER value TYPE double precision")
            assert await database.reader().one_or_none(value) == 1.0
        finally:
            await change("DROP TABLE changing")
