"""Rows and values that a test makes: what has to be there before, and what differs from row to row."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Table, UniqueConstraint, inspect

from app.models.user import User
from app.models.workspace import Workspace
from app.resources.description import Key, Type
from tools.eject import source
from tools.eject.subject import referred

_EXAMPLES: Final = {
    "boolean": "True",
    "smallint": "7",
    "integer": "7",
    "bigint": "7",
    "float": "7.5",
    "date": '"2026-02-03"',
    "time": '"04:05:06"',
    "datetime": '"2026-02-03T04:05:06Z"',
    "local-datetime": '"2026-02-03T04:05:06"',
    "interval": '"P1D"',
    "json": '{"a": [1, None]}',
    "uuid": "str(uuid4())",
}
_NUMBER: Final = 3  # characters that the texts in a test begin with
_MISSING: Final = {
    "id": "10**12",
    "bigint": "10**12",
    "integer": "2**31 - 1",
    "smallint": "2**15 - 1",
    "string": '"nobody"',
    "uuid": "UUID(int=0)",
    "date": '"1999-01-01"',
    "decimal": '"0"',
}


def needed(model: type[Any], seen: frozenset[type[Any]] = frozenset()) -> list[type[Any]]:
    """The models whose rows have to be there before, in the order in which they can be made."""
    found: list[type[Any]] = []
    for _, other, _ in references(model):
        if other in seen or other in found:
            continue
        found += [one for one in needed(other, seen | {model}) if one not in found]
        found.append(other)
    return found


def references(model: type[Any]) -> Iterator[tuple[str, type[Any], str]]:
    """What a row refers to, beside the people and workspaces that every test has."""
    return (one for one in referred(model) if one[1] not in {User, Workspace})


def unique(model: type[Any]) -> Iterator[list[Column[Any]]]:
    table = inspect(model).local_table
    assert isinstance(table, Table)  # noqa: S101  # what is no table has no rows to make
    yield list(table.primary_key.columns)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield [column for column in index.columns if isinstance(column, Column)]


def differs(column: Column[Any]) -> bool:
    """Whether it is another in each row that a test makes."""
    if column.nullable or column.server_default is not None or column.default is not None or column.identity:
        return not isinstance(column.type.python_type, bool) and column.type.python_type is not bool
    if column.table.autoincrement_column is column:
        return True
    length = getattr(column.type, "length", None)
    text = column.type.python_type is str and (length or _NUMBER) >= _NUMBER
    free = not column.foreign_keys and not hasattr(column.type, "enums")
    return free and (text or column.type.python_type is UUID)


def example(of: Type, name: str) -> str:
    """An expression that makes a value as JSON has it."""
    match of.kind:
        case "string":
            text = f'f"{{next(NUMBERS):03}} {name.replace("_", " ")}"'
            return f"{text}[:{of.length}]" if of.length and of.length < len(name) + 8 else text
        case "enum":
            return source.quoted(of.choices[0])
        case "decimal":
            whole = "1" if not of.precision or of.precision > (of.scale or 0) else "0"
            return source.quoted(f"{whole}.{'0' * of.scale}" if of.scale else whole)
        case "array" if of.item:
            return f"[{example(of.item, name)}]"
    return _EXAMPLES[of.kind]


def repeatable(model: type[Any]) -> bool:
    """Whether several rows can be made that refer to the same others."""
    return all(any(differs(column) for column in columns) for columns in unique(model))


def missing(keys: tuple[Key, ...]) -> str:
    """The keys of a row that nobody has, as the end of a path; nothing if each might be somebody's."""
    values = [_MISSING.get(key.type.kind) for key in keys]
    if None in values:
        return ""
    return "".join(f"/{value[1:-1]}" if value[0] == '"' else f"/{{{value}}}" for value in values if value)
