"""`python -m tools.verify.locks`: which migrations lock a table while they read all of it, as JSON.

Each runs on the database of the settings, which is empty. PostgreSQL itself tells, by event triggers (locks.sql): a
migration's text would not show what `ALTER TABLE` does in this version, nor what a function calls.

A migration that may do so, because nobody uses the table yet or it is done at night, says why in a constant of its
module: `locks_accepted = "…"`.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import asyncpg
from alembic import command
from alembic.script import Script, ScriptDirectory

from app.commands.migrations import config
from app.config import Settings, get_settings

_WATCH: Final = Path(__file__).with_name("locks.sql").read_text(encoding="utf-8")
_ALL_TABLES: Final = """
TRUNCATE verify.watched, verify.found;
INSERT INTO verify.watched SELECT oid, 0 FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_FOUND: Final = "SELECT DISTINCT ON (name, statement) name, mode, statement FROM verify.found"
_KEPT_OUT: Final = {"AccessExclusiveLock": "nobody can read or write it"}


def main() -> None:
    """Exits with a sentence for who may not watch."""
    settings = get_settings()
    found = []
    try:
        _execute(settings, _WATCH)
        for revision in _in_order(settings):
            _execute(settings, _ALL_TABLES)
            command.upgrade(config(settings), revision.revision)
            if not getattr(revision.module, "locks_accepted", ""):
                found += [_told(revision, row) for row in _execute(settings, _FOUND)]
    except asyncpg.InsufficientPrivilegeError:
        sys.exit("not measured: event triggers want a superuser of PostgreSQL, as the embedded server has")
    print(json.dumps(found))


def _in_order(settings: Settings) -> list[Script]:
    return list(ScriptDirectory.from_config(config(settings)).walk_revisions())[::-1]


def _told(revision: Script, row: Any) -> dict[str, str]:
    waits = _KEPT_OUT.get(row["mode"], "nobody can write it")
    return {
        "revision": revision.revision,
        "said": f"reads every row of {row['name']} while {waits}",
        "statement": " ".join(row["statement"].split()),
    }


def _execute(settings: Settings, statements: str) -> list[Any]:
    async def execute() -> list[Any]:
        connection = await asyncpg.connect(settings.dsn)
        try:
            if statements == _FOUND:
                return list(await connection.fetch(statements))
            await connection.execute(statements)
            return []
        finally:
            await connection.close()

    return asyncio.run(execute())


if __name__ == "__main__":
    main()
