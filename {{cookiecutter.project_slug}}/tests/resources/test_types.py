"""Every type of column, with values at the edges: sent, stored, shown, asked for, and gone on after.

PostgreSQL writes the JSON of a row where it can, Pydantic where it cannot: both have to write the same.
"""

import enum
import json
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, mapped_column

from app.database import Database
from app.models.base import text_enum
from app.models.resource import Access, Resource
from app.resources.catalog import catalog_of
from app.resources.description import Type
from app.resources.queries import QueryReader
from app.resources.statements import Statements
from app.resources.types import KINDS, needs_python
from tests.resources.conftest import Keyed, Serve, new_base


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
            ("2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00Z"),
            ("2026-06-01T12:00:00.5-09:30", "2026-06-01T21:30:00.500000Z"),
            "9999-12-31T23:59:59.999998Z",
            "9999-12-31T23:59:59.999999Z",
        ],
    ),
    "local": (
        sa.DateTime,
        ["0001-01-01T00:00:00", "2026-03-29T02:30:00", "2026-01-01T00:00:00.000001", "9999-12-31T23:59:59.999999"],
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
    "interval": (sa.Interval, ["PT0S", "P1D", "-P1D", "P1DT2H3M4.000005S", "P999999D", ("PT36H", "P1DT12H")]),
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
    rows = await _rows(database, model, [("sort", "id"), ("limit", "100")], whole=whole)
    if not whole:
        return [exact(row.body) for row in rows]
    schema = catalog_of(model).read_schema(catalog_of(model).entity_of(model))
    return [exact(schema.model_validate(row[0]).model_dump_json()) for row in rows]


async def _rows(database: Database, model: Any, asked: Iterable[tuple[str, str]], *, whole: bool) -> Sequence[Any]:
    catalog = catalog_of(model)
    entity = catalog.entity_of(model)
    query = QueryReader(entity, catalog).list_query(asked)
    statements = Statements(model, entity, catalog, by_hand=True)
    return await database.reader().rows(statements.page(sa.select(model), query, whole=whole))


@pytest.mark.parametrize("column", TABLE)
async def test_what_is_sent_comes_back_and_is_found(serve: Serve, database: Database, column: str) -> None:
    model = model_of(column)
    world = await serve(base_of(model))
    ada = await world.people.join()
    made = await ada.client.post("/things", json=[{column: value} for value in sent(column)] + [{}, {column: None}])
    assert made.status_code == 201, made.text
    assert [row[column] for row in made.json()] == [*comes_back(column), None, None]
    listed = await ada.client.get("/things", params={"sort": "id", "limit": 100})
    assert listed.text == made.text
    of_pydantic = await written(database, model, whole=True)
    assert of_pydantic == exact(made.text)
    if not needs_python(type_of_column(column)):
        assert await written(database, model, whole=False) == of_pydantic


def type_of_column(column: str) -> Type:
    model = model_of(column)
    return catalog_of(model).entity_of(model).by_name[column].type


def as_text(value: Any) -> str:
    """As it stands in a query."""
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


FILTERABLE = [column for column in TABLE if column not in {"json", "jsonb", "jsons"}]
ONE_BY_ONE = [column for column in FILTERABLE if not isinstance(TABLE[column][0], sa.ARRAY)]


@pytest.mark.parametrize("column", ONE_BY_ONE)
async def test_filters_find_each_value(serve: Serve, database: Database, column: str) -> None:
    model = model_of(column)
    world = await serve(base_of(model))
    ada = await world.people.join()
    values = sent(column)
    made = (await ada.client.post("/things", json=[{column: value} for value in values])).json()

    async def found(name: str, value: Any) -> list[int]:
        asked = [(name, as_text(value)), ("fields", "id"), ("limit", "100")]
        return [row[0].id for row in await _rows(database, model, asked, whole=True)]

    known = KINDS[type_of_column(column).kind].operators
    for value, row in zip(values, made, strict=True):
        assert row["id"] in await found(column, value)
        assert row["id"] not in await found(f"{column}__ne", value)
        if "in" in known and "," not in as_text(value):
            assert row["id"] in await found(f"{column}__in", f"{as_text(values[0])},{as_text(value)}".lstrip(","))
            assert row["id"] not in await found(f"{column}__nin", value)
        if "gte" in known:
            assert row["id"] in await found(f"{column}__gte", value)
            assert row["id"] not in await found(f"{column}__lt", value)
        if "contains" in known:
            for operator in ("contains", "icontains", "startswith", "endswith"):
                assert row["id"] in await found(f"{column}__{operator}", value)


@pytest.mark.parametrize("column", [column for column in FILTERABLE if column not in ONE_BY_ONE])
async def test_arrays_are_found_by_what_they_contain(serve: Serve, column: str) -> None:
    world = await serve(base_of(model_of(column)))
    ada = await world.people.join()
    made = (await ada.client.post("/things", json=[{column: value} for value in sent(column)])).json()
    for row, values in zip(made, sent(column), strict=True):
        for value in values:
            response = await ada.client.get("/things", params={f"{column}__contains": as_text(value)})
            assert response.status_code == 200, response.text
            assert row["id"] in [one["id"] for one in response.json()]


@pytest.mark.parametrize("column", ONE_BY_ONE)
async def test_pages_by_cursor_visit_each_row_once(serve: Serve, column: str) -> None:
    world = await serve(base_of(model_of(column)))
    ada = await world.people.join()
    made = await ada.client.post("/things", json=[{column: value} for value in [*sent(column), None, None]])
    for sort in (column, f"-{column}"):
        whole = await ada.client.get("/things", params={"sort": sort, "fields": f"id,{column}"})
        seen: list[Any] = []
        url: str | None = f"/things?sort={sort}&fields=id,{column}&limit=3"
        while url:
            page = await ada.client.get(url)
            assert page.status_code == 200, page.text
            seen += page.json()
            url = page.links["next"]["url"] if "next" in page.links else None
        assert seen == whole.json()
        assert {row["id"] for row in seen} == {row["id"] for row in made.json()}


# What JSON has, and the column does not.
REFUSED: dict[str, list[Any]] = {
    "boolean": [1, "true", "yes", [], {}],
    "smallint": [2**15, -(2**15) - 1, 1.5, "1", True],
    "integer": [2**31, -(2**31) - 1, 10**30, "1"],
    "bigint": [2**63, -(2**63) - 1, "1"],
    "double": ["1", True, 10**400],
    "real": [1e308],
    "money": [
        1.5,
        1,
        "1.505",
        "100000000.00",
        "1e3",
        "NaN",
        "Infinity",
        "",
        " 1",
        "+1",
        "01",
        "\u0661",
    ],
    "number": ["1e400", "9" * 101, "0." + "1" * 101],
    "whole": ["1.0", "1" * 21],
    "short": ["x" * 21, "a\0", 1, ["a"]],
    "text": ["a\0b", "\ud800"],
    "shade": ["Light", "", 1, "very_dark"],
    "plain": ["1", 1, "three"],
    "uuid": ["1234", 1, ""],
    "uuid_text": ["x", ""],
    "day": ["2023-02-29", "0000-01-01", "10000-01-01", "infinity", "0", "1700000000", 0, "2026-01-01T12:00:00"],
    "time": ["24:00:00", "12", "12:00:60", "12:00Z", "12:00:00+02:00", 43200, "43200"],
    "moment": [
        "2026-01-01T00:00:00",
        "2026-01-01",
        "now",
        "infinity",
        "1700000000",
        1700000000,
        "0001-01-01T00:00:00+05:00",
    ],
    "local": ["2026-01-01T00:00:00Z", "2026-13-01T00:00:00", "1700000000", 1.5],
    "json": ["\ud800", {"\ud800": 1}],
    "jsonb": ["\0", {"a": ["\0"]}, {"\0": 1}, "\ud800"],
    "integers": [[None], ["1"], 1, [[1]], [2**31]],
    "texts": [[None], ["a\0"], "a"],
    "moments": [["2026-01-01T00:00:00"], [0]],
    "interval": ["1", 1, "P", "tomorrow", "P99999999999D"],
}


@pytest.mark.parametrize("column", REFUSED)
async def test_what_does_not_fit_is_the_clients_mistake(serve: Serve, column: str) -> None:
    world = await serve(base_of(model_of(column)))
    ada = await world.people.join()
    for value in REFUSED[column]:
        body = json.dumps({column: value}).encode()
        response = await ada.client.post("/things", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 422, f"{value!r}: {response.text}"
        told = response.json().get("errors", [{"loc": ["body", column]}] if column == "real" else [])
        assert told, value
        assert told[0]["loc"][:2] == ["body", column], value


async def test_json_as_deep_as_it_likes_is_the_clients_mistake(serve: Serve) -> None:
    ada = await (await serve(base_of(THING))).people.join()
    headers = {"content-type": "application/json"}
    for body in (b'{"jsonb": ' + b"[" * depth + b"]" * depth + b"}" for depth in (10, 300, 1_000, 10_000, 100_000)):
        response = await ada.client.post("/things", content=body, headers=headers)
        assert response.status_code == 201 or 400 <= response.status_code < 500, response.text
    for number in (b"1e999", b"-1e999", b"NaN", b"Infinity"):
        response = await ada.client.post("/things", content=b'{"json": {"a": [%s]}}' % number, headers=headers)
        assert (response.status_code, response.json()["errors"][0]["loc"][:2]) == (422, ["body", "json"])


# What only SQL puts there.
FOREIGN = {
    "double": ["'NaN'", "'Infinity'", "'-Infinity'"],
    "doubles": ["'{NaN,Infinity,1,NULL}'"],
    "number": ["'NaN'", "'Infinity'", "'-Infinity'"],
    "numbers": ["'{NaN,NULL}'"],
    "integers": ["'{1,NULL}'", "'{NULL}'"],
    "texts": ["'{NULL,\"NULL\"}'"],
    "shades": ["ARRAY[NULL, 'light']"],
    "moments": ["ARRAY[NULL, 'infinity'::timestamptz, '-infinity']"],
    "moment": ["'infinity'", "'-infinity'"],
    "local": ["'infinity'", "'-infinity'"],
    "day": ["'infinity'", "'-infinity'"],
    "jsonb": ["'null'", "NULL", "'1.0000000000000000000'", "'123456789012345678901234567890'"],
    "json": ["' {\"a\" : 1 } '"],
    "jsons": ["ARRAY['null'::jsonb, NULL]"],
    "intervals": ["ARRAY['1 day'::interval, NULL]"],
    "interval": ["'1 month 2 days 03:04:05.6'", "'-1 second'"],
    "short": ["'" + "ä" * 20 + "'"],
}


@pytest.mark.parametrize("column", FOREIGN)
async def test_what_only_sql_puts_there_is_shown_alike(
    serve: Serve, database: Database, connection: AsyncConnection, column: str
) -> None:
    model = model_of(column)
    world = await serve(base_of(model))
    for value in FOREIGN[column]:
        await connection.execute(sa.text(f"INSERT INTO things ({column}) VALUES ({value})".replace(":", "\\:")))  # noqa: S608  # ours
    listed = await world.client.get("/things", params={"sort": "id"})
    assert listed.status_code == 200, listed.text
    assert await written(database, model, whole=True) == exact(listed.text)


async def test_no_json_and_null_as_json_look_alike(serve: Serve, connection: AsyncConnection) -> None:
    world = await serve(base_of(THING))
    ada = await world.people.join()
    made = await ada.client.post("/things", json=[{}, {"jsonb": None}])
    assert [row["jsonb"] for row in made.json()] == [None, None]


@pytest.mark.parametrize(
    "name", ["json", "copy", "schema", "sent", "changes", "validate", "dict", "items", "model_name"]
)
async def test_a_column_may_be_called_like_what_a_schema_has(serve: Serve, name: str) -> None:
    base: Any = new_base()
    columns = {name: mapped_column(sa.Integer, nullable=True)}
    thing: Any = type("Thing", (Keyed, base), {"__tablename__": "things", "__resource__": OPEN, **columns})
    world = await serve(base_of(thing))
    ada = await world.people.join()
    made = await ada.client.post("/things", json={name: 1})
    assert made.json() == {"id": 1, name: 1}
    changed = await ada.client.patch("/things/1", json={name: 2})
    assert changed.json() == {"id": 1, name: 2}
    assert (await ada.client.get("/things", params={name: 2})).json() == [changed.json()]


async def test_a_column_may_have_two_underscores_or_be_called_like_a_parameter(serve: Serve) -> None:
    base: Any = new_base()
    columns = {name: mapped_column(sa.Integer, nullable=True) for name in ("a__b", "limit", "q", "filter")}
    thing: Any = type("Thing", (Keyed, base), {"__tablename__": "things", "__resource__": OPEN, **columns})
    world = await serve(base_of(thing))
    ada = await world.people.join()
    made = (await ada.client.post("/things", json={"a__b": 1, "limit": 3, "q": 4, "filter": 5})).json()
    for query in ("a__b=1", "a__b__gt=0", "limit__in=3", "limit=3&limit__gt=2", "q=4", "q__ne=5", "filter=5"):
        assert (await world.client.get(f"/things?{query}")).json() == [made], query
    parameters = [one["name"] for one in world.app.openapi()["paths"]["/things"]["get"]["parameters"]]
    assert len(parameters) == len(set(parameters))
