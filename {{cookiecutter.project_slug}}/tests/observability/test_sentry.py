"""What Sentry is told: what nobody foresaw, and nothing that is none of its business."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sentry_sdk
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from app.config import Settings
from app.dependencies import Reads, Uow
from app.errors import Unavailable
from app.main import create_app
from app.observability import logs, sentry
from tests.listeners import Listener, listening


@pytest.fixture
async def ingest(settings: Settings) -> AsyncIterator[Listener]:
    """In the place of Sentry's. Afterwards nothing is reported any more."""
    with listening() as listener:
        yield listener
        sentry_sdk.get_client().close()
    logs.configure(settings)


@pytest.fixture
def app(own_app: FastAPI, own_settings: Settings, ingest: Listener) -> FastAPI:
    """An application that reports, and that can be made to fail."""
    dsn = SecretStr(ingest.url.replace("://", "://key@") + "/1")
    app = create_app(own_settings.model_copy(update={"sentry_dsn": dsn}))
    app.state.database = own_app.state.database

    @app.post("/broken")
    async def fail() -> None:
        password = "local password"  # noqa: F841
        raise RuntimeError(f"told by {dsn.get_secret_value()}\nand the value")

    @app.post("/refused-by-postgresql")
    async def fail_in_sql(uow: Uow) -> None:
        await uow.session.execute(text("SELECT CAST(:value AS nothing)"), {"value": "bound value"})

    @app.post("/follow-up")
    async def fail_after_commit(uow: Uow) -> None:
        async def follow() -> None:
            raise LookupError("too late")

        uow.after_commit(follow)

    @app.get("/unavailable")
    async def refuse(reader: Reads) -> None:
        raise Unavailable("Not now")

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        told = {"X-Request-ID": "mine", "Authorization": "Bearer header-value", "Cookie": "a=cookie-value"}
        client.headers.update(told)
        yield client


def events(ingest: Listener) -> list[dict[str, Any]]:
    """What has arrived: of each envelope the line after the head of its item."""
    sentry.flush()
    lines = [body.splitlines() for body in ingest.bodies("/api/1/envelope/")]
    return [json.loads(body[2]) for body in lines if json.loads(body[1])["type"] == "event"]


async def test_an_unexpected_error_is_reported_with_the_id_of_its_request(
    client: httpx.AsyncClient, ingest: Listener
) -> None:
    response = await client.post("/broken?query=query-value", json={"body": "body-value"})
    assert response.status_code == 500
    (event,) = events(ingest)
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("RuntimeError", "told by [hidden]")
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"] == {"event": "unexpected_error", "request_id": "mine"}
    assert event["environment"] == "development"


async def test_it_says_where_and_not_with_what(client: httpx.AsyncClient, ingest: Listener) -> None:
    await client.post("/broken?query=query-value", json={"body": "body-value"})
    await client.post("/refused-by-postgresql")
    assert len(events(ingest)) == 2
    sent = b"".join(ingest.bodies("/api/1/envelope/")).decode()
    for secret in ("query-value", "body-value", "header-value", "cookie-value", "local password", "bound value"):
        # The source of this file is shown around the place of the error.
        assert secret not in sent.replace('password = \\"local password\\"', "").replace('\\"bound value\\"', "")


async def test_what_fails_after_the_commit_is_reported_too(client: httpx.AsyncClient, ingest: Listener) -> None:
    assert (await client.post("/follow-up")).status_code == 200
    (event,) = events(ingest)
    assert (event["exception"]["values"][-1]["type"], event["tags"]["event"]) == ("LookupError", "after_commit_failed")


async def test_an_error_of_a_library_is_reported_once(app: FastAPI, ingest: Listener) -> None:
    error = KeyError("somewhere")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
    structlog.get_logger("app").error("again", exc_info=error)
    (event,) = events(ingest)
    assert event["tags"]["event"] == "Exception in ASGI application"


async def test_what_was_foreseen_is_not(client: httpx.AsyncClient, ingest: Listener) -> None:
    answers = [
        await client.get("/nope"),
        await client.get("/users/me"),
        await client.post("/auth/register", json={}),
        await client.get("/unavailable"),
    ]
    assert [answer.status_code for answer in answers] == [404, 401, 422, 503]
    assert events(ingest) == []


@pytest.mark.parametrize(
    "dsn", ["sentry.example.com", "https://sentry.example.com/1", "https://key@sentry.example.com"]
)
def test_an_address_that_is_none_is_refused(dsn: str) -> None:
    with pytest.raises(ValueError, match="it is no address such as https://key@sentry") as refusal:
        Settings(sentry_dsn=SecretStr(dsn))
    assert dsn not in str(refusal.value).replace("https://key@sentry.example.com/1", "")
