"""What somebody does with his own account."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select, text, update

from app.config import Settings
from app.database.database import Database
from app.models.article import Article
from app.models.audit_event import AuditEvent
from app.models.one_time_token import OneTimeToken
from app.models.outbox import OutboxMessage
from app.models.user import User
from app.models.workspace import Membership, Workspace
from app.roles import Role
from app.services.audit import AuditLog, Origin
from app.services.passwords import PasswordService
from app.services.sessions import SessionService
from tests.letters import Letters
from tests.people import PASSWORD, People, Person

NEW = "a new password, long enough"


async def log_in(client: httpx.AsyncClient, login: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/auth/login", data={"username": login, "password": password, "scope": "offline_access"})


async def alive(client: httpx.AsyncClient, tokens: dict[str, str]) -> set[int]:
    """What the two tokens of a session are answered with."""
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return {
        (await client.get("/users/me", headers=headers)).status_code,
        (await client.post("/auth/refresh", data={"refresh_token": tokens["refresh_token"]})).status_code,
    }


async def actions(database: Database) -> list[str]:
    return list(await database.reader().all(select(AuditEvent.action).order_by(AuditEvent.id)))


async def somebody_waits(database: Database) -> None:
    """Come back when a transaction waits for another one's lock."""
    waiting = select(func.count()).select_from(text("pg_stat_activity")).where(text("wait_event_type = 'Lock'"))
    waiting = waiting.where(text("datname = current_database()"))
    while not await database.reader().one_or_none(waiting):
        pass


class TestReading:
    async def test_me_is_the_caller(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        for person in (ada, bob):
            body = (await person.client.get("/users/me")).json()
            assert (body["id"], body["email"]) == (person.user.id, person.user.email)
            assert "hashed_password" not in body

    async def test_shows_what_the_account_is(self, people: People) -> None:
        ada = await people.join(is_superuser=True, email_verified_at=None)
        body = (await ada.client.get("/users/me")).json()
        assert body["is_superuser"] is True
        assert body["email_verified"] is False
        assert body["active_workspace_id"] == ada.workspace_id


class TestUserName:
    async def test_changes_at_once(self, people: People, client: httpx.AsyncClient) -> None:
        ada = await people.join(username="ada")
        for name in ("ADA", "countess"):  # the same in another case is no conflict with himself
            response = await ada.client.patch("/users/me", json={"username": name})
            assert (response.status_code, response.json()["username"]) == (200, name)
        assert (await log_in(client, "countess")).status_code == 200
        assert (await log_in(client, "ada")).status_code == 401

    async def test_taken_by_somebody_else(self, people: People) -> None:
        ada = await people.join()
        await people.join(username="bob")
        response = await ada.client.patch("/users/me", json={"username": "BOB"})
        assert (response.status_code, response.json()["detail"]) == (409, "username is already taken")

    async def test_nothing_sent_changes_nothing(self, people: People) -> None:
        ada = await people.join()
        before = (await ada.client.get("/users/me")).json()
        assert (await ada.client.patch("/users/me", json={})).json() == before


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"username": None}, "username"),
        ({"email": None, "current_password": PASSWORD}, "email"),
        ({"email": "a@example.com", "current_password": None}, "current_password"),
        ({"email": "a@example.com"}, "current_password"),
        ({"email": "nobody", "current_password": PASSWORD}, "email"),
        ({"username": "ada@example.com"}, "username"),
        *(
            ({field: value}, field)
            for field, value in {
                "is_superuser": True,
                "role": "owner",
                "id": 1,
                "active_workspace_id": 1,
                "email_verified": True,
                "email_verified_at": "2026-01-01T00:00:00Z",
                "hashed_password": "x",
                "disabled_at": None,
            }.items()
        ),
    ],
)
async def test_robustness_24_refuses_by_name(people: People, change: dict[str, Any], culprit: str) -> None:
    ada = await people.join()
    before = (await ada.client.get("/users/me")).json()
    response = await ada.client.patch("/users/me", json=change | {"username": "new", **change})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", culprit]
    assert (await ada.client.get("/users/me")).json() == before


class TestEmail:
    async def change(self, person: Person, email: str, password: str = PASSWORD) -> httpx.Response:
        return await person.client.patch("/users/me", json={"email": email, "current_password": password})

    async def test_changes_when_the_new_address_confirms_it(
        self, people: People, client: httpx.AsyncClient, letters: Letters
    ) -> None:
        ada = await people.join(email="old@example.com")
        before = (await ada.client.get("/users/me")).json()
        response = await self.change(ada, "New@example.com")
        assert (response.status_code, response.json()) == (200, before)
        (letter,) = await letters()
        assert letter.to == "New@example.com"

        assert (await client.post("/auth/verify-email", json={"token": letter.token})).status_code == 204
        after = (await ada.client.get("/users/me")).json()  # the session goes on
        assert (after["email"], after["email_verified"]) == ("New@example.com", True)
        assert [told.to for told in await letters()] == ["old@example.com"]
        assert (await log_in(client, "new@EXAMPLE.com")).status_code == 200
        assert (await log_in(client, "old@example.com")).status_code == 401

    async def test_takes_the_password(self, people: People, letters: Letters, database: Database) -> None:
        ada = await people.join()
        response = await self.change(ada, "thief@example.com", "wrong password")
        assert (response.status_code, response.json()["detail"]) == (403, "The current password is wrong")
        assert await letters() == []
        assert (await actions(database))[-1] == "reauthentication_failed"

    async def test_that_stays_is_no_change(self, people: People, letters: Letters) -> None:
        ada = await people.join(email="ada@example.com")
        assert (await self.change(ada, "ada@example.com")).status_code == 200
        assert await letters() == []

    async def test_does_not_tell_who_has_an_account(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        await people.join(email="bob@example.com")
        answers, work = [], []
        for email in ("BOB@example.com", "nobody@example.com"):
            queries.clear()
            response = await self.change(ada, email)
            answers.append((response.status_code, response.json()))
            work.append(list(queries))
        assert answers[0] == answers[1]
        assert work[0] == work[1]

    async def test_taken_meanwhile_is_told_to_whoever_reads_its_mail(
        self, people: People, client: httpx.AsyncClient, letters: Letters, database: Database
    ) -> None:
        ada, bob = await people.join(email="ada@example.com"), await people.join(email="bob@example.com")
        await self.change(ada, "BOB@example.com")
        (letter,) = await letters()
        proof = {"token": letter.token}
        response = await client.post("/auth/verify-email", json=proof)
        assert (response.status_code, response.json()["detail"]) == (409, "email is already taken")
        assert (await ada.client.get("/users/me")).json()["email"] == "ada@example.com"
        async with database.unit_of_work() as uow:  # the token was not used up
            await uow.session.execute(delete(User).where(User.id == bob.user.id))
        assert (await client.post("/auth/verify-email", json=proof)).status_code == 204

    async def test_changed_makes_tokens_for_the_old_one_worthless(
        self, people: People, client: httpx.AsyncClient, letters: Letters
    ) -> None:
        ada = await people.join(email="old@example.com")
        await client.post("/auth/forgot-password", json={"email": "old@example.com"})
        (reset,) = await letters()
        await self.change(ada, "new@example.com")
        (change,) = await letters()
        await client.post("/auth/verify-email", json={"token": change.token})
        response = await client.post("/auth/reset-password", json={"token": reset.token, "password": NEW})
        assert response.status_code == 401


class TestPassword:
    async def change(self, person: Person, current: str = PASSWORD, new: str = NEW) -> httpx.Response:
        body = {"current_password": current, "new_password": new}
        return await person.client.post("/users/me/password", json=body)

    async def test_robustness_16_ends_every_session(
        self, people: People, client: httpx.AsyncClient, letters: Letters, database: Database
    ) -> None:
        ada, bob = await people.join(username="ada"), await people.join(username="bob")
        hers = [(await log_in(client, "ada")).json() for _ in range(2)]
        his = (await log_in(client, "bob")).json()
        response = await self.change(ada)
        assert response.status_code == 204
        assert {cookie.split(";")[0] for cookie in response.headers.get_list("set-cookie")} == {
            'access_token=""',
            'refresh_token=""',
        }
        assert (await ada.client.get("/users/me")).status_code == 401
        for tokens in hers:
            assert await alive(client, tokens) == {401}
        assert await alive(client, his) == {200}
        assert (await log_in(client, "ada")).status_code == 401
        assert (await log_in(client, "ada", NEW)).status_code == 200
        assert [letter.to for letter in await letters()] == [ada.user.email]
        assert {"password_changed", "sessions_ended"} <= set(await actions(database))
        assert (await bob.client.get("/users/me")).status_code == 200

    async def test_makes_tokens_in_mails_worthless(
        self, people: People, client: httpx.AsyncClient, letters: Letters, database: Database
    ) -> None:
        ada = await people.join()
        change = {"email": "thief@example.com", "current_password": PASSWORD}
        await client.post("/auth/forgot-password", json={"email": ada.user.email})
        await ada.client.patch("/users/me", json=change)
        reset, confirm = await letters()
        await ada.client.patch("/users/me", json=change)  # and this mail is not even sent any more
        await self.change(ada)
        assert [letter.to for letter in await letters()] == [ada.user.email]
        response = await client.post("/auth/reset-password", json={"token": reset.token, "password": NEW})
        assert response.status_code == 401
        assert (await client.post("/auth/verify-email", json={"token": confirm.token})).status_code == 401
        assert await database.reader().all(select(OneTimeToken)) == []

    async def test_takes_the_current_one(self, people: People, client: httpx.AsyncClient) -> None:
        ada = await people.join(username="ada")
        response = await self.change(ada, current="wrong password")
        assert (response.status_code, response.json()["detail"]) == (403, "The current password is wrong")
        assert (await ada.client.get("/users/me")).status_code == 200
        assert (await log_in(client, "ada", NEW)).status_code == 401

    @pytest.mark.parametrize("password", ["x" * 64, "🦄🐉 ünïcø", "        ", "p" * 73])
    async def test_robustness_5_6_may_be_anything_long_enough(
        self, people: People, client: httpx.AsyncClient, password: str
    ) -> None:
        ada = await people.join(username="ada")
        assert (await self.change(ada, new=password)).status_code == 204
        assert (await log_in(client, "ada", password)).status_code == 200
        assert (await log_in(client, "ada", password[:-1])).status_code == 401

    @pytest.mark.parametrize("password", ["short!!", "PassWord1", "x" * 129, "nul\0nul\0nul"])
    async def test_robustness_7_refuses_weak_ones_without_an_echo(self, people: People, password: str) -> None:
        ada = await people.join()
        response = await self.change(ada, new=password)
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", "new_password"]
        assert password not in response.text
        assert (await ada.client.get("/users/me")).status_code == 200

    async def test_changed_twice_at_once_is_changed_once(self, own_people: People) -> None:
        ada = await own_people.join(username="ada")
        passwords = [f"{NEW} {number}" for number in range(4)]
        answers = await asyncio.gather(*(self.change(ada, new=password) for password in passwords))
        (winner,) = [i for i, answer in enumerate(answers) if answer.status_code == 204]
        assert {answer.status_code for answer in answers} <= {204, 401, 403}
        for index, password in enumerate(passwords):
            assert (await log_in(ada.client, "ada", password)).status_code == (200 if index == winner else 401)

    async def test_does_not_let_a_login_through_that_is_half_way(
        self, own_people: People, own_settings: Settings
    ) -> None:
        """The old password was right, the session is open, and not yet committed."""
        ada, database = await own_people.join(), own_people.database
        async with database.unit_of_work() as uow:
            session = await SessionService(uow, own_settings, AuditLog(uow, Origin())).open(ada.user)
            change = asyncio.create_task(self.change(ada))
            await somebody_waits(database)
        assert (await change).status_code == 204
        tokens = {"access_token": session.access, "refresh_token": session.refresh}
        assert await alive(own_people.client(session.access), tokens) == {401}

    async def test_half_way_changed_holds_a_login_up(self, own_people: People, own_settings: Settings) -> None:
        """The other way round: the new password is there, and not yet committed."""
        ada, database = await own_people.join(username="ada"), own_people.database
        async with database.unit_of_work() as uow:
            passwords = PasswordService(uow, own_settings, AuditLog(uow, Origin()))
            await passwords.replace(await passwords.lock(ada.user), "another hash", event="password_changed")
            login = asyncio.create_task(log_in(ada.client, "ada"))
            await somebody_waits(database)
        assert (await login).status_code == 401


class TestDeleting:
    async def delete(self, person: Person, password: str = PASSWORD) -> httpx.Response:
        return await person.client.request("DELETE", "/users/me", json={"password": password})

    async def test_takes_along_what_is_nobody_elses(
        self, people: People, client: httpx.AsyncClient, database: Database
    ) -> None:
        ada, bob = await people.join(username="ada"), await people.join()
        await people.write(ada)
        kept = await people.write(bob)
        tokens = (await log_in(client, "ada")).json()
        await ada.client.post("/auth/resend-verification")
        response = await self.delete(ada)
        assert response.status_code == 204
        assert len(response.headers.get_list("set-cookie")) == 2
        assert await alive(client, tokens) == {401}
        for path in ("/users/me", "/articles"):
            assert (await ada.client.get(path)).status_code == 401
        assert (await log_in(client, "ada")).status_code == 401
        reader = database.reader().unscoped()
        assert await reader.all(select(User.id)) == [bob.user.id]
        assert await reader.all(select(Article.id)) == [kept.id]
        assert await reader.all(select(Workspace.id)) == [bob.workspace_id]
        assert await reader.all(select(OutboxMessage.id)) == []
        assert "user_deleted" in await actions(database)

    async def test_takes_the_password(self, people: People) -> None:
        ada = await people.join()
        response = await self.delete(ada, "wrong password")
        assert (response.status_code, response.json()["detail"]) == (403, "The current password is wrong")
        assert (await ada.client.request("DELETE", "/users/me", json={})).status_code == 422
        assert (await ada.client.get("/users/me")).status_code == 200

    async def test_the_last_owner_hands_over_first(self, people: People, database: Database) -> None:
        ada = await people.join(username="ada")
        bob = await people.join(ada.workspace_id)
        await people.write(ada)
        kept = await people.write(bob)
        response = await self.delete(ada)
        assert response.status_code == 409
        assert '"ada"' in response.json()["detail"], "the workspace is called like its founder"
        assert (await ada.client.get("/users/me")).status_code == 200
        async with database.unit_of_work() as uow:
            promotion = update(Membership).where(
                Membership.workspace_id == ada.workspace_id, Membership.user_id == bob.user.id
            )
            await uow.session.execute(promotion.values(role=Role.owner))
        assert (await self.delete(ada)).status_code == 204
        assert [article["id"] for article in (await bob.client.get("/articles")).json()] == [kept.id]
        assert (await bob.client.post("/articles", json={"title": "T", "content": "0123456789"})).status_code == 201

    async def test_a_member_just_leaves(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id)
        article = await people.write(ada, published=False)
        assert (await self.delete(bob)).status_code == 204
        assert (await ada.client.get(f"/articles/{article.id}")).status_code == 200

    async def test_of_two_owners_at_once_one_stays(self, own_people: People) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id, Role.owner)
        await own_people.join(ada.workspace_id, Role.viewer)
        answers = await asyncio.gather(self.delete(ada), self.delete(bob))
        assert sorted(answer.status_code for answer in answers) == [204, 409]

    async def test_the_last_two_at_once_leave_nothing_behind(self, own_people: People) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id, Role.owner)
        answers = await asyncio.gather(self.delete(ada), self.delete(bob))
        assert [answer.status_code for answer in answers] == [204, 204]
        for model in (User, Workspace, Membership):
            assert await own_people.database.reader().all(select(model.id)) == []

    async def test_sees_who_is_just_joining(self, own_people: People) -> None:
        ada, bob = await own_people.join(), await own_people.join()
        async with own_people.database.unit_of_work() as uow:
            uow.session.add(Membership(workspace_id=ada.workspace_id, user_id=bob.user.id, role=Role.member))
            await uow.session.flush()
            deletion = asyncio.create_task(self.delete(ada))
            await somebody_waits(own_people.database)
        assert (await deletion).status_code == 409

    async def test_sees_an_owner_who_is_just_demoted(self, own_people: People) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id, Role.owner)
        async with own_people.database.unit_of_work() as uow:
            demotion = update(Membership).where(
                Membership.workspace_id == ada.workspace_id, Membership.user_id == bob.user.id
            )
            await uow.session.execute(demotion.values(role=Role.member))
            deletion = asyncio.create_task(self.delete(ada))
            await somebody_waits(own_people.database)
        assert (await deletion).status_code == 409


async def test_robustness_16_disabled_is_logged_out_everywhere(
    people: People, client: httpx.AsyncClient, database: Database
) -> None:
    ada = await people.join(username="ada")
    tokens = (await log_in(client, "ada")).json()
    async with database.unit_of_work() as uow:
        await uow.session.execute(update(User).where(User.id == ada.user.id).values(disabled_at=func.now()))
    assert await alive(client, tokens) == {401}
    assert (await log_in(client, "ada")).status_code == 401
