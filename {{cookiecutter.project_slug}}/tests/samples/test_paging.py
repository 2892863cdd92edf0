"""Pages of a list: each row once, in PostgreSQL's order, however the list is sorted and whatever happens meanwhile."""

import base64
import datetime as dt
import json
import re
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.resources.description import Entity
from tests.samples.northwind import Order
from tests.samples.oddities import Journey, Parcel, Size, Slot
from tests.samples.samples import Json, Sample

ROWS = 60


def parcel(number: int) -> Json:
    """One of many rows that are equal in most columns, and have no value in some."""
    few, none = number % 4, number % 5 == 0
    return {
        "id": uuid.UUID(int=number * 7919 % 10007),
        "note": None if none else ["a", "B", "ä", ""][few],
        "weight": None if none else Decimal(few) / 3,
        "volume": None if none else [0.1, -1.5, 1e300, 2.0][few],
        "pieces": None if none else few * 2**40,
        "fragile": None if none else few > 1,
        "size": None if none else [Size.small, Size.large][few % 2],
        "day": None if none else dt.date(2026, 1, 1 + few),
        "hour": None if none else dt.time(few, 5, 6, 700),
        "packed": None if none else dt.datetime(2026, 1, 1, few, 0, 0, few),  # noqa: DTZ001  # its column has no zone
        "sent_at": None if none else dt.datetime(2026, 1, 1, few, tzinfo=dt.UTC),
    }


def journey(number: int) -> Json:
    few, none = number % 4, number % 5 == 0
    return {
        "takes": dt.timedelta(days=few, microseconds=few),
        "rest": None if none else -dt.timedelta(hours=few),
        "speed": None if none else [0.1, 209663.62, -7.7, 1.0][few],
        "code": None if none else ["a", "ab", "abc", "B"][few],
    }


def slot(number: int) -> Json:
    return {
        "day": dt.date(2026, 1, 1 + number % 3),
        "room": "ab"[number % 2],
        "half": [Size.small, Size.large][number // 3 % 2],
        "price": Decimal(number) / 8,
        "taken": number % 7 < 3,
    }


def order(number: int) -> Json:
    few, none = number % 4, number % 5 == 0
    return {"order_date": None if none else dt.date(2026, 1, 1 + few), "freight": None if none else Decimal(few) / 4}


async def fill(connection: AsyncConnection, model: Any, row: Any) -> None:
    await connection.execute(insert(model), [row(number) for number in range(ROWS)])


async def pages(sample: Sample, path: str, **parameters: Any) -> AsyncIterator[list[Json]]:
    """The pages, one after the other, by the links of the answers."""
    response = await sample.client.get(path, params=parameters)
    while True:
        assert response.status_code == 200, (path, parameters, response.text)
        yield response.json()
        link = response.headers.get("link")
        if link is None:
            return
        found = re.fullmatch(r'<(.+)>; rel="next"', link)
        assert found is not None
        response = await sample.client.get(found[1])


async def every(sample: Sample, path: str, **parameters: Any) -> list[Json]:
    return [row async for page in pages(sample, path, **parameters) for row in page]


def keys_of(entity: Entity, rows: list[Json]) -> list[tuple[Any, ...]]:
    return [tuple(row[key.field] for key in entity.keys) for row in rows]


async def whole(connection: AsyncConnection, sample: Sample, entity: Entity, sort: str) -> list[tuple[str, ...]]:
    """The keys as one statement sorts them, in the total order that the contract speaks of."""
    columns = inspect(sample.model(entity)).columns
    terms = [(part.removeprefix("-"), part.startswith("-")) for part in sort.split(",")]
    terms += [(key.field, terms[0][1]) for key in entity.keys if key.field not in {name for name, _ in terms}]
    order = [columns[name].desc() if down else columns[name].asc() for name, down in terms]
    rows = await connection.execute(select(*(columns[key.field] for key in entity.keys)).order_by(*order))
    return [tuple(_as_text(value) for value in row) for row in rows]


def _as_text(value: Any) -> str:
    return value.name if isinstance(value, Size) else str(value)


TABLES = {"Parcel": (Parcel, parcel), "Journey": (Journey, journey), "Slot": (Slot, slot)}


class TestPages:
    @pytest.mark.parametrize("name", TABLES)
    async def test_hold_each_row_once_in_the_order_asked_for(
        self, oddities: Sample, connection: AsyncConnection, name: str
    ) -> None:
        await fill(connection, *TABLES[name])
        entity = oddities.entity(name)
        sortable = [field.name for field in entity.fields if field.sortable]
        sorts = [f"{sign}{one}" for one in sortable for sign in ("", "-")]
        sorts += [f"{a},-{b}" for a, b in pairwise(sortable)]
        for sort in sorts:
            expected = await whole(connection, oddities, entity, sort)
            for mode in ({}, {"skip": 0}) if "," in sort else ({},):
                rows = await every(oddities, entity.path, sort=sort, limit=29, **mode)
                found = [tuple(map(str, key)) for key in keys_of(entity, rows)]
                assert found == expected, (sort, mode)

    async def test_lose_nothing_while_rows_come_and_go(self, northwind: Sample, connection: AsyncConnection) -> None:
        await fill(connection, Order, order)
        for sort in ("order_date", "-freight", "freight,-order_date"):
            before = await every(northwind, "/orders", sort=sort, limit=100)
            there, seen, gone = keys_of(northwind.entity("Order"), before), [], set()
            async for page in pages(northwind, "/orders", sort=sort, limit=7):
                seen += keys_of(northwind.entity("Order"), page)
                victim = page[-1]["order_id"]  # the very row from which the list goes on
                assert (await northwind.client.delete(f"/orders/{victim}")).status_code == 204
                gone.add((victim,))
                unseen = [key for key in there if key not in seen]
                if unseen:
                    await northwind.client.delete(f"/orders/{unseen[-1][0]}")
                    gone.add(unseen[-1])
                for number in (1, 5, 9):
                    new = order(number)
                    body = {name: None if value is None else str(value) for name, value in new.items()}
                    assert (await northwind.client.post("/orders", json=body)).status_code == 201
            assert len(seen) == len(set(seen))
            assert set(there) - gone <= set(seen)


class TestCursors:
    async def test_of_another_order_or_nobodys_are_refused(self, pagila: Sample) -> None:
        for name in ("a", "b", "c"):
            await pagila.make("Category", name=name)
            await pagila.make("Language", name=name)
        cursor = await self.cursor(pagila, "/category", sort="name")
        good: Json = {"sort": "name", "cursor": cursor, "limit": 1}
        assert [row["name"] for row in await pagila.get("/category", **good)] == ["b"]
        forged = base64.urlsafe_b64encode(json.dumps(["name,category_id", ["a", "x"]]).encode()).decode()
        decoded = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for wrong in (
            {"sort": "-name"},
            {"sort": "last_update"},
            {"cursor": cursor[:-3]},
            {"cursor": cursor[3:]},
            {"cursor": forged},
            {"cursor": ""},
            {"cursor": "ÿ"},
            {"cursor": base64.urlsafe_b64encode(decoded.replace(b'"a"', b"null")).decode()},
            {"cursor": base64.urlsafe_b64encode(decoded.replace(b'"a"', b'"\\u0000"')).decode()},
            {"cursor": base64.urlsafe_b64encode(b"[" * 20_000).decode()},
            {"skip": "1"},
        ):
            response = await pagila.client.get("/category", params=good | wrong)
            assert response.status_code == 422, wrong
            assert [error["loc"] for error in response.json()["errors"]] == [["query", "cursor"]], wrong

    async def test_of_another_list_are_refused(self, oddities: Sample) -> None:
        """Of one whose order is called the same: `id` is the key of many tables."""
        await oddities.make("Shelf")
        await oddities.make("Shelf")
        await oddities.make("Journey")
        cursor = await self.cursor(oddities, "/shelves", sort="id")
        response = await oddities.client.get("/journeys", params={"sort": "id", "cursor": cursor})
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["query", "cursor"]]

    async def cursor(self, sample: Sample, path: str, **parameters: Any) -> str:
        response = await sample.client.get(path, params=parameters | {"limit": 1})
        found = re.search(r"cursor=([^&>]+)", response.headers["link"])
        assert found is not None
        return found[1]


async def test_an_estimate_is_of_what_was_asked_for(oddities: Sample) -> None:
    """Of rows with one key there is one at most, which the planner knows without having seen the table."""
    response = await oddities.client.get("/labels", params={"name": "a", "count": "estimated"})
    assert response.headers["x-total-count"] == "1"
