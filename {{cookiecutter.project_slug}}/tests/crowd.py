"""A database in which every table has very many rows.

The first half is one workspace's, and there most of what belongs to something belongs to the first row of it: an
article has as many comments as others have in all. The second half is of people who have one of each. So whoever
reads through everybody's rows to find some of his own is found out.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy import Column, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapper

from app.models.base import Declarative
from app.resources.catalog import catalog_of
from app.resources.description import Type
from app.resources.types import type_of
from tests.people import HASH

ROWS: Final = 200_000
CROWD: Final = ROWS // 2  # the last row of the first half
OWNERS: Final = 500  # one in so many of the crowd's owns the workspace, and is a superuser

# What a row needs to be good for something. `n` is its number, and its key where that is one.
_MADE_SO: Final = {
    "users.username": "'user' || n",
    "users.hashed_password": f"'{HASH}'",
    "users.email_verified_at": "CASE WHEN n % 2 = 1 THEN now() END",
    "users.is_superuser": f"n % {OWNERS} = 1",
    "memberships.role": f"CASE WHEN n > {CROWD} OR n % {OWNERS} = 1 THEN 'owner' ELSE 'member' END",
    "sessions.user_id": "n",  # somebody has some, not a hundred thousand
    "refresh_tokens.session_id": "n",
    "one_time_tokens.purpose": "CASE WHEN n % 4 = 1 THEN 'reset_password' ELSE 'verify_email' END",
    "one_time_tokens.email": "'user' || n || '@example.com'",
    "outbox.kind": "'verify_email'",
}
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # it has no types
# What slows down an insertion. The foreign keys come first, because they need what is unique.
_CONSTRAINTS: Final = """
SELECT conrelid::regclass AS table, quote_ident(conname) AS name, contype = 'f' AS refers,
    pg_get_constraintdef(oid) AS definition, contype = 'c' AS checks
FROM pg_constraint
WHERE contype IN ('c', 'f', 'p', 'u') AND connamespace = 'public'::regnamespace
ORDER BY contype <> 'f'
"""
_INDEXES: Final = """
SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace
"""


async def fill(connection: asyncpg.Connection) -> None:
    """Put the rows into the tables of all models: without indexes, which are quicker made of all rows at once.

    Checks are not made anew: they may want what nobody here knows of.
    """
    constraints = await connection.fetch(_CONSTRAINTS)
    for row in constraints:
        await connection.execute(f"ALTER TABLE {row['table']} DROP CONSTRAINT {row['name']}")
    indexes = await connection.fetch(_INDEXES)
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    for table in Declarative.metadata.sorted_tables:
        await _fill(connection, table)
    for row in indexes:
        await connection.execute(row["definition"])
    for row in reversed(constraints):
        if not row["checks"]:
            definition = row["definition"] + (" NOT VALID" if row["refers"] else "")
            await connection.execute(f"ALTER TABLE {row['table']} ADD CONSTRAINT {row['name']} {definition}")
    await connection.execute("ANALYZE")


async def _fill(connection: asyncpg.Connection, table: Table) -> None:
    name = _named(table)
    await connection.execute(f"ALTER TABLE {name} SET UNLOGGED, SET (autovacuum_enabled = off)")
    await connection.execute(_insertion(table))
    for column in table.columns:
        if column.identity is not None:
            key = _DIALECT.identifier_preparer.quote(column.name)
            await connection.execute(f"ALTER TABLE {name} ALTER {key} RESTART WITH {ROWS + 1}")


async def keys_at(connection: asyncpg.Connection, model: Mapper[Any], row: int) -> dict[str, Any]:
    """The key of the row of this number, by the names of the model; of a small table, that of one that it has."""
    row = row % room(cast("Table", model.local_table)) or row
    columns = cast("list[Column[Any]]", list(model.primary_key))
    found = await connection.fetchrow("SELECT " + ", ".join(_value(column, str(row)) for column in columns))
    names = (model.get_property_by_column(column).key for column in columns)
    return dict(zip(names, found, strict=True))


def _named(table: Table) -> str:
    return str(_DIALECT.identifier_preparer.format_table(table))


def _insertion(table: Table) -> str:
    values = {column.name: _value(column, "n") for column in table.columns if _is_filled(column)}
    names = ", ".join(map(_DIALECT.identifier_preparer.quote, values))
    return (
        f"INSERT INTO {_named(table)} ({names}) OVERRIDING SYSTEM VALUE "  # noqa: S608  # our tables
        f"SELECT {', '.join(values.values())} FROM generate_series(1, {room(table)}) AS n"
    )


def _is_filled(column: Column[Any]) -> bool:
    """Whether it is not left as it is when somebody makes the row without a word about it."""
    if column.computed is not None:
        return False
    if _of(column) in _MADE_SO or column.identity is not None or _refers(column) or _is_binary(column):
        return True
    if column.nullable:
        return column.name in _shown(_owner(column))
    counts = isinstance(column.type, sa.Integer | sa.JSON)
    return not counts or column.server_default is None


def _value(column: Column[Any], n: str) -> str:
    """What the column holds in the row of this number, as SQL."""
    value = _MADE_SO.get(_of(column)) or _reference(column) or _plain(column)
    if column.nullable and column.name in _shown(_owner(column)) and not _refers(column):
        value = f"CASE WHEN n % 4 > 0 THEN {value} END"
    at = re.sub(r"\bn\b", n, value)
    return f"CAST({at} AS {column.type.compile(_DIALECT)})"


def _plain(column: Column[Any]) -> str:
    if column.identity is not None:
        return "n"
    if _is_binary(column):
        return "sha256(('token' || n)::bytea)"
    of = type_of(column.type)
    assert of is not None, f"{_of(column)}: what does such a column hold? Say it in _MADE_SO"
    if of.kind in {"datetime", "local-datetime"}:
        return "now() + (86400 + n) * INTERVAL '1 s'" if column.name == "expires_at" else _PAST
    return _example(of, column.name)


# The higher the number the newer, some at the same moment, and nothing so old that it is cleared away.
_PAST: Final = f"now() - ({ROWS} - n + n % 7) * INTERVAL '0.1 s'"


def _example(of: Type, name: str) -> str:
    match of.kind:
        case "string":
            text = "'user' || n || '@example.com'" if "email" in name else "'word ' || n"
            if _room_of(of) < ROWS:
                return f"lpad((n % {_room_of(of)})::text, {of.length}, '0')"
            return f"right({text}, {of.length})" if of.length else text
        case "enum":
            choices = ", ".join(f"'{one}'" for one in of.choices)
            return f"(ARRAY[{choices}])[1 + n % {len(of.choices)}]"
        case "decimal":
            return f"n % {_room_of(of)}"
        case "array":
            assert of.item is not None
            return f"ARRAY[{_example(of.item, name)}]"
    return _EXAMPLES.get(of.kind, "n")


_DAYS: Final = 300
_EXAMPLES: Final = {
    "boolean": "n % 2 = 1",
    "smallint": f"n % {2**15}",
    "uuid": "md5(n::text)",
    "json": "'{}'",
    "date": f"DATE '2026-01-01' + n % {_DAYS}",
    "time": "TIME '00:00' + n * INTERVAL '1 s'",
    "datetime": _PAST,
    "local-datetime": _PAST,
    "interval": "n * INTERVAL '1 s'",
}


# ------------------------------------------------------------------------------------------------------- references


def _refers(column: Column[Any]) -> bool:
    """Whether it has a key of another row: the audit log has such without a foreign key."""
    if column.identity is not None:
        return False
    return bool(column.foreign_keys) or (column.name.endswith("_id") and isinstance(column.type, sa.BigInteger))


def _reference(column: Column[Any]) -> str | None:
    if not _refers(column):
        return None
    if _is_workspace(column):
        return f"CASE WHEN n > {CROWD} THEN n ELSE 1 END"
    for place, key in enumerate(_keys(column.table)):
        if column in set(key.columns):
            (remote,) = (one.column for one in key.elements if one.parent is column)
            if remote.table is column.table:
                return f"CASE WHEN {_belongs_to_the_first(key, place)} THEN {_value(remote, '1')} END"
            if _is_distinct(key):
                return _value(remote, "n")
            first = _belongs_to_the_first(key, place)
            return f"CASE WHEN {first} THEN {_value(remote, '1')} ELSE {_value(remote, 'n')} END"
    return "CASE WHEN n % 2 = 1 THEN 1 ELSE n END" if not column.primary_key else None


def _belongs_to_the_first(key: ForeignKeyConstraint, place: int) -> str:
    return f"n <= {CROWD} AND n % {len(_keys(key.table)) + 1} = {place}"


def _is_workspace(column: Column[Any]) -> bool:
    referred = {(key.column.table.name, key.column.name) for key in column.foreign_keys}
    return (
        column.name == "workspace_id" or ("workspaces", "id") in referred or ("memberships", "workspace_id") in referred
    )


@cache
def _keys(table: Table) -> list[ForeignKeyConstraint]:
    """The foreign keys that have more than the workspace, the one with the primary key of another table first."""
    keys = [key for key in table.foreign_key_constraints if not all(map(_is_workspace, key.columns))]
    return sorted(keys, key=lambda key: (len(key.columns), str(key.name)))


def _is_distinct(key: ForeignKeyConstraint) -> bool:
    """Whether no two rows refer to the same: nothing else tells apart what is unique."""
    return any(all(column in set(key.columns) or _room(column) < ROWS for column in one) for one in _unique(key.table))


# ------------------------------------------------------------------------------------------------------------- room


@cache
def room(table: Table) -> int:
    """How many rows there can be: of countries with a code of two letters there are not so many."""
    return min((max(map(_room, unique), default=ROWS) for unique in _unique(table)), default=ROWS)


def _room(column: Column[Any]) -> int:
    """How many values the column has among the rows of one workspace."""
    if column.identity is not None:
        return ROWS
    if _is_workspace(column):
        return 1
    for key in column.foreign_keys:
        if key.column.table is not column.table:
            return _room(key.column)
    of = type_of(column.type)
    return ROWS if of is None else _room_of(of)


def _room_of(of: Type) -> int:
    digits = of.length if of.kind == "string" else (of.precision or 9) - (of.scale or 0)
    if of.kind in {"string", "decimal"}:
        return ROWS if digits is None else int(min(10**digits, ROWS))
    return {"boolean": 2, "enum": len(of.choices), "smallint": 2**15, "date": _DAYS}.get(of.kind, ROWS)


def _unique(table: Table) -> Iterator[list[Any]]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if isinstance(index, Index) and index.unique:
            yield list(index.columns)


def _of(column: Column[Any]) -> str:
    return f"{_owner(column)}.{column.name}"


def _owner(column: Column[Any]) -> str:
    table = column.table
    assert isinstance(table, Table)
    return table.name


def _is_binary(column: Column[Any]) -> bool:
    return isinstance(column.type, sa.LargeBinary)


@cache
def _shown(table: str) -> frozenset[str]:
    """The columns that clients see."""
    entities = catalog_of(Declarative).entities.values()
    return frozenset(field.name for entity in entities if entity.table == table for field in entity.fields)
