"""A POST that is sent again under its Idempotency-Key is done once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Form, Response
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.sql.dml import Delete, Update
from starlette.types import Message, Receive, Scope, Send

from app.auth.dependencies import CurrentUser
from app.auth.opaque import digest
from app.config import Settings
from app.database.database import Database
from app.idempotency import IdempotentRoute, Once
from app.main import create_app
from app.models.article import Article
from app.models.idempotency_key import IdempotencyKey
from app.models.outbox import OutboxMessage
from app.models.user import User
from app.models.workspace import Membership
from app.repositories.idempotency import claim
from app.roles import Role
from tests.databases import until_somebody_waits
from tests.people import PASSWORD, People, Person

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
VALID = {"title": "On the analytical engine", "content": "It weaves algebraical patterns."}
OTHER = VALID | {"title": "Something else"}


async def articles(database: Database) -> int | None:
    return await database.reader().unscoped().one_or_none(select(func.count()).select_from(Article))


async def keys(database: Database) -> int | None:
    return await database.reader().one_or_none(select(func.count()).select_from(IdempotencyKey))


async def execute(database: Database, statement: Update | Delete) -> None:
    async with database.unit_of_work() as uow:
        await uow.session.execute(statement)


class TestReplay:
    async def test_is_the_same_answer_byte_by_byte(self, people: People) -> None:
        ada = await people.join()
        first = await ada.client.post("/articles", json=VALID, headers=KEY)
        again = await ada.client.post("/articles", json=VALID, headers=KEY)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        for header in ("location", "content-type", "content-length"):
            assert again.headers[header] == first.headers[header]
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert await articles(people.database) == 1

    async def test_is_what_was_answered_then_and_not_what_is_now(self, people: People) -> None:
        ada = await people.join()
        first = await ada.client.post("/articles", json=VALID, headers=KEY)
        await ada.client.patch(first.headers["location"], json={"title": "Changed"})
        assert (await ada.client.post("/articles", json=VALID, headers=KEY)).content == first.content
        await ada.client.delete(first.headers["location"])
        assert (await ada.client.post("/articles", json=VALID, headers=KEY)).content == first.content

    async def test_costs_two_statements(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        queries.clear()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        assert len(queries) == 2, "one for the caller, one for the key"

    async def test_without_the_header_each_is_a_new_one(self, people: People) -> None:
        ada = await people.join()
        for count in (1, 2):
            assert (await ada.client.post("/articles", json=VALID)).status_code == 201
            assert await articles(people.database) == count
        assert await keys(people.database) == 0

    @pytest.mark.parametrize("path", ["/articles/", "/articles?"])
    async def test_another_spelling_of_the_address_is_the_same_request(self, people: People, path: str) -> None:
        ada = await people.join()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        again = await ada.client.post(path, json=VALID, headers=KEY)
        assert again.headers["idempotency-replayed"] == "true"

    async def test_takes_the_longest_body(self, people: People, settings: Settings) -> None:
        ada = await people.join()
        long = VALID | {"content": "x" * (settings.max_body_bytes - 1_000)}
        first = await ada.client.post("/articles", json=long, headers=KEY)
        again = await ada.client.post("/articles", json=long, headers=KEY)
        assert (first.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"


class TestOneKeyForTwoThings:
    @pytest.mark.parametrize(
        ("path", "body"), [("/articles", OTHER), ("/articles?draft=1", VALID), ("/articles", VALID | {"title": ""})]
    )
    async def test_is_refused(self, people: People, path: str, body: dict[str, str]) -> None:
        ada = await people.join()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        refused = await ada.client.post(path, json=body, headers=KEY)
        assert refused.status_code == 422
        assert "Idempotency-Key" in refused.json()["detail"]
        assert await articles(people.database) == 1

    async def test_but_everybody_has_keys_of_his_own(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        bobs = await bob.client.post("/articles", json=OTHER, headers=KEY)
        assert (bobs.status_code, bobs.json()["author_id"]) == (201, bob.user.id)
        assert "idempotency-replayed" not in bobs.headers

    @pytest.mark.parametrize("key", ["", " ", "x" * 300, "a\0b", "schlüssel", "\u200b", "a\tb", "a\x7fb"])
    async def test_a_key_that_is_none_is_refused_by_name(self, people: People, key: str) -> None:
        ada = await people.join()
        headers = [(b"idempotency-key", key.encode())]
        response = await ada.client.post("/articles", json=VALID, headers=headers)
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["header", "Idempotency-Key"]]
        assert await articles(people.database) == 0

    @pytest.mark.parametrize("key", ["k", '"a string, as the draft has it"', "~" * 255, "';DROP TABLE users;--"])
    async def test_every_other_is_taken(self, people: People, key: str) -> None:
        ada = await people.join()
        for replayed in (None, "true"):
            response = await ada.client.post("/articles", json=VALID, headers={"Idempotency-Key": key})
            assert (response.status_code, response.headers.get("idempotency-replayed")) == (201, replayed)


class TestWhoMay:
    async def test_a_replay_is_not_for_nobody(self, people: People, client: httpx.AsyncClient) -> None:
        ada = await people.join()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        assert (await client.post("/articles", json=VALID, headers=KEY)).status_code == 401

    async def test_nor_for_who_has_lost_the_role(self, people: People) -> None:
        ada = await people.join()
        await ada.client.post("/articles", json=VALID, headers=KEY)
        await execute(people.database, update(Membership).values(role=Role.viewer))
        assert (await ada.client.post("/articles", json=VALID, headers=KEY)).status_code == 403
        await execute(people.database, delete(Membership))
        assert (await ada.client.post("/articles", json=VALID, headers=KEY)).status_code == 403

    async def test_but_for_who_works_elsewhere_meanwhile(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        first = await bob.client.post("/articles", json=VALID, headers=KEY)
        async with people.database.unit_of_work() as uow:
            uow.session.add(Membership(workspace_id=ada.workspace_id, user_id=bob.user.id, role=Role.member))
            await uow.session.flush()
            await uow.session.execute(
                update(User).where(User.id == bob.user.id).values(active_workspace_id=ada.workspace_id)
            )
        assert (await bob.client.post("/articles", json=VALID, headers=KEY)).content == first.content


class TestFailure:
    async def test_leaves_the_key_free_for_a_corrected_body(self, people: People) -> None:
        ada = await people.join()
        failed = await ada.client.post("/articles", json=VALID | {"title": ""}, headers=KEY)
        assert failed.status_code == 422
        assert await keys(people.database) == 0
        assert (await ada.client.post("/articles", json=VALID, headers=KEY)).status_code == 201

    async def test_at_the_commit_leaves_no_key(self, own_people: People) -> None:
        ada, database = await own_people.join(), own_people.database
        await own_people.write(ada, title=VALID["title"])
        unique = "ADD CONSTRAINT uq_articles_title UNIQUE (title) DEFERRABLE INITIALLY DEFERRED"
        async with database.unit_of_work() as uow:
            await uow.session.execute(text(f"ALTER TABLE articles {unique}"))
        try:
            failed = await ada.client.post("/articles", json=VALID, headers=KEY)
        finally:
            async with database.unit_of_work() as uow:
                await uow.session.execute(text("ALTER TABLE articles DROP CONSTRAINT uq_articles_title"))
        assert failed.status_code == 409
        assert await keys(database) == 0
        again = await ada.client.post("/articles", json=VALID, headers=KEY)
        assert (again.status_code, again.headers.get("idempotency-replayed")) == (201, None)

    async def test_a_key_without_an_answer_is_free(self, own_people: People) -> None:
        """An endpoint that keeps a part of its work and then fails has claimed it, and answered nothing to repeat."""
        ada, database = await own_people.join(), own_people.database
        async with database.unit_of_work() as uow:
            await uow.session.execute(claim(ada.user.id, KEY["Idempotency-Key"], b"of another body"))
        for replayed in (None, "true"):
            response = await ada.client.post("/articles", json=VALID, headers=KEY)
            assert (response.status_code, response.headers.get("idempotency-replayed")) == (201, replayed)


class TestAtOnce:
    async def test_robustness_42_twenty_with_one_key_have_one_effect(self, own_people: People) -> None:
        ada, bob = await own_people.join(), await own_people.join()
        sent = [ada.client.post("/articles", json=VALID, headers=KEY) for _ in range(20)]
        answers = await asyncio.gather(*sent)
        assert [answer.status_code for answer in answers] == [201] * 20
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        assert await articles(own_people.database) == 1
        assert (await ada.client.post("/articles", json=OTHER, headers=KEY)).status_code == 422
        assert (await bob.client.post("/articles", json=OTHER, headers=KEY)).status_code == 201
        assert await articles(own_people.database) == 2

    async def test_of_many_different_ones_with_one_key_one_is_done(self, own_people: People) -> None:
        ada = await own_people.join()
        bodies = [VALID | {"title": f"Number {number}"} for number in range(10)]
        answers = await asyncio.gather(*(ada.client.post("/articles", json=body, headers=KEY) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [201] + [422] * 9
        assert await articles(own_people.database) == 1

    async def test_whoever_waits_for_one_that_fails_is_the_next_to_try(self, own_people: People) -> None:
        ada = await own_people.join()
        async with held(own_people.database, ada):
            waiting = await request_that_waits(own_people.database, ada)
        assert (await waiting).status_code == 201
        assert await articles(own_people.database) == 1

    async def test_a_client_that_hangs_up_meanwhile_can_try_again(self, own_people: People) -> None:
        ada, database = await own_people.join(), own_people.database
        async with held(database, ada):
            waiting = await request_that_waits(database, ada)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert await articles(database) == 0
        assert (await ada.client.post("/articles", json=VALID, headers=KEY)).status_code == 201
        assert await articles(database) == 1

    async def test_an_answer_that_is_lost_can_be_asked_for_again(self, own_people: People, own_app: FastAPI) -> None:
        ada = await own_people.join()

        async def lose(scope: Scope, receive: Receive, _send: Send) -> None:
            async def send(_message: Message) -> None:
                raise ConnectionResetError

            await own_app(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(lose), base_url="http://test") as client:
            with pytest.raises(ConnectionResetError):
                await client.post("/articles", json=VALID, headers={**ada.client.headers, **KEY})
        again = await ada.client.post("/articles", json=VALID, headers=KEY)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        assert (await ada.client.get(again.headers["location"])).json() == again.json()
        assert await articles(own_people.database) == 1


@asynccontextmanager
async def held(database: Database, person: Person) -> AsyncIterator[None]:
    """The key is in the hands of somebody who fails when the block ends."""
    with suppress(LookupError):
        async with database.unit_of_work() as uow:
            await uow.session.execute(claim(person.user.id, KEY["Idempotency-Key"], b""))
            yield
            raise LookupError


async def request_that_waits(database: Database, person: Person) -> asyncio.Task[httpx.Response]:
    request = asyncio.create_task(person.client.post("/articles", json=VALID, headers=KEY))
    await until_somebody_waits(database)
    return request


class TestOtherRoutes:
    @pytest.fixture
    async def ada(self, settings: Settings, database: Database) -> Person:
        """Somebody with an application that has routes of other kinds."""
        router = APIRouter(route_class=IdempotentRoute)
        calls: list[str] = []

        @router.post("/forms", status_code=204)
        async def take_form(user: CurrentUser, name: Annotated[str, Form()], _once: Once) -> None:
            calls.append(name)

        @router.post("/nothing")
        async def answer_nothing(user: CurrentUser, response: Response, _once: Once) -> list[str]:
            response.set_cookie("secret", "abc")
            calls.append("nothing")
            return calls

        @router.post("/again")
        async def answer_each_time(user: CurrentUser) -> list[str]:
            calls.append("again")
            return calls

        @router.post("/public")
        async def answer_anybody(_once: Once) -> list[str]:
            calls.append("public")
            return calls

        app = create_app(settings)
        app.include_router(router, prefix="/inner")
        app.state.database = database
        return await People(app, database, settings).join()

    async def test_forms_and_empty_answers(self, ada: Person) -> None:
        for replayed in (None, "true"):
            response = await ada.client.post("/inner/forms", data={"name": "ada"}, headers=KEY)
            assert (response.status_code, response.content) == (204, b"")
            assert response.headers.get("idempotency-replayed") == replayed
        other = await ada.client.post("/inner/forms", data={"name": "bob"}, headers=KEY)
        assert other.status_code == 422
        elsewhere = await ada.client.post("/inner/nothing", headers=KEY)
        assert elsewhere.status_code == 422, "another path"

    async def test_cookies_are_not_kept(self, ada: Person, database: Database) -> None:
        first = await ada.client.post("/inner/nothing", headers=KEY)
        assert "set-cookie" in first.headers
        again = await ada.client.post("/inner/nothing", headers=KEY)
        assert (again.content, "set-cookie" in again.headers) == (first.content, False)
        kept = await database.reader().one_or_none(select(IdempotencyKey.headers))
        assert kept == {"content-type": "application/json"}

    async def test_who_does_not_ask_for_it_does_not_know_the_header(self, ada: Person, database: Database) -> None:
        for count in (1, 2):
            response = await ada.client.post("/inner/again", headers=KEY)
            assert response.json() == ["again"] * count
        assert await keys(database) == 0

    async def test_whoever_is_nobody_has_no_keys(self, ada: Person, database: Database) -> None:
        for count in (1, 2):
            response = await ada.client.post("/inner/public", headers=KEY | {"Authorization": ""})
            assert response.json() == ["public"] * count
        assert await keys(database) == 0

    async def test_a_body_that_breaks_off_is_no_error_of_ours(self, people: People, app: FastAPI) -> None:
        ada = await people.join()

        async def hang_up(scope: Scope, _receive: Receive, send: Send) -> None:
            async def receive() -> Message:
                return {"type": "http.disconnect"}

            await app(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(hang_up), base_url="http://test") as client:
            response = await client.post("/articles", json=VALID, headers={**ada.client.headers, **KEY})
        assert response.status_code == 400


async def test_whoever_is_nobody_yet_has_no_keys(client: httpx.AsyncClient, database: Database) -> None:
    body = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
    statuses = [(await client.post("/auth/register", json=body, headers=KEY)).status_code for _ in range(2)]
    assert statuses == [201, 409]
    assert await keys(database) == 0


def test_the_contract_knows_the_header(app: FastAPI) -> None:
    operations = app.openapi()["paths"]["/articles"]
    assert "Idempotency-Key" not in str(operations["get"])
    (parameter,) = operations["post"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("Idempotency-Key", "header", False)


class TestInvitations:
    async def test_are_sent_again_once(self, people: People, database: Database) -> None:
        ada = await people.join()
        invitation = await people.invite(ada)
        path = f"/workspaces/{ada.workspace_id}/invitations/{invitation.id}/resend"
        for replayed in (None, "true"):
            response = await ada.client.post(path, headers=KEY)
            assert (response.status_code, response.headers.get("idempotency-replayed")) == (202, replayed)
        assert await database.reader().one_or_none(select(func.count()).select_from(OutboxMessage)) == 1

    async def test_are_accepted_once_and_that_is_told_again(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        await people.invite(ada, email=bob.user.email, token_hash=digest("token"))
        first = await bob.client.post("/invitations/accept", json={"token": "token"}, headers=KEY)
        again = await bob.client.post("/invitations/accept", json={"token": "token"}, headers=KEY)
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.content == first.content
