"""The types that columns may have: how each is read from SQLAlchemy, sent, asked for and shown.

One table for all of it: a type that is in it is served everywhere, and one that is not is refused when the application
starts.
"""

import datetime as dt
import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from sqlalchemy.types import TypeEngine

from app.resources.description import Type
from app.schemas import types
from app.schemas.base import TEXT_PATTERN

EQUAL: Final = ("ne", "in", "nin")
ORDER: Final = ("gt", "gte", "lt", "lte")
TEXT: Final = ("contains", "icontains", "startswith", "endswith")

Expression = sa.ColumnElement[Any]


def _as_it_is(column: Expression) -> Expression:
    return column


@dataclass(frozen=True)
class Kind:
    """A family of types. Annotations that depend on the column are made by functions of its `Type`."""

    sent: Any  # in a body
    shown: Any
    asked: Any  # as text, in a query or a path
    operators: tuple[str, ...] = ()
    sorts: bool = True
    # The expression that `row_to_json` writes as Pydantic would; None where only Python can.
    as_json: Callable[[Expression], Expression] | None = _as_it_is


def _unpadded(column: Expression) -> Expression:
    """A CHAR(5) that holds two characters has three blanks at its end, which it does not count."""
    return column.cast(sa.Text) if isinstance(column.type, sa.CHAR) else column


def _literal(text: str) -> Expression:
    """Part of the statement, not of its parameters."""
    return sa.literal_column(f"'{text}'")


def _utc(column: Expression) -> Expression:
    return _moment(sa.func.timezone(_literal("UTC"), column), "Z")


def _moment(column: Expression, zone: str = "") -> Expression:
    """As Pydantic writes it: six digits of a second, or none."""
    written = sa.func.to_char(column, _literal('YYYY-MM-DD"T"HH24:MI:SS.US'))
    short = sa.func.replace(written, _literal(".000000"), _literal(""))
    return _bounded(column, short, "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999").concat(_literal(zone))


def _day(column: Expression) -> Expression:
    return _bounded(column, column, "0001-01-01", "9999-12-31")


def _bounded(column: Expression, finite: Expression, first: str, last: str) -> Expression:
    """The driver stores the first and the last that Python knows as infinity, and reads it as these."""
    return sa.case(
        (sa.func.isfinite(column), finite),
        (column == _literal("infinity"), _literal(last)),
        (column == _literal("-infinity"), _literal(first)),
    )


def _clock(column: Expression) -> Expression:
    written = sa.func.to_char(column.cast(sa.Interval), _literal("HH24:MI:SS.US"))
    return sa.func.replace(written, _literal(".000000"), _literal(""))


def _finite(column: Expression) -> Expression:
    """JSON has no words for infinity and what is no number: null, as Pydantic says."""
    number = column.cast(sa.Double)
    return sa.case(
        (number.cast(sa.Text).in_([_literal(word) for word in ("NaN", "Infinity", "-Infinity")]), sa.null()),
        else_=number,
    )


def _integers(bits: int) -> Any:
    return Annotated[int, Field(ge=-(2 ** (bits - 1)), le=2 ** (bits - 1) - 1)]


_asked_text: Final = Annotated[str, Field(json_schema_extra={"pattern": TEXT_PATTERN})]
_text: Final = Kind(sent=str, shown=str, asked=_asked_text, operators=(*EQUAL, *ORDER, *TEXT), as_json=_unpadded)
KINDS: Final[dict[str, Kind]] = {
    "boolean": Kind(types.Bool, bool, bool, ("ne",)),
    "smallint": Kind(types.SmallInt, int, _integers(16), (*EQUAL, *ORDER)),
    "integer": Kind(types.Int, int, _integers(32), (*EQUAL, *ORDER)),
    "bigint": Kind(types.BigInt, int, _integers(64), (*EQUAL, *ORDER)),
    "id": Kind(int, int, Annotated[int, Field(ge=1, le=2**63 - 1)]),  # a bigint that the server counts up
    "float": Kind(types.Float, float, Annotated[float, Field(allow_inf_nan=False)], (*EQUAL, *ORDER), as_json=_finite),
    "decimal": Kind(Decimal, types.Number, Decimal, (*EQUAL, *ORDER), as_json=lambda column: column.cast(sa.Text)),
    "string": _text,
    "enum": Kind(str, str, str, EQUAL, as_json=lambda column: column.cast(sa.Text)),
    "uuid": Kind(UUID, UUID, UUID, EQUAL),
    "date": Kind(types.Date, dt.date, types.Date, (*EQUAL, *ORDER), as_json=_day),
    "time": Kind(types.Time, types.Clock, types.Time, (*EQUAL, *ORDER), as_json=_clock),
    "datetime": Kind(types.Moment, types.Instant, types.Moment, (*EQUAL, *ORDER), as_json=_utc),
    "local-datetime": Kind(types.LocalMoment, types.LocalInstant, types.LocalMoment, (*EQUAL, *ORDER), as_json=_moment),
    "interval": Kind(types.Duration, types.Duration, types.Duration, (*EQUAL, *ORDER), as_json=None),
    "json": Kind(types.Json, types.Json, None, (), sorts=False),
    "array": Kind(None, None, None, ("contains",), sorts=False),
}


def type_of(column: TypeEngine[Any]) -> Type | None:  # noqa: PLR0911  # one line for each
    """What a column of this type holds; None for a type that is not served.

    A `TypeDecorator` is none: what it does to values happens in Python, which the JSON of PostgreSQL does not pass.
    """
    match column:
        case sa.Enum():
            return Type("enum", choices=tuple(column.enums))
        case sa.ARRAY() if (column.dimensions or 1) == 1 and (item := type_of(column.item_type)):
            return Type("array", item=item)
        case sa.String():
            return Type("string", length=column.length)
        case sa.Numeric() if column.asdecimal and not isinstance(column, sa.Float):
            return Type("decimal", precision=column.precision, scale=column.scale)
        case sa.DateTime():
            return Type("datetime" if column.timezone else "local-datetime")
        case sa.Time() if column.timezone:
            return None
    return next((Type(kind) for sql_type, kind in _PLAIN.items() if isinstance(column, sql_type)), None)


# In this order: the first that fits is it.
_PLAIN: Final[dict[type[TypeEngine[Any]], str]] = {
    sa.Boolean: "boolean",
    sa.SmallInteger: "smallint",
    sa.BigInteger: "bigint",
    sa.Integer: "integer",
    sa.Float: "float",
    sa.Uuid: "uuid",
    sa.Date: "date",
    sa.Time: "time",
    sa.Interval: "interval",
    sa.JSON: "json",
}


@cache
def sent(of: Type) -> Any:
    """The annotation of a field that a client sends."""
    match of.kind:
        case "string":
            limited = of.length or of.least
            return Annotated[str, Field(min_length=of.least, max_length=of.length)] if limited else str
        case "enum":
            return Literal[*of.choices]
        case "decimal":
            return Annotated[Decimal, types.Digits(of.precision, of.scale or 0) if of.precision else types.Digits()]
        case "array":
            return list[sent(of.item)]  # type: ignore[misc]
    return KINDS[of.kind].sent


def _word(choices: tuple[str, ...], value: Any) -> Any:
    """What is stored of an enum's member: by SQLAlchemy its name, unless the column says `values_callable`."""
    if not isinstance(value, enum.Enum):
        return value
    return value.name if type(value).__members__.keys() <= set(choices) else value.value


@cache
def shown(of: Type) -> Any:
    """The annotation of a field that a client receives."""
    match of.kind:
        case "enum":
            return Annotated[Literal[*of.choices], BeforeValidator(partial(_word, of.choices))]
        case "array":
            return list[shown(of.item) | None]  # type: ignore[misc]  # no constraint keeps null out of an array
    return KINDS[of.kind].shown


@cache
def asked(of: Type) -> Any:
    """The annotation of a value in a query or a path."""
    match of.kind:
        case "enum":
            return Literal[*of.choices]
        case "decimal":
            return sent(of)
        case "array":
            return asked(of.item)
    return KINDS[of.kind].asked


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
        case "decimal":
            return format(value, "f")
        case "enum":
            return str(_word(of.choices, value))
        case "uuid":
            return str(value)
        case "datetime":
            value = types.with_zone(value)
    return str(reader_of(of).dump_python(value, mode="json"))


def told(error: ValueError) -> str:
    """What is wrong with a value, as a client is told."""
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    return str(error)


def operators(of: Type, *, nullable: bool) -> tuple[str, ...]:
    """What a list may be filtered by, beside equality."""
    return (*KINDS[of.kind].operators, *(("isnull",) if nullable else ()))


def needs_python(of: Type) -> bool:
    """Whether PostgreSQL cannot write it as the contract has it."""
    return KINDS[of.kind].as_json is None or (of.item is not None and needs_python(of.item))


def as_json(of: Type, column: Expression) -> Expression:
    """The column as `row_to_json` writes it the way Pydantic would."""
    if of.item is not None and KINDS[of.item.kind].as_json is not _as_it_is:
        element = sa.func.unnest(column).column_valued("element")
        listed = sa.select(sa.func.json_agg(as_json(of.item, element))).scalar_subquery()
        empty: sa.ColumnClause[Any] = sa.literal_column("'[]'::json")
        return sa.case((column.is_not(None), sa.func.coalesce(listed, empty)))
    convert = KINDS[of.kind].as_json
    assert convert is not None  # `needs_python` was asked  # noqa: S101
    return convert(column)


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


def as_python(of: Type, column: Expression) -> Expression:
    """The column as Python gets it where it is shown: an enum by its name in PostgreSQL, whatever class the model has
    for it, and a float of four bytes with no more digits than it has.
    """
    match of.kind:
        case "enum":
            return column.cast(sa.Text)
        case "array" if of.item and of.item.kind == "enum":
            return column.cast(sa.ARRAY(sa.Text))
        case "string":
            return _unpadded(column)
        case "float":
            return column.cast(sa.Text).cast(sa.Double)
    return column
