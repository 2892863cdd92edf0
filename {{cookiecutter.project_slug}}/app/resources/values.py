"""Values as text, in a query, a path or a cursor; and as a row of the model holds them."""

import re
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.types import TypeEngine

from app.resources.description import Type
from app.resources.types import asked, sent, word
from app.schemas import types


@cache
def reader_of(of: Type) -> TypeAdapter[Any]:
    """What makes a value of the text in a query, or raises Pydantic's `ValidationError`."""
    return TypeAdapter(asked(of))


_DAY: Final = r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_IN_A_LIST: Final = {
    "boolean": "(true|false)",
    "smallint": r"-?\d{1,4}",
    "integer": r"-?\d{1,9}",
    "bigint": r"-?\d{1,18}",
    "float": r"-?\d{1,15}(\.\d{1,15})?",
    "string": r"[^,\x00]*",
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "date": _DAY,
    "time": _CLOCK,
    "datetime": f"{_DAY}T{_CLOCK}Z",
    "local-datetime": f"{_DAY}T{_CLOCK}",
    "interval": r"P\d{1,5}D",
}


def listed(of: Type, most: int) -> dict[str, Any]:
    """The schema of as many values, with commas between them."""
    one = _IN_A_LIST.get(of.kind, "")
    if of.kind == "enum":
        one = f"({'|'.join(map(re.escape, of.choices))})"
    elif of.kind == "decimal":
        one = sent(of).__metadata__[0].pattern[1:-1]
    return {"type": "string", "pattern": f"^{one}(,{one}){{0,{most - 1}}}$", "description": "Comma-separated"}


def value_of(of: Type, text: str) -> Any:
    """The value that stands as this text in a query or a path. Raises `ValueError`."""
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return reader_of(of).validate_python(text)


def text_of(of: Type, value: Any) -> str:
    """The text that `value_of` reads as this value."""
    match of.kind:
        case "smallint" | "integer" | "bigint" | "uuid":
            return str(value)
        case "decimal":
            return format(value, "f")
        case "enum":
            return str(word(of.choices, value))
        case "datetime":  # as Pydantic writes it, in a tenth of the time: each page of most lists ends in one
            return types.with_zone(value).isoformat().replace("+00:00", "Z")
    return str(reader_of(of).dump_python(value, mode="json"))


def told(error: ValueError) -> str:
    """What is wrong with a value, as a client is told."""
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    return str(error)


def held(column: TypeEngine[Any], value: Any) -> Any:
    """A value that was sent as a row of the model has it once it is read: a member of an enum, a CHAR with its blanks.

    SQLAlchemy knows the rows of an INSERT again by their keys, and rules by hand compare with what they find.
    """
    if value is None:
        return None
    match column:
        case sa.Enum(enum_class=kinds) if kinds is not None:
            return dict(zip(column.enums, kinds, strict=True))[value]
        case sa.ARRAY():
            return [held(column.item_type, one) for one in value]
        case sa.CHAR(length=length) if length:
            return value.ljust(length)
    return value
