"""What is sent comes back, is found, and is gone on after, for every type of column."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.database.database import Database
from app.resources.types import KINDS, needs_python
from tests.resources.columns import (
    TABLE,
    as_text,
    base_of,
    comes_back,
    exact,
    model_of,
    rows_of,
    sent,
    type_of_column,
    written,
)
from tests.resources.conftest import Serve


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
        return [row[0].id for row in await rows_of(database, model, asked)]

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
