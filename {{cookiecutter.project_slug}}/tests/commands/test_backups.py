"""A database that was written into a file comes out of it again."""

import asyncio
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from app import cli
from app.config import Settings
from app.services.outbox import Outbox
from tests.databases import connect, database_of, on_database
from tests.people import People

Command = Callable[..., Any]


@pytest.fixture
async def full(own_people: People, own_settings: Settings) -> Settings:
    """A database with rows in it."""
    ada = await own_people.join(username="ada")
    for number in range(20):
        await own_people.write(ada, title=f"Ä {number}", content="'; \\ \n ☃ $1" * 1000)
    await own_people.invite(ada)
    async with own_people.database.unit_of_work() as uow:
        await Outbox(uow).put("account_exists", "ada@example.com", hint={"a": [1, None]})
    return own_settings


@pytest.fixture
async def empty(own_settings: Settings) -> Settings:
    """A database that has nothing yet."""
    name = f"{database_of(own_settings.dsn)}_{secrets.token_hex(4)}"
    connection = await connect(own_settings.dsn)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    await connection.close()
    return own_settings.model_copy(update={"database_url": SecretStr(on_database(own_settings.dsn, name))})


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `python -m app …` with these settings; gives its status and what it says."""

    async def run(settings: Settings, *arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(cli, "get_settings", lambda: settings)
        result = await asyncio.to_thread(CliRunner().invoke, cli.cli, [str(argument) for argument in arguments])
        said = result.output if result.exit_code == 0 else str(result.exception)
        assert isinstance(result.exception, SystemExit | None), said
        return result.exit_code, said

    return run


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def rows(settings: Settings) -> dict[str, list[Any]]:
    """Every row of every table."""
    connection = await connect(settings.dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        every = {table: f'SELECT t.*::text FROM "{table}" AS t ORDER BY 1' for (table,) in tables}  # noqa: S608  # ours
        return {table: [tuple(row) for row in await connection.fetch(query)] for table, query in every.items()}
    finally:
        await connection.close()


async def execute(settings: Settings, statement: str) -> None:
    connection = await connect(settings.dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_robustness_47_what_was_dumped_is_restored(
    full: Settings, empty: Settings, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "blog.dump"
    status, said = await command(full, "backup", file)
    assert status == 0, said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(tmp_path) == ["blog.dump"]
    status, said = await command(empty, "restore", file)
    assert status == 0, said
    restored = await rows(empty)
    assert restored == await rows(full)
    assert (len(restored["articles"]), len(restored["outbox"]), len(restored["alembic_version"])) == (20, 1, 1)
    # Keys go on where they were, and constraints hold.
    await execute(empty, "INSERT INTO tags (name, workspace_id) SELECT 'new', id FROM workspaces")
    with pytest.raises(asyncpg.UniqueViolationError):
        await execute(empty, "INSERT INTO users SELECT * FROM users")


async def test_what_is_there_is_lost_only_if_that_is_said(full: Settings, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "blog.dump"
    await command(full, "backup", file)
    before = await rows(full)
    # A newer schema, which refers to the old one.
    await execute(full, "CREATE TABLE news (id int PRIMARY KEY, article_id bigint REFERENCES articles)")
    await execute(full, "DELETE FROM outbox")
    changed = await rows(full)
    assert await command(full, "restore", file) == (
        1,
        "The database is not empty: restore into a new one, or say --replace to lose what is there",
    )
    assert await rows(full) == changed
    status, said = await command(full, "restore", file, "--replace")
    assert status == 0, said
    assert await rows(full) == before


async def test_a_file_that_breaks_off_changes_nothing(full: Settings, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "blog.dump"
    await command(full, "backup", file)
    before = await rows(full)
    whole = file.read_bytes()
    for length in (0, 10, len(whole) * 3 // 4):
        file.write_bytes(whole[:length])
        status, said = await command(full, "restore", file, "--replace")
        assert status == 1
        assert "failed, and nothing has changed: pg_restore: error:" in said
        assert await rows(full) == before


async def test_a_restore_into_nothing_is_a_sentence(full: Settings, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "blog.dump"
    await command(full, "backup", file)
    nowhere = full.model_copy(update={"database_url": SecretStr("postgresql://u:hidden@127.0.0.1:1/none")})
    for arguments, reason in ((["--replace"], "psql failed, and nothing has changed: "), ([], "does not answer")):
        status, said = await command(nowhere, "restore", file, *arguments)
        assert (status, reason in said, "hidden" in said) == (1, True, False)


async def test_an_older_backup_is_not_overwritten(full: Settings, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "blog.dump"
    file.write_text("all there is")
    status, said = await command(full, "backup", file)
    assert (status, "is there already" in said) == (1, True)
    assert file.read_text() == "all there is"


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [("postgresql://nobody:hidden@127.0.0.1:1/none", "Connection refused"), ("postgresql://u@127.0.0.1:1/d?a=b", "a")],
)
async def test_a_database_that_is_not_there_is_a_sentence(
    settings: Settings, command: Command, tmp_path: Path, dsn: str, reason: str
) -> None:
    elsewhere = settings.model_copy(update={"database_url": SecretStr(dsn)})
    status, said = await command(elsewhere, "backup", tmp_path / "none.dump")
    assert status == 1
    assert said.startswith("pg_dump failed, and nothing has changed: pg_dump: error:")
    assert reason in said
    assert "hidden" not in said
    assert not names(tmp_path)


async def test_a_directory_that_is_not_there_too(full: Settings, command: Command, tmp_path: Path) -> None:
    status, said = await command(full, "backup", tmp_path / "nowhere" / "blog.dump")
    assert (status, said.endswith("cannot be written: No such file or directory")) == (1, True)


@pytest.mark.parametrize(
    "dsn", ["postgresql://ada:p%40ss@db:5433/blog", "postgresql://ada@db:5433/blog?password=p%40ss"]
)
async def test_the_password_is_not_for_all_to_see(
    settings: Settings, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    """Everybody on a machine sees the arguments of every program."""
    program = tmp_path / "pg_dump"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99.1" && exit\n'
        f'echo "$@" > {tmp_path}/arguments; echo "$PGPASSWORD" > {tmp_path}/password\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    changed = settings.model_copy(update={"database_url": SecretStr(dsn)})
    status, said = await command(changed, "backup", tmp_path / "blog.dump")
    assert status == 0, said
    assert (tmp_path / "password").read_text() == "p@ss\n"
    arguments = (tmp_path / "arguments").read_text()
    assert "--dbname=postgresql://ada@db:5433/blog" in arguments
    assert "p%40ss" not in arguments
