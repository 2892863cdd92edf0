"""Whatever takes too long in the database is ended, and the client told to come again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from app.config import Settings
from app.database import open_database
from app.errors import Unavailable
from tests.databases import connect
from tests.people import People, Person

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
