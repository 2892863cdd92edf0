"""The types that columns may have: how each is read from SQLAlchemy, sent, asked for and shown.

One table for all of it: a type that is in it is served everywhere, and one that is not is refused when the application
starts.
"""

import datetime as dt
import enum
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BeforeValidator, Field
from sqlalchemy.types import TypeEngine

from app.resources.description import Type
from app.resources.sql_values import Expression, as_it_is, clock, day, finite, moment, unpadded, utc
from app.schemas import types
from app.schemas.base import TEXT_PATTERN

EQUAL: Final = ("ne", "in", "nin")
ORDER: Final = ("gt", "gte", "lt", "lte")
TEXT: Final = ("contains", "icontains", "startswith", "endswith")


@dataclass(frozen=True)
class Kind:
    """A family of types. Annotations that depend on the column are made by functions of its `Type`."""

    sent: Any  # in a body
    shown: Any
    asked: Any  # as text, in a query or a path
    operators: tuple[str, ...] = ()
    sorts: bool = True
    # The expression that `row_to_json` writes as Pydantic would; None where only Python can.
    as_json: Callable[[Expression], Expression] | None = as_it_is


def _integers(bits: int) -> Any:
    return Annotated[int, Field(ge=-(2 ** (bits - 1)), le=2 ** (bits - 1) - 1)]


_asked_text: Final = Annotated[str, Field(json_schema_extra={"pattern": TEXT_PATTERN})]
_text: Final = Kind(sent=str, shown=str, asked=_asked_text, operators=(*EQUAL, *ORDER, *TEXT), as_json=unpadded)
KINDS: Final[dict[str, Kind]] = {
    "boolean": Kind(types.Bool, bool, bool, ("ne",)),
    "smallint": Kind(types.SmallInt, int, _integers(16), (*EQUAL, *ORDER)),
    "integer": Kind(types.Int, int, _integers(32), (*EQUAL, *ORDER)),
    "bigint": Kind(types.BigInt, int, _integers(64), (*EQUAL, *ORDER)),
    "id": Kind(int, int, Annotated[int, Field(ge=1, le=2**63 - 1)]),  # a bigint that the server counts up
    "float": Kind(types.Float, float, Annotated[float, Field(allow_inf_nan=False)], (*EQUAL, *ORDER), as_json=finite),
    "decimal": Kind(Decimal, types.Number, Decimal, (*EQUAL, *ORDER), as_json=lambda column: column.cast(sa.Text)),
    "string": _text,
    "enum": Kind(str, str, str, EQUAL, as_json=lambda column: column.cast(sa.Text)),
    "uuid": Kind(UUID, UUID, UUID, EQUAL),
    "date": Kind(types.Date, dt.date, types.Date, (*EQUAL, *ORDER), as_json=day),
    "time": Kind(types.Time, types.Clock, types.Time, (*EQUAL, *ORDER), as_json=clock),
    "datetime": Kind(types.Moment, types.Instant, types.Moment, (*EQUAL, *ORDER), as_json=utc),
    "local-datetime": Kind(types.LocalMoment, types.LocalInstant, types.LocalMoment, (*EQUAL, *ORDER), as_json=moment),
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


def word(choices: tuple[str, ...], value: Any) -> Any:
    """What is stored of an enum's member: by SQLAlchemy its name, unless the column says `values_callable`."""
    if not isinstance(value, enum.Enum):
        return value
    return value.name if type(value).__members__.keys() <= set(choices) else value.value


@cache
def shown(of: Type) -> Any:
    """The annotation of a field that a client receives."""
    match of.kind:
        case "enum":
            return Annotated[Literal[*of.choices], BeforeValidator(partial(word, of.choices))]
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


def operators(of: Type, *, nullable: bool) -> tuple[str, ...]:
    """What a list may be filtered by, beside equality."""
    return (*KINDS[of.kind].operators, *(("isnull",) if nullable else ()))


def needs_python(of: Type) -> bool:
    """Whether PostgreSQL cannot write it as the contract has it."""
    return KINDS[of.kind].as_json is None or (of.item is not None and needs_python(of.item))


def as_json(of: Type, column: Expression) -> Expression:
    """The column as `row_to_json` writes it the way Pydantic would."""
    if of.item is not None and KINDS[of.item.kind].as_json is not as_it_is:
        element = sa.func.unnest(column).column_valued("element")
        listed = sa.select(sa.func.json_agg(as_json(of.item, element))).scalar_subquery()
        empty: sa.ColumnClause[Any] = sa.literal_column("'[]'::json")
        return sa.case((column.is_not(None), sa.func.coalesce(listed, empty)))
    convert = KINDS[of.kind].as_json
    assert convert is not None  # `needs_python` was asked  # noqa: S101
    return convert(column)


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
            return unpadded(column)
        case "float":
            return column.cast(sa.Text).cast(sa.Double)
    return column
