"""The migrations, on databases of their own."""

import asyncio
import io
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from pydantic import SecretStr
from typer.testing import CliRunner

from app.cli import cli
from app.commands.migrations import config, newest_revision
from app.config import ROOT, Settings, get_settings
from tests.databases import clone, connect, database_of, on_database

CATALOGUE = """
SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
ORDER BY 1
"""


@pytest.fixture
async def migrated(template: str) -> str:
    """A database with the newest schema."""
    return await clone(template, secrets.token_hex(4))


@pytest.fixture
async def empty(template: str) -> str:
    """A database without a table."""
    dsn = on_database(template, f"{database_of(template).removesuffix('_template')}_{secrets.token_hex(4)}")
    server = await connect(on_database(template, "postgres"))
    await server.execute(f'CREATE DATABASE "{database_of(dsn)}"')
    await server.close()
    return dsn


@pytest.fixture
def for_database(settings: Settings) -> Callable[[str], Config]:
    """Alembic's configuration for a database."""
    return lambda dsn: config(settings.model_copy(update={"database_url": SecretStr(dsn)}))


async def catalogue(dsn: str) -> list[str]:
    connection = await connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(CATALOGUE) if "alembic_version" not in row[0]]
    finally:
        await connection.close()


async def test_down_and_up_again_is_the_same_schema(migrated: str, for_database: Callable[[str], Config]) -> None:
    before = await catalogue(migrated)
    await asyncio.to_thread(command.downgrade, for_database(migrated), "base")
    assert await catalogue(migrated) == []
    await asyncio.to_thread(command.upgrade, for_database(migrated), "head")
    assert await catalogue(migrated) == before


async def test_the_models_are_what_the_migrations_make(migrated: str, for_database: Callable[[str], Config]) -> None:
    await asyncio.to_thread(command.check, for_database(migrated))
    connection = await connect(migrated)
    await connection.execute("ALTER TABLE articles ALTER title TYPE text, ALTER published DROP DEFAULT")
    await connection.close()
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        await asyncio.to_thread(command.check, for_database(migrated))


async def test_a_new_migration_is_numbered_and_says_what_it_does(
    migrated: str, for_database: Callable[[str], Config], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    alembic = for_database(migrated)
    alembic.set_main_option("script_location", str(tmp_path / "alembic"))
    connection = await connect(migrated)
    await connection.execute("ALTER TABLE users DROP COLUMN username")
    await connection.close()
    await asyncio.to_thread(command.revision, alembic, "add user names", autogenerate=True)
    number = f"{int(newest_revision() or 0) + 1:04}"
    written = (tmp_path / f"alembic/versions/{number}_add_user_names.py").read_text(encoding="utf-8")
    assert written.startswith('"""Add user names.\n')
    assert 'op.add_column("users", sa.Column("username"' in written


async def test_robustness_44_four_at_once_all_succeed(empty: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "alembic", "upgrade", "head"),
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": empty},
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]
    outputs = [(await process.communicate())[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], outputs
    assert sum("Running upgrade" in output for output in outputs) == 1


async def test_robustness_44_a_migration_does_not_wait_for_a_table_forever(
    migrated: str, for_database: Callable[[str], Config]
) -> None:
    impatient = for_database(migrated)
    impatient.set_main_option("lock_timeout", "50ms")
    connection = await connect(migrated)
    async with connection.transaction():
        await connection.execute("SELECT FROM articles")  # as a report does that runs for an hour
        with pytest.raises(CommandError, match="lock timeout"):
            await asyncio.to_thread(command.downgrade, impatient, "base")
    await connection.close()
    assert await catalogue(migrated)


async def test_sql_for_those_who_run_it_by_hand(
    empty: str, migrated: str, for_database: Callable[[str], Config]
) -> None:
    alembic, sql = for_database(empty), io.StringIO()
    alembic.output_buffer = sql
    await asyncio.to_thread(command.upgrade, alembic, "head", sql=True)
    assert await catalogue(empty) == [], "nothing is done, only written"
    connection = await connect(empty)
    await connection.execute(sql.getvalue())
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="audit_events is append-only"):
        await connection.execute("DELETE FROM audit_events")
    await connection.close()
    assert await catalogue(empty) == await catalogue(migrated)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "postgresql://ada:secret-word@127.0.0.1:1/blog", "Connect call failed"),
        (
            lambda dsn: urlunsplit(urlsplit(dsn)._replace(netloc=f"ada:secret-word@127.0.0.1:{urlsplit(dsn).port}")),
            "ada",
        ),
        (lambda dsn: f"{dsn}?sslmode=banana", "sslmode"),
    ],
    ids=["unreachable", "refusing", "misspelt"],
)
def test_a_database_that_cannot_be_used_is_one_line(
    template: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str], reason: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", change(template))
    monkeypatch.setattr("app.cli.get_settings", get_settings.__wrapped__)
    result = CliRunner().invoke(cli, ["migrate"])
    assert result.exit_code == 1
    assert reason in result.output
    assert len(result.output.splitlines()) == 1
    assert "secret-word" not in result.output
