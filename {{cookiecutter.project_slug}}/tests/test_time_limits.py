"""Whatever takes too long is ended, and the client told to come again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.responses import StreamingResponse

from app.config import Settings
from app.database import open_database
from app.dependencies import Uow
from app.errors import Unavailable
from app.main import create_app
from tests.databases import connect
from tests.people import People, Person
from tests.servers import until
from tests.watch import watching

SHORT = 0.2  # seconds


@asynccontextmanager
async def limited(people: People, settings: Settings, **limits: float) -> AsyncIterator[Person]:
    """Somebody whose requests are held to these limits."""
    ada = await people.join()
    app = people.app
    unlimited = app.state.database
    async with open_database(settings.model_copy(update=limits)) as database:
        app.state.database = database
        yield ada
    app.state.database = unlimited


@asynccontextmanager
async def locked(settings: Settings) -> AsyncIterator[None]:
    """Somebody else has every article for himself."""
    other = await connect(settings.dsn)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE articles IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await other.close()


@pytest.mark.parametrize("limit", ["database_statement_timeout", "database_lock_timeout"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_robustness_40_what_takes_too_long_is_told_and_not_waited_for(
    own_people: People, own_settings: Settings, limit: str, method: str
) -> None:
    none = {"database_statement_timeout": 0.0, "database_lock_timeout": 0.0}
    article = {"title": "Late", "content": "long enough to be one"} if method == "POST" else None
    async with limited(own_people, own_settings, **none | {limit: SHORT}) as ada:
        async with locked(own_settings):
            response = await ada.client.request(method, "/articles", json=article)
        assert (response.status_code, response.json()["detail"]) == (503, "The database does not answer")
        assert response.headers["retry-after"] == "1"
        assert (await ada.client.get("/articles")).json() == []


async def test_a_transaction_that_stands_idle_is_ended(own_settings: Settings) -> None:
    async with open_database(own_settings.model_copy(update={"database_idle_timeout": SHORT})) as database:
        with pytest.raises(Unavailable):
            async with database.unit_of_work() as uow:
                await uow.session.execute(text("SELECT 1"))
                await asyncio.sleep(2 * SHORT)
                await uow.session.execute(text("SELECT 1"))
        async with database.unit_of_work() as uow:
            assert await uow.session.scalar(text("SELECT 1")) == 1


@pytest.fixture
def slow(own_app: FastAPI, own_settings: Settings) -> FastAPI:
    """An application whose requests have a moment only, and endpoints that take longer."""
    app = create_app(own_settings.model_copy(update={"request_timeout": SHORT}))
    app.state.database = own_app.state.database

    @app.post("/slow")
    async def write_slowly(uow: Uow) -> None:
        await uow.session.execute(text("CREATE TABLE never (id int)"))
        await uow.session.execute(text("SELECT pg_sleep(60)"))

    @app.get("/stream", response_class=StreamingResponse)
    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"begin"
            await asyncio.sleep(2 * SHORT)
            yield b" and end"

        return StreamingResponse(body())

    @app.get("/own-timeout")
    async def time_out() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)

    return app


async def test_a_request_that_takes_too_long_is_given_up(slow: FastAPI, own_settings: Settings) -> None:
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(slow), base_url="http://test") as client,
        watching(own_settings.dsn) as watch,
    ):
        response = await client.post("/slow")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"] == "This took more than 0.2 s, which is the limit"
        await until(lambda: watch.none("state <> 'idle'"))
        assert await watch.connection.fetchval("SELECT to_regclass('never')") is None
    assert slow.state.database.writes.kw["bind"].pool.checkedout() == 0


async def test_an_answer_that_has_begun_is_not_cut(slow: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(slow), base_url="http://test") as client:
        assert (await client.get("/stream")).text == "begin and end"


async def test_another_timeout_is_as_unexpected_as_ever(slow: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(slow), base_url="http://test") as client:
        assert (await client.get("/own-timeout")).status_code == 500
