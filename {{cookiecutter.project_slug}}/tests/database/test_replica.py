"""Which database is asked. Another one that knows other rows is the replica here; tests/chaos has a real one."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import String, case, cast, func, select
from structlog.testing import capture_logs

from app.config import Settings
from app.database.database import Database
from app.errors import Unavailable
from app.models.article import Article
from app.models.user import User
from tests.databases import clone, on_database, opened_with
from tests.people import People

DATABASE = select(func.current_database())


@pytest.fixture(scope="module")
async def elsewhere(template: str) -> str:
    """A database without rows."""
    return await clone(template, secrets.token_hex(4))


@asynccontextmanager
async def replicated(people: People, settings: Settings, replica: str, **change: float) -> AsyncIterator[Database]:
    """The application of these people, reading from there."""
    update = {"database_read_url": SecretStr(replica), **change}
    async with opened_with(people.app, settings.model_copy(update=update)) as database:
        yield database


async def articles(client: httpx.AsyncClient) -> list[str]:
    response = await client.get("/articles")
    assert response.status_code == 200
    return [article["title"] for article in response.json()]


async def test_lists_come_from_the_replica_and_rows_by_name_from_the_primary(
    own_people: People, own_settings: Settings, elsewhere: str
) -> None:
    ada = await own_people.join()
    async with replicated(own_people, own_settings, elsewhere):
        created = await ada.client.post("/articles", json={"title": "New", "content": "Just written"})
        there = await ada.client.get(created.headers["location"])
        assert (there.status_code, there.headers["etag"]) == (200, created.headers["etag"])
        assert await articles(ada.client) == []
        comments = await ada.client.get(f"{created.headers['location']}/comments")
        assert (comments.status_code, comments.json()) == (200, []), "of an article that the replica does not know"
    assert await articles(ada.client) == ["New"]


async def test_who_may_do_what_comes_from_the_primary(
    own_people: People, own_settings: Settings, elsewhere: str
) -> None:
    ada = await own_people.join()
    async with replicated(own_people, own_settings, elsewhere):
        sessions = (await ada.client.get("/auth/sessions")).json()
        assert [session["id"] for session in sessions] == [ada.session_id]
        members = (await ada.client.get(f"/workspaces/{ada.workspace_id}/members")).json()
        assert [member["user_id"] for member in members] == [ada.user.id]
        assert [workspace["id"] for workspace in (await ada.client.get("/workspaces")).json()] == [ada.workspace_id]
        assert (await ada.client.post("/auth/logout")).status_code == 204
        assert (await ada.client.get("/users/me")).status_code == 401


async def test_a_replica_that_is_gone_costs_no_read_and_is_told_once(
    own_people: People, own_settings: Settings
) -> None:
    ada = await own_people.join()
    await own_people.write(ada, title="Known")
    gone = "postgresql://ada:secret@127.0.0.1:1/blog"  # a port that nobody listens on
    with capture_logs() as logs:
        async with replicated(own_people, own_settings, gone):
            for _ in range(3):
                assert await articles(ada.client) == ["Known"]
            assert (await ada.client.get("/health/ready")).status_code == 200
    assert [log["event"] for log in logs].count("replica_lost") == 1


async def test_a_replica_is_asked_again_after_a_while(
    own_people: People, own_settings: Settings, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.dispensable.PAUSE", 0.0)
    late = on_database(template, f"{template.rpartition('/')[2].removesuffix('_template')}_late")
    with capture_logs() as logs:
        async with replicated(own_people, own_settings, late) as database:
            here = await database.reader().one_or_none(DATABASE)
            await clone(template, "late")
            assert await database.reader().one_or_none(DATABASE) != here
    assert [log["event"] for log in logs] == ["replica_lost", "replica_found"]


async def test_what_takes_too_long_there_is_not_done_again_here(
    own_people: People, own_settings: Settings, elsewhere: str
) -> None:
    name = elsewhere.rpartition("/")[2]
    slow_there = select(case((func.current_database() == name, cast(func.pg_sleep(30), String)), else_="quick"))
    async with replicated(own_people, own_settings, elsewhere, database_statement_timeout=0.1) as database:
        with pytest.raises(Unavailable):
            await database.reader().one_or_none(slow_there)
        assert await database.reader().one_or_none(DATABASE) == name, "which is no reason to leave it alone"


async def test_a_reader_keeps_to_its_workspace_wherever_it_reads(
    own_people: People, own_settings: Settings, elsewhere: str
) -> None:
    ada, bob = await own_people.join(), await own_people.join()
    await own_people.write(ada)
    async with replicated(own_people, own_settings, elsewhere) as database:
        count = select(func.count()).select_from(Article)
        found = [await database.reader().within(who.workspace_id).fresh().one_or_none(count) for who in (ada, bob)]
        assert found == [1, 0]
        assert await database.reader().within(ada.workspace_id).one_or_none(count) == 0
        assert await database.reader().one_or_none(select(func.count()).select_from(User)) == 0
