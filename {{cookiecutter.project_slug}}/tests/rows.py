"""Rows of any model, made of what its columns ask for: factories for tests that are about all models alike."""

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from faker import Faker
from sqlalchemy import Column, inspect
from sqlalchemy.ext.asyncio import AsyncSession

from app.resources.catalog import catalog_of
from app.resources.description import Entity, Field, Taken, Type

fake = Faker()

_EXAMPLES: dict[str, Any] = {
    "boolean": True,
    "smallint": 7,
    "integer": 7,
    "bigint": 7,
    "id": 7,
    "float": 7.5,
    "date": "2026-02-03",
    "time": "04:05:06",
    "datetime": "2026-02-03T04:05:06Z",
    "local-datetime": "2026-02-03T04:05:06",
    "interval": "P1D",
    "json": {"a": [1, None]},
}


def example(of: Type, word: str) -> Any:
    """A value for a field of this type, as JSON has it. What is text holds the word, as far as it fits."""
    match of.kind:
        case "string":
            return f"{word} {fake.unique.random_number(digits=6)}"[: of.length]
        case "enum":
            return of.choices[0]
        case "uuid":
            return str(uuid.uuid4())
        case "decimal":
            return "1" if of.precision and of.precision > (of.scale or 0) else "0"
        case "array":
            return [example(of.item, word)] if of.item else []
    return _EXAMPLES[of.kind]


def body(model: type[Any], entity: Entity, word: str, ids: Mapping[str, int]) -> dict[str, Any]:
    """A good body to make a row with: what is required, and no more."""
    required = [field for field in entity.fields if field.created is Taken.required]
    return {field.name: _referred(model, field, ids) or example(field.type, word) for field in required}


def change(entity: Entity, word: str) -> dict[str, Any]:
    """A good body to change a row with."""
    for field in entity.fields:
        if field.updated and field.type.kind == "string":
            return {field.name: example(field.type, word)}
    return {}


def _referred(model: type[Any], field: Field, ids: Mapping[str, int]) -> int | None:
    column = inspect(model).columns[field.name]
    return next((ids[name] for key in column.foreign_keys if (name := _parameter(key.column)) in ids), None)


def _parameter(column: Column[Any]) -> str:
    """Of `articles.id`: `article_id`."""
    return f"{column.table.name.removesuffix('s')}_{column.name}"


async def make_row(session: AsyncSession, model: type[Any], word: str, ids: Mapping[str, int], owner_id: int) -> Any:
    """Insert a row. `ids` has the keys of the rows that it may refer to, as `workspace_id` or `article_id`."""
    entity = catalog_of(model).entity_of(model)
    known = dict(ids) | ({entity.owner: owner_id} if entity.owner else {})
    values: dict[str, Any] = {}
    for attribute in inspect(model).column_attrs:
        column = attribute.columns[0]
        if column.nullable or column.server_default is not None or column.default is not None or column.identity:
            continue
        if attribute.key in known:
            values[attribute.key] = known[attribute.key]
        elif column.foreign_keys:
            values[attribute.key] = next(known[_parameter(key.column)] for key in column.foreign_keys)
        else:
            values[attribute.key] = _python(entity.by_name[attribute.key].type, word)
    row = model(**values)
    session.add(row)
    await session.flush()
    return row


def _python(of: Type, word: str) -> Any:  # noqa: PLR0911  # one line for each type
    """The example as the model takes it."""
    value = example(of, word)
    match of.kind:
        case "decimal":
            return Decimal(value)
        case "uuid":
            return uuid.UUID(value)
        case "date":
            return dt.date.fromisoformat(value)
        case "time":
            return dt.time.fromisoformat(value)
        case "datetime" | "local-datetime":
            return dt.datetime.fromisoformat(value)
        case "interval":
            return dt.timedelta(days=1)
    return value
