"""What many do at once to rows that refer to each other: each is told what has become of it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.config import Settings
from app.database.database import open_database
from app.main import create_app
from app.models.base import Declarative
from app.resources.catalog import catalog_of
from tests.people import People
from tests.samples.northwind import Northwind
from tests.samples.oddities import Oddities
from tests.samples.samples import SAMPLES, Sample


@pytest.fixture(scope="session")
def own_served(own_samples: Settings) -> dict[str, FastAPI]:
    """Put together once: that takes longer than a test."""
    bases: dict[str, type[Any]] = {"northwind": Northwind, "oddities": Oddities}
    return {name: create_app(own_samples, catalog_of(Declarative, base)) for name, base in bases.items()}


@pytest.fixture
async def own(own_served: dict[str, FastAPI], own_samples: Settings) -> AsyncIterator[dict[str, Sample]]:
    """Samples whose commits are real."""
    async with open_database(own_samples) as database:
        served = {}
        for name, app in own_served.items():
            app.state.database = database
            ada = await People(app, database, own_samples).join()
            served[name] = Sample(app, ada.client, SAMPLES[name])
        yield served


def told(answers: list[httpx.Response]) -> set[tuple[int, str]]:
    return {(one.status_code, "" if one.is_success else one.json()["detail"]) for one in answers}


async def labels(sample: Sample, *names: str) -> list[str]:
    """The paths of two that nobody else has."""
    some = [await sample.make("Label", name=f"{name} {secrets.token_hex(8)}") for name in names]
    return [sample.path(sample.entity("Label"), one) for one in some]


class TestLinksAtOnce:
    async def test_both_ways_wait_for_nobody(self, own: dict[str, Sample]) -> None:
        sample = own["oddities"]
        for _ in range(3):
            one, other = await labels(sample, "one", "other")
            there = f"{one}/neighbours/{other.rpartition('/')[2]}"
            back = f"{other}/neighbours/{one.rpartition('/')[2]}"
            answers = await asyncio.gather(*(sample.client.put(path) for path in [there, back] * 4))
            assert told(answers) == {(204, "")}
            assert [len(await sample.get(f"{path}/neighbours")) for path in (one, other)] == [1, 1]

    async def test_to_what_is_being_deleted(self, own: dict[str, Sample]) -> None:
        sample = own["oddities"]
        for _ in range(5):
            one, other = await labels(sample, "one", "other")
            link = f"{one}/neighbours/{other.rpartition('/')[2]}"
            deleted, *linked = await asyncio.gather(
                sample.client.delete(other), *(sample.client.put(link) for _ in range(4))
            )
            assert deleted.status_code == 204
            assert told(linked) <= {(204, ""), (404, "Label not found")}
            assert await sample.get(f"{one}/neighbours") == []


async def test_rows_made_beneath_what_is_being_deleted(own: dict[str, Sample]) -> None:
    """The client never sent which order it is, so no field of his is wrong."""
    sample = own["northwind"]
    product = await sample.make("Product")
    body = {"product_id": product["product_id"], "unit_price": 1.0}
    for _ in range(5):
        order = sample.path(sample.entity("Order"), await sample.make("Order"))
        made, deleted = await asyncio.gather(
            sample.client.post(f"{order}/order-details", json=body), sample.client.delete(order)
        )
        expected = {(201, 409): "Other data still refer to this", (404, 204): "Order not found"}
        failed = deleted if made.is_success else made
        assert expected[made.status_code, deleted.status_code] == failed.json()["detail"]


async def test_robustness_41_of_twenty_who_change_what_they_have_read_one_does(own: dict[str, Sample]) -> None:
    sample = own["oddities"]
    (label,) = await labels(sample, "one")
    read = {"If-Match": (await sample.client.get(label)).headers["etag"]}
    changes = [sample.client.patch(label, json={"note": str(n)}, headers=read) for n in range(20)]
    answers = await asyncio.gather(*changes)
    (done,) = [one for one in answers if one.is_success]
    assert told([one for one in answers if one is not done]) == {
        (412, "This has changed since you read it; read it again")
    }
    assert await sample.get(label) == done.json()
    deleted = await asyncio.gather(*(sample.client.delete(label) for _ in range(3)))
    assert sorted(one.status_code for one in deleted) == [204, 404, 404]
