"""What an endpoint asks for by annotations is there, also what the parents of a class ask for."""

from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header
from sqlalchemy import func, literal, select

from app.auth.dependencies import OptionalCaller
from app.config import Settings
from app.database.database import Database
from app.dependencies import AppSettings, Reads
from tests.people import People

Language = Annotated[str | None, Header(alias="Accept-Language")]


@dataclass
class Greeting:
    """By its fields."""

    settings: AppSettings
    reader: Reads


@dataclass
class PersonalGreeting(Greeting):
    """By its fields, those of its parent, and two that may be absent."""

    caller: OptionalCaller
    language: Language = None


class Farewell:
    """By its constructor."""

    def __init__(self, settings: AppSettings, reader: Reads, caller: OptionalCaller, language: Language = None) -> None:
        self.settings, self.reader, self.caller, self.language = settings, reader, caller, language


class LastFarewell(Farewell):
    """By its parent's."""


@pytest.fixture(params=[PersonalGreeting, LastFarewell])
def small_app(request: pytest.FixtureRequest, settings: Settings, database: Database) -> FastAPI:
    app = FastAPI()
    app.state.settings, app.state.database = settings, database
    kind = request.param

    @app.get("/")
    async def answer(asked: Annotated[Any, Depends(kind)]) -> dict[str, Any]:
        assert type(asked) is kind
        return {
            "app": asked.settings.app_name,
            "one": await asked.reader.one_or_none(select(func.abs(literal(-1)))),
            "caller": asked.caller and asked.caller.user.username,
            "language": asked.language,
        }

    return app


async def test_of_parents_and_optional_ones(small_app: FastAPI, people: People, settings: Settings) -> None:
    ada = await people.join()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(small_app), base_url="http://test") as client:
        nobody = await client.get("/")
        assert nobody.json() == {"app": settings.app_name, "one": 1, "caller": None, "language": None}
        headers = {"Accept-Language": "fr", "Authorization": ada.client.headers["authorization"]}
        somebody = await client.get("/", headers=headers)
        assert somebody.json()["caller"] == ada.user.username
        assert somebody.json()["language"] == "fr"
