"""Requests right and wrong to a running server, as each sample's contract has them invented."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.config import Settings
from app.database.database import open_database
from app.main import create_app
from app.models.base import Declarative
from app.resources.catalog import catalog_of
from tests.people import People
from tests.samples.oddities import Oddities
from tests.samples.samples import SAMPLES
from tests.serving import serving_in_thread


@pytest.fixture(params=SAMPLES)
async def address(request: pytest.FixtureRequest, own_samples: Settings) -> AsyncIterator[tuple[FastAPI, str, str]]:
    """A running server of each sample, where commits are real, and the token of somebody."""
    app = create_app(own_samples, catalog_of(Declarative, SAMPLES[request.param]))
    async with serving_in_thread(app) as url, open_database(own_samples) as database:
        ada = await People(app, database, own_samples).join()
        yield app, url, ada.client.headers["authorization"]


async def test_robustness_31_no_request_is_too_odd(address: tuple[FastAPI, str, str]) -> None:
    app, url, token = address
    generated = {operation.label for operation in app.state.runtime.operations if operation.entity.name in SERVED}
    described: Any = schemathesis.openapi.from_dict(app.openapi())
    found = [one.ok() for one in described.get_all_operations()]

    def send_all() -> None:
        for operation in found:
            if operation.label in generated:
                _send(operation, url, token)

    await asyncio.to_thread(send_all)


# The others of Pagila and Northwind have the same columns and relations again.
SERVED = {
    *("Film", "FilmActor", "Rental", "CustomerList", "Employee", "Customer", "OrderDetail", "Product"),
    *(mapper.class_.__name__ for mapper in Oddities.registry.mappers),
}


def _send(operation: Any, url: str, token: str) -> None:
    @examples(
        max_examples=2, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case[Any]) -> None:
        # No schema says which rows there are to refer to, nor which cursors a list has given.
        beyond = case.method in {"POST", "PATCH"} or "cursor" in (case.query or {})
        excluded: list[Any] = [positive_data_acceptance] if beyond else []
        case.call_and_validate(base_url=url, headers={"Authorization": token}, excluded_checks=excluded)

    send()
