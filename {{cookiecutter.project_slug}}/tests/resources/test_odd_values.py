"""Values that no column has, that only SQL puts there, and columns with names that are in somebody's way."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased, mapped_column

from app.database.database import Database
from tests.resources.columns import OPEN, THING, base_of, count_of, exact, model_of, page_of, written
from tests.resources.conftest import Keyed, Serve, new_base

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
    "name", ["json", "copy", "schema", "sent", "changes", "validate", "dict", "items", "model_name", "item"]
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


async def test_rows_may_be_joined_and_grouped_by_hand(serve: Serve, database: Database) -> None:
    ada = await (await serve(base_of(THING))).people.join()
    await ada.client.post("/things", json=[{"short": "a"}, {"short": "b"}, {"short": None}])
    other = aliased(THING)
    same = THING.id == other.id
    for rows in (
        sa.select(THING).join(other, same),
        sa.select(THING).select_from(other).join(THING, same),
        sa.select(THING).where(same),
        sa.select(THING).outerjoin(other, same).group_by(THING.id).having(sa.func.count() > 0),
        sa.select(THING).distinct(),
    ):
        page = await page_of(database, THING, rows, [("fields", "short"), ("sort", "id")])
        assert page == [{"short": "a"}, {"short": "b"}, {"short": None}]


async def test_rows_by_hand_are_counted_and_paged_as_they_are(serve: Serve, database: Database) -> None:
    ada = await (await serve(base_of(THING))).people.join()
    await ada.client.post("/things", json=[{"short": "b"}, {"short": "a"}, {"short": "c"}])
    other = aliased(THING)
    thrice = sa.select(THING).join(other, sa.true())
    for rows, count in (
        (thrice, 9),
        (thrice.distinct(), 3),
        (thrice.group_by(THING.id), 3),
        (thrice.group_by(THING.id).having(sa.func.count() > 3), 0),
        (sa.select(THING).order_by(THING.short), 3),
    ):
        assert await count_of(database, THING, rows, []) == [(count,)]
    assert await count_of(database, THING, thrice.distinct(), [("short__ne", "a")]) == [(2,)]
    asked = [("fields", "short"), ("sort", "-id")]
    page = await page_of(database, THING, sa.select(THING).order_by(THING.short), asked)
    assert page == [{"short": "c"}, {"short": "a"}, {"short": "b"}], "who asks for an order gets it"


async def test_rows_by_hand_with_a_limit_are_refused(serve: Serve, database: Database) -> None:
    await serve(base_of(THING))
    few = sa.select(THING).limit(1)
    with pytest.raises(ValueError, match="limit"):
        await page_of(database, THING, few, [])
    with pytest.raises(ValueError, match="limit"):
        await count_of(database, THING, few, [])
    assert (
        await page_of(database, THING, sa.select(THING).where(THING.id.in_(few.with_only_columns(THING.id))), []) == []
    )
