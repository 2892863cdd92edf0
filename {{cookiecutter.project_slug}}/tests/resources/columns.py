"""One table of every type of column, with values at the edges, and models that have them."""

import enum
import json
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, mapped_column

from app.database.database import Database
from app.models.base import text_enum
from app.models.resource import Access, Resource
from app.resources.catalog import catalog_of
from app.resources.description import Type
from app.resources.queries import ListQuery
from app.resources.query_reader import QueryReader
from app.resources.statements import Statements
from tests.resources.conftest import Keyed, new_base


class Shade(enum.StrEnum):
    light = "light"
    very_dark = "very-dark"
    odd = "o'd, d"


class Plain(enum.Enum):
    """Stored by its names, as SQLAlchemy does by itself."""

    one = 1
    two = 2


U = "12345678-1234-5678-1234-567812345678"
UNICODE = ["", " ", "a", "Ünï", "日本語", "🦄" * 10, "\u202e", "\U0010ffff", "%_\\", "'\"`;--", "\n\r\t\x01", "null"]

# Column → its type, and what a client sends. A pair is what is sent and what comes back, where that differs.
TABLE: dict[str, tuple[Any, list[Any]]] = {
    "boolean": (sa.Boolean, [True, False]),
    "smallint": (sa.SmallInteger, [-(2**15), -1, 0, 1, 2**15 - 1]),
    "integer": (sa.Integer, [-(2**31), -1, 0, 1, 2**31 - 1]),
    "bigint": (sa.BigInteger, [-(2**63), -(2**53) - 1, 0, 2**53 + 1, 2**63 - 1]),
    "double": (
        sa.Double,
        [-1e308, -0.0, 0.0, 0.1, 1, 1.5, 1e-308, 5e-324, 1e15, 1e16, 1e22, 123456789.123456789, 1e308],
    ),
    "float": (sa.Float, [0.1, 2.5, 1e100]),
    "real": (sa.REAL, [-0.5, 0, 1.5, 65536.0]),
    "money": (
        sa.Numeric(10, 2),
        [("-1.5", "-1.50"), "0.00", ("0", "0.00"), ("-0", "0.00"), "12345678.90", "-99999999.99"],
    ),
    "number": (
        sa.Numeric,
        ["0", "1.500", "0.0000000000", "0.0000001", "-100000", "9" * 100, "0." + "0" * 99 + "1", "1" + "0" * 99],
    ),
    "whole": (sa.Numeric(20, 0), ["0", "99999999999999999999"]),
    "short": (sa.String(20), UNICODE),
    "text": (sa.Text, [*UNICODE, "x" * 5000]),
    "shade": (text_enum(Shade, "shade"), [one.value for one in Shade]),
    "native": (sa.Enum(Shade, name="shades", values_callable=lambda e: [one.value for one in e]), ["light", "o'd, d"]),
    "plain": (sa.Enum(Plain, name="plain"), ["one", "two"]),
    "words": (sa.Enum("a", "b c", name="words"), ["a", "b c"]),
    "uuid": (sa.Uuid, [U, str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1)), (f"{{{U.upper()}}}", U)]),
    "uuid_text": (sa.Uuid(as_uuid=False), [U, str(uuid.UUID(int=0))]),
    "day": (
        sa.Date,
        ["0001-01-01", "0001-01-02", "1582-10-10", "1999-12-31", "2024-02-29", "9999-12-30", "9999-12-31"],
    ),
    "time": (sa.Time, ["00:00:00", "12:30:00.000001", "12:30:00.100000", ("12:30", "12:30:00"), "23:59:59.999999"]),
    "moment": (
        sa.DateTime(timezone=True),
        [
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00.000001Z",
            "1969-12-31T23:59:59.999999Z",
            "2026-01-01T00:00:00.100000Z",
            "2026-01-01T00:00:00.123450Z",
            ("2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00Z"),
            ("2026-06-01T12:00:00.5-09:30", "2026-06-01T21:30:00.500000Z"),
            "9999-12-31T23:59:59.999998Z",
            "9999-12-31T23:59:59.999999Z",
        ],
    ),
    "local": (
        sa.DateTime,
        [
            "0001-01-01T00:00:00",
            "2026-03-29T02:30:00",
            "2026-01-01T00:00:00.000001",
            "2026-01-01T00:00:00.200000",
            "9999-12-31T23:59:59.999999",
        ],
    ),
    "json": (
        sa.JSON,
        [{"a": [1, {"b": None}]}, [], {}, "text", "", 0, True, 10**30, 0.1, 1e300, None, {"": "\u2028🦄"}],
    ),
    "jsonb": (postgresql.JSONB, [{"b": 1, "a": [2**53 + 1, 10**40]}, "x", False, 1e-300, None, [[[]]]]),
    "booleans": (sa.ARRAY(sa.Boolean), [[], [True, False]]),
    "integers": (sa.ARRAY(sa.Integer), [[], [0], [-(2**31), 2**31 - 1]]),
    "bigints": (postgresql.ARRAY(sa.BigInteger), [[], [2**53 + 1]]),
    "doubles": (sa.ARRAY(sa.Double), [[], [0.1, -0.0, 1e308]]),
    "numbers": (sa.ARRAY(sa.Numeric(10, 2)), [[], (["1.5", "-0"], ["1.50", "0.00"])]),
    "texts": (sa.ARRAY(sa.Text), [[], UNICODE, ["NULL", "{}", ",", '"']]),
    "shades": (
        sa.ARRAY(sa.Enum(Shade, native_enum=False, length=20, values_callable=lambda e: [one.value for one in e])),
        [[], ["light", "o'd, d"]],
    ),
    "plains": (sa.ARRAY(sa.Enum(Plain, name="plain")), [[], ["two", "one"]]),
    "uuids": (sa.ARRAY(sa.Uuid), [[], [U]]),
    "days": (sa.ARRAY(sa.Date), [[], ["0001-01-01", "2024-02-29", "9999-12-31"]]),
    "times": (sa.ARRAY(sa.Time), [[], ["00:00:00", "23:59:59.999999"]]),
    "moments": (
        sa.ARRAY(sa.DateTime(timezone=True)),
        [[], ["0001-01-01T00:00:00Z", "2026-01-01T00:00:00.100000Z", "9999-12-31T23:59:59.999999Z"]],
    ),
    "locals": (sa.ARRAY(sa.DateTime), [[], ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"]]),
    "jsons": (sa.ARRAY(postgresql.JSONB), [[], [{"a": 10**30}, "x", [1]]]),
    "interval": (
        sa.Interval,
        ["PT0S", "P1D", "-P1D", "P1DT2H3M4.000005S", "P999999D", ("PT36H", "P1DT12H"), ("PT9H58S", "PT9H0M58S")],
    ),
    "intervals": (sa.ARRAY(sa.Interval), [[], ["PT0S", "-P1D"]]),
}
OPEN = Resource(read=Access.anyone, write=Access.user)


def model_with(base: type[DeclarativeBase], columns: Iterable[str]) -> Any:
    """A model with these columns of the table, all nullable."""
    mapped = {name: mapped_column(TABLE[name][0], nullable=True) for name in columns}
    return type("Thing", (Keyed, base), {"__tablename__": "things", "__resource__": OPEN, **mapped})


# What only Python can write stands apart: it would keep PostgreSQL from writing the others.
ONLY_PYTHON = ("interval", "intervals")
THING = model_with(new_base(), [name for name in TABLE if name not in ONLY_PYTHON])
LASTING = model_with(new_base(), ONLY_PYTHON)


def model_of(column: str) -> Any:
    return LASTING if column in ONLY_PYTHON else THING


def base_of(model: Any) -> type[DeclarativeBase]:
    base: type[DeclarativeBase] = model.__bases__[-1]
    return base


def sent(column: str) -> list[Any]:
    return [value[0] if isinstance(value, tuple) else value for value in TABLE[column][1]]


def comes_back(column: str) -> list[Any]:
    return [value[1] if isinstance(value, tuple) else value for value in TABLE[column][1]]


def exact(text: str) -> Any:
    """JSON with every digit of its numbers."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def written(database: Database, model: Any, *, whole: bool) -> list[Any]:
    """All rows, as the one path or the other writes them."""
    asked = [("sort", "id"), ("limit", "100")]
    if whole:
        schema = catalog_of(model).read_schema(catalog_of(model).entity_of(model))
        rows = await rows_of(database, model, asked)
        return [exact(schema.model_validate(row[0]).model_dump_json()) for row in rows]
    return await page_of(database, model, sa.select(model), asked)


async def page_of(database: Database, model: Any, rows: sa.Select[Any], asked: Iterable[tuple[str, str]]) -> list[Any]:
    """These rows, as PostgreSQL writes them."""
    statements, query = _asked(model, asked)
    ((bodies, *_),) = await database.reader().fetch(*statements.page(rows, query))
    return [exact(body) for body in bodies or ()]


async def count_of(
    database: Database, model: Any, rows: sa.Select[Any], asked: Iterable[tuple[str, str]]
) -> list[tuple[int]]:
    """How many these rows are."""
    statements, query = _asked(model, asked)
    return [tuple(row) for row in await database.reader().fetch(*statements.count(rows, query))]


async def rows_of(database: Database, model: Any, asked: Iterable[tuple[str, str]]) -> Sequence[Any]:
    statements, query = _asked(model, asked)
    return await database.reader().rows(statements.whole_page(sa.select(model), query), query.values)


def _asked(model: Any, asked: Iterable[tuple[str, str]]) -> tuple[Statements, ListQuery]:
    catalog = catalog_of(model)
    entity = catalog.entity_of(model)
    return Statements(model, entity, catalog, by_hand=True), QueryReader(entity, catalog).list_query(asked)


def type_of_column(column: str) -> Type:
    model = model_of(column)
    return catalog_of(model).entity_of(model).by_name[column].type


def as_text(value: Any) -> str:
    """As it stands in a query."""
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)
