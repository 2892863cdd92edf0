"""`python -m app seed`."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from app.cli import cli
from app.config import Settings
from app.database.database import Database
from app.models.article import Article
from app.models.user import User
from tests.contract import ContractTransport


@pytest.fixture
def seed(monkeypatch: pytest.MonkeyPatch, own_settings: Settings) -> Callable[..., Result]:
    def invoke(*arguments: str, **change: object) -> Result:
        monkeypatch.setattr("tools.seed.get_settings", lambda: own_settings.model_copy(update=change))
        return CliRunner().invoke(cli, ["seed", *arguments])

    return invoke


async def count(database: Database, model: type[Article] | type[User]) -> int | None:
    return await database.reader().unscoped().one_or_none(select(func.count()).select_from(model))


async def test_fills_a_blog_that_can_be_used(seed: Callable[..., Result], own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    first = await asyncio.to_thread(seed, "--articles", "1200")
    assert first.exit_code == 0, first.output
    assert await count(database, Article) == 1200
    async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
        listed = (await client.get("/articles", params={"limit": 100})).json()
        assert len(listed) == 100
        assert len({article["author_id"] for article in listed}) > 10
        words = first.output.split()
        username, password = words[words.index("as") + 1].rstrip(","), words[-1]
        assert (await client.post("/auth/login", data={"username": username, "password": password})).status_code == 200
    people = await count(database, User)
    assert people is not None
    again = await asyncio.to_thread(seed, "--articles", "10")
    assert again.exit_code == 0
    assert await count(database, Article) == 1210
    assert (await count(database, User) or 0) > people
    assert password not in again.output


async def test_only_in_development(seed: Callable[..., Result], own_app: FastAPI) -> None:
    refused = seed("--articles", "10", environment="production")
    assert refused.exit_code == 1
    assert "ENVIRONMENT is not development" in refused.output
    assert await count(own_app.state.database, User) == 0


def test_less_than_one_article_is_refused(seed: Callable[..., Result]) -> None:
    refused = seed("--articles", "0")
    assert refused.exit_code == 2
    assert "--articles" in refused.output
