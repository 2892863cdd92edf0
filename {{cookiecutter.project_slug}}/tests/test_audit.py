"""The audit log: what leaves an event, what an event holds, and that nobody changes it."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.database.database import Database
from app.models.audit_event import AuditEvent
from app.services.audit import AuditLog, Origin
from tests.people import PASSWORD, People, Person

NEW = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
BEARER = "offline_access"
HEADERS = {"X-Request-ID": "from-the-gateway.1", "User-Agent": "curl/8"}


async def events(database: Database, after: int = 0) -> Sequence[AuditEvent]:
    return await database.reader().all(select(AuditEvent).where(AuditEvent.id > after).order_by(AuditEvent.id))


async def newest(database: Database) -> int:
    return await database.reader().one_or_none(select(func.max(AuditEvent.id))) or 0


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD, login: str = "ada") -> httpx.Response:
    return await client.post("/auth/login", data={"username": login, "password": password, "scope": BEARER})


@pytest.fixture
async def ada(people: People) -> Person:
    return await people.join(username="ada")


class TestWhatIsRecorded:
    async def test_registering(self, client: httpx.AsyncClient, database: Database) -> None:
        user = (await client.post("/auth/register", json=NEW, headers=HEADERS)).json()
        recorded = {event.action: event for event in await events(database)}
        assert recorded.keys() == {"registered", "workspace_created"}
        assert {event.actor_id for event in recorded.values()} == {user["id"]}
        assert_origin(recorded["registered"])

    async def test_logging_in(self, client: httpx.AsyncClient, ada: Person, database: Database) -> None:
        before = await newest(database)
        client.headers.update(HEADERS)
        assert (await log_in(client)).status_code == 200
        (event,) = await events(database, before)
        assert (event.action, event.actor_id) == ("login", ada.user.id)
        assert_origin(event)

    async def test_a_failed_login_for_a_known_and_an_unknown_user_alike(
        self, client: httpx.AsyncClient, ada: Person, database: Database, queries: list[str]
    ) -> None:
        before = await newest(database)
        client.headers.update(HEADERS)
        statements = []
        for login in ("ada", "nobody"):
            queries.clear()
            assert (await log_in(client, "wrong password", login)).status_code == 401
            statements.append(list(queries))
        assert statements[0] == statements[1]
        known, unknown = await events(database, before)
        assert (known.action, known.actor_id) == ("login_failed", ada.user.id)
        assert (unknown.action, unknown.actor_id) == ("login_failed", None)
        for event in (known, unknown):
            assert_origin(event)
            assert event.details == {}, "what was typed as a name may be a password"

    async def test_logging_out(self, ada: Person, database: Database) -> None:
        before = await newest(database)
        await ada.client.post("/auth/logout", headers=HEADERS)
        await ada.client.post("/auth/logout", headers=HEADERS)
        (event,) = await events(database, before)
        assert (event.action, event.actor_id, event.details) == (
            "session_ended",
            ada.user.id,
            {"session_id": ada.session_id, "reason": "logout"},
        )
        assert_origin(event)

    async def test_logging_out_everywhere(self, ada: Person, database: Database) -> None:
        before = await newest(database)
        await ada.client.post("/auth/logout-all", headers=HEADERS)
        (event,) = await events(database, before)
        assert (event.action, event.actor_id) == ("sessions_ended", ada.user.id)
        assert_origin(event)

    async def test_using_a_refresh_token_twice(
        self, client: httpx.AsyncClient, ada: Person, database: Database
    ) -> None:
        form = {"refresh_token": (await log_in(client)).json()["refresh_token"]}
        before = await newest(database)
        client.headers.update(HEADERS)
        assert (await client.post("/auth/refresh", data=form)).status_code == 200
        assert (await client.post("/auth/refresh", data=form)).status_code == 401
        (event,) = await events(database, before)
        assert (event.action, event.actor_id) == ("refresh_token_reused", ada.user.id)
        assert_origin(event)

    async def test_disabling(self, people: People, ada: Person, database: Database) -> None:
        root = await people.join(is_superuser=True)
        before = await newest(database)
        for disabled in (True, False):
            await root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": disabled}, headers=HEADERS)
        recorded = await events(database, before)
        assert [event.action for event in recorded] == ["user_disabled", "user_enabled"]
        for event in recorded:
            assert (event.actor_id, event.details) == (root.user.id, {"user_id": ada.user.id})
            assert_origin(event)


def assert_origin(event: AuditEvent) -> None:
    assert (event.address, event.user_agent, event.request_id) == ("127.0.0.1", "curl/8", "from-the-gateway.1")


@pytest.mark.parametrize("agent", ["x" * 10_000, "\0", "ünïcode", ""])
async def test_whatever_a_client_calls_itself(
    client: httpx.AsyncClient, ada: Person, database: Database, agent: str
) -> None:
    del client.headers["user-agent"]
    before = await newest(database)
    form = {"username": "ada", "password": PASSWORD}
    response = await client.post("/auth/login", data=form, headers=[(b"user-agent", agent.encode())])
    assert response.status_code == 200
    (event,) = await events(database, before)
    assert len(event.user_agent or "") <= 400


async def test_no_event_holds_a_password_or_a_token(client: httpx.AsyncClient, database: Database) -> None:
    for _ in range(2):
        await client.post("/auth/register", json=NEW)
    await log_in(client, "wrong password")
    await log_in(client, login=PASSWORD)
    first = (await log_in(client)).json()
    second = (await client.post("/auth/refresh", data={"refresh_token": first["refresh_token"]})).json()
    await client.post("/auth/refresh", data={"refresh_token": first["refresh_token"]})
    third = (await log_in(client)).json()
    await client.post("/auth/logout", data={"refresh_token": third["refresh_token"]})
    async with database.unit_of_work() as uow:
        log = str(await uow.session.scalar(text("SELECT json_agg(event) FROM audit_events AS event")))
    for action in ("registered", "login_failed", "login", "refresh_token_reused", "session_ended"):
        assert f"'{action}'" in log
    for pair in (first, second, third):
        assert pair["access_token"] not in log
        assert pair["refresh_token"] not in log
    assert PASSWORD not in log
    assert "wrong password" not in log


class TestTransaction:
    async def test_what_is_rolled_back_leaves_no_event(self, own_people: People) -> None:
        ada, database = await own_people.join(username="ada"), own_people.database
        before = await newest(database)
        one_session = "CONSTRAINT uq_sessions_user_id"
        async with database.unit_of_work() as uow:
            await uow.session.execute(
                text(f"ALTER TABLE sessions ADD {one_session} UNIQUE (user_id) DEFERRABLE INITIALLY DEFERRED")
            )
        try:
            refused = await log_in(ada.client)
        finally:
            async with database.unit_of_work() as uow:
                await uow.session.execute(text(f"ALTER TABLE sessions DROP {one_session}"))
        assert refused.status_code == 409, "by the commit, long after the event was written"
        assert await events(database, before) == []
        assert (await log_in(ada.client)).status_code == 200
        assert [event.action for event in await events(database, before)] == ["login"]

    async def test_a_refused_login_is_kept_although_its_answer_is_an_error(self, own_people: People) -> None:
        ada = await own_people.join(username="ada")
        before = await newest(own_people.database)
        assert (await log_in(ada.client, "wrong password")).status_code == 401
        assert [event.action for event in await events(own_people.database, before)] == ["login_failed"]

    async def test_of_many_who_register_alike_one_is_recorded(self, own_people: People) -> None:
        ada, database = await own_people.join(), own_people.database
        before = await newest(database)
        answers = await asyncio.gather(*(ada.client.post("/auth/register", json=NEW) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
        assert sorted(event.action for event in await events(database, before)) == ["registered", "workspace_created"]


class TestAppendOnly:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_events SET actor_id = NULL",
            "UPDATE audit_events SET id = id WHERE false",
            "DELETE FROM audit_events",
            "DELETE FROM audit_events WHERE id = 1",
        ],
    )
    async def test_not_even_by_sql(self, database: Database, statement: str) -> None:
        async with database.unit_of_work() as uow:
            await AuditLog(uow, Origin()).record("login")
        with pytest.raises(DBAPIError, match="audit_events is append-only"):
            async with database.unit_of_work() as uow:
                await uow.session.execute(text(statement))
        assert len(await events(database)) == 1
