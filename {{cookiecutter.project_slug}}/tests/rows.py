"""Rows of any model, made of what its columns ask for: factories for tests that are about all models alike."""

import datetime as dt
import itertools
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, inspect
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.base import Declarative
from app.models.resource import snake
from app.resources.catalog import catalog_of
from app.resources.description import Entity, Field, Taken, Type

# No two examples are the same where it can be helped: a column may be unique.
_counter = itertools.count(1)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHORT = 3
_SMALL = 9

_EXAMPLES: dict[str, Any] = {
    "boolean": True,
    "id": 7,
    "float": 7.5,
    "interval": "P1D",
    "json": {"a": [1, None]},
}


def example(of: Type, word: str) -> Any:
    """A value for a field of this type, as JSON has it. What is text holds the word, as far as it fits."""
    number = next(_counter)
    match of.kind:
        case "string":
            return _text(f"{word} {number}", number, of.length)
        case "enum":
            return of.choices[0]
        case "decimal":
            whole = (of.precision or _SMALL) - (of.scale or 0)
            return str(number % 10 ** min(whole, _SMALL))
        case "array":
            return [example(of.item, word)] if of.item else []
    return (_EXAMPLES | _countable(number))[of.kind]


def _countable(number: int) -> dict[str, Any]:
    moment = dt.datetime(2026, 2, 3, 4, tzinfo=dt.UTC) + dt.timedelta(days=number % 300, seconds=number % 30_000)
    day, _, clock = f"{moment:%Y-%m-%dT%H:%M:%S}".partition("T")
    moments = {"date": day, "time": clock, "datetime": f"{day}T{clock}Z", "local-datetime": f"{day}T{clock}"}
    return moments | dict.fromkeys(("smallint", "integer", "bigint"), number % 2**15) | {"uuid": str(uuid.uuid4())}


def _text(text: str, number: int, length: int | None) -> str:
    """The text; where it is too long for the column, what fits of the number in as few characters as can be."""
    if length is None or len(text) <= length:
        return text
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return f"{text[: max(length - _SHORT, 0)]}{digits.zfill(_SHORT)[-min(length, _SHORT) :]}"


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
    """Of `categories.id`: `category_id`."""
    mappers = Declarative.registry.mappers
    model = next((mapper.class_.__name__ for mapper in mappers if mapper.local_table is column.table), "")
    return f"{snake(model)}_{column.name}"


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
