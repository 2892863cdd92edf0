import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update

from app.auth.opaque import digest
from app.config import Settings
from app.database.database import Database
from app.models.user import User
from app.models.workspace import Invitation
from app.roles import Role
from tests.letters import Letters
from tests.people import PASSWORD, People, Person, moment

ADDRESS = "Eve@example.com"
NEWCOMER = {"username": "eve", "password": PASSWORD}
NOT_VALID = (401, "The token is not valid")


def address(inviter: Person, invitation: int | None = None) -> str:
    return f"/workspaces/{inviter.workspace_id}/invitations" + (f"/{invitation}" if invitation else "")


async def invite(inviter: Person, email: str = ADDRESS, role: Role = Role.member) -> int:
    response = await inviter.client.post(address(inviter), json={"email": email, "role": role})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


async def token_for(inviter: Person, letters: Letters, email: str = ADDRESS, role: Role = Role.member) -> str:
    """The token that the worker has sent to somebody who was invited."""
    await invite(inviter, email, role)
    return sent(await letters())


def sent(letters: list[Any]) -> str:
    (letter,) = letters
    assert letter.token
    return str(letter.token)


async def accept(client: httpx.AsyncClient, token: str, **data: Any) -> tuple[int, str]:
    """The status, and what was said of it."""
    response = await client.post("/invitations/accept", json={"token": token, **data})
    return response.status_code, response.json().get("detail", "")


class TestCreate:
    async def test_robustness_18_the_token_is_in_the_mail_and_nowhere_else(
        self, people: People, letters: Letters, database: Database, settings: Settings
    ) -> None:
        ada = await people.join(username="ada")
        await ada.client.patch(f"/workspaces/{ada.workspace_id}", json={"name": "Engines"})
        response = await ada.client.post(address(ada), json={"email": ADDRESS, "role": "admin"})
        assert response.status_code == 201
        body = response.json()
        assert body.keys() == {"id", "email", "role", "invited_by_id", "created_at", "expires_at"}
        assert (body["email"], body["role"], body["invited_by_id"]) == (ADDRESS, "admin", ada.user.id)
        week = datetime.now(UTC) + timedelta(days=settings.invitation_expire_days)
        assert abs(moment(body["expires_at"]) - week) < timedelta(minutes=1)
        assert (await ada.client.get(response.headers["location"])).json() == body
        (letter,) = await letters()
        assert letter.to == ADDRESS
        assert "ada invites you to Engines" in letter.subject
        assert letter.token
        assert await database.reader().one_or_none(select(Invitation.token_hash)) == digest(letter.token)
        async with database.unit_of_work() as uow:
            for dump in (
                "SELECT to_jsonb(t)::text FROM invitations t",
                "SELECT to_jsonb(t)::text FROM outbox t",
                "SELECT to_jsonb(t)::text FROM audit_events t",
            ):
                assert letter.token not in "".join(await uow.session.scalars(text(dump)))
        assert letter.token not in (await ada.client.get(address(ada))).text

    @pytest.mark.parametrize(
        ("inviter", "role", "status"),
        [
            (Role.owner, Role.owner, 201),
            (Role.owner, Role.viewer, 201),
            (Role.admin, Role.admin, 201),
            (Role.admin, Role.owner, 403),
            (Role.member, Role.viewer, 403),
            (Role.viewer, Role.viewer, 403),
        ],
    )
    async def test_who_may_invite_as_what(
        self, people: People, letters: Letters, inviter: Role, role: Role, status: int
    ) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, inviter)
        response = await bob.client.post(address(bob), json={"email": ADDRESS, "role": role})
        assert response.status_code == status
        assert len(await letters()) == (1 if status == 201 else 0)

    async def test_a_member_needs_no_invitation(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        await people.join(ada.workspace_id, email="eve@EXAMPLE.com")
        response = await ada.client.post(address(ada), json={"email": ADDRESS, "role": "member"})
        assert (response.status_code, response.json()["detail"]) == (409, "This address belongs to a member already")
        assert await letters() == []

    async def test_who_is_invited_already_is_to_be_reminded(self, people: People, letters: Letters) -> None:
        ada, bob = await people.join(), await people.join()
        await invite(ada)
        response = await ada.client.post(address(ada), json={"email": ADDRESS.upper(), "role": "viewer"})
        assert response.status_code == 409
        assert "resent" in response.json()["detail"]
        await invite(bob)
        assert len(await letters()) == 2, "another workspace's invitation is its own"

    async def test_of_many_at_once_one_is_sent(self, own_people: People, own_letters: Letters) -> None:
        ada = await own_people.join()
        tries = [ada.client.post(address(ada), json={"email": ADDRESS, "role": "member"}) for _ in range(5)]
        statuses = [response.status_code for response in await asyncio.gather(*tries)]
        assert sorted(statuses) == [201, 409, 409, 409, 409]
        assert len(await own_letters()) == 1

    @pytest.mark.parametrize(
        ("change", "culprit"),
        [
            ({"email": "nobody"}, "email"),
            ({"email": None}, "email"),
            ({"email": "a\0b@example.com"}, "email"),
            ({"role": "superuser"}, "role"),
            ({"role": None}, "role"),
        ],
    )
    async def test_refuses_by_name(self, people: People, change: dict[str, object], culprit: str) -> None:
        ada = await people.join()
        response = await ada.client.post(address(ada), json={"email": ADDRESS, "role": "member"} | change)
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", culprit]


class TestList:
    async def test_is_for_admins_in_pages(self, people: People) -> None:
        ada = await people.join()
        bob, eve = [await people.join(ada.workspace_id, role) for role in (Role.admin, Role.member)]
        ids = [await invite(ada, f"{name}@example.com") for name in "bca"]
        stranger = await people.join()
        await invite(stranger)
        first = await bob.client.get(address(ada), params={"sort": "email", "limit": 2})
        second = await bob.client.get(first.links["next"]["url"])
        assert [one["id"] for one in first.json() + second.json()] == [ids[2], ids[0], ids[1]]
        assert (await eve.client.get(address(ada))).status_code == 403
        assert (await eve.client.get(address(ada, ids[0]))).status_code == 403

    async def test_costs_three_statements_however_long_it_is(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        for name in "abc":
            await invite(ada, f"{name}@example.com")
        queries.clear()
        assert len((await ada.client.get(address(ada))).json()) == 3
        assert len(queries) == 3, "the caller, his role, the list"

    @pytest.mark.parametrize("removed", [True, False], ids=["removed", "demoted"])
    async def test_what_somebody_has_offered_goes_with_him(
        self, people: People, letters: Letters, removed: bool
    ) -> None:
        """Or somebody who has to go would leave a door open for himself."""
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.admin)
        eve = await people.join(email=ADDRESS)
        token = await token_for(bob, letters)
        membership = f"/workspaces/{ada.workspace_id}/members/{bob.user.id}"
        if removed:
            await ada.client.delete(membership)
        else:
            await ada.client.patch(membership, json={"role": "member"})
        assert (await ada.client.get(address(ada))).json() == []
        assert (await accept(eve.client, token))[0] == 401


class TestRevoke:
    async def test_makes_the_token_worthless(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS)
        token = await token_for(ada, letters)
        (invitation,) = (await ada.client.get(address(ada))).json()
        response = await ada.client.delete(address(ada, invitation["id"]))
        assert (response.status_code, response.content) == (204, b"")
        assert await accept(eve.client, token) == NOT_VALID
        assert (await ada.client.delete(address(ada, invitation["id"]))).status_code == 404
        assert (await ada.client.get(address(ada))).json() == []

    async def test_before_the_mail_is_sent_it_is_not_sent(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        await ada.client.delete(address(ada, await invite(ada)))
        assert await letters() == []

    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/resend")])
    async def test_robustness_23_anothers_invitation_is_a_missing_one(
        self, people: People, method: str, path: str
    ) -> None:
        ada, bob = await people.join(), await people.join()
        foreign = await invite(bob)
        answers = []
        for invitation in (foreign, 10**12):
            response = await ada.client.request(method, address(ada, invitation) + path)
            answers.append((response.status_code, response.json() | {"request_id": "", "instance": ""}))
        assert answers[0] == answers[1]
        assert (answers[0][0], answers[0][1]["detail"]) == (404, "Invitation not found")
        assert (await bob.client.get(address(bob, foreign))).status_code == 200

    @pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/resend")])
    async def test_an_owners_invitation_is_an_owners_business(self, people: People, method: str, path: str) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.admin)
        invitation = await invite(ada, role=Role.owner)
        assert (await bob.client.request(method, address(ada, invitation) + path)).status_code == 403
        assert (await ada.client.request(method, address(ada, invitation) + path)).is_success


class TestResend:
    async def test_the_old_token_is_worth_nothing_at_once(
        self, people: People, letters: Letters, database: Database
    ) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS)
        old = await token_for(ada, letters)
        async with database.unit_of_work() as uow:
            await uow.session.execute(update(Invitation).values(expires_at=datetime.now(UTC) + timedelta(hours=1)))
        (invitation,) = (await ada.client.get(address(ada))).json()
        response = await ada.client.post(address(ada, invitation["id"]) + "/resend")
        assert (response.status_code, response.content) == (202, b"")
        assert await accept(eve.client, old) == NOT_VALID, "before the new one is sent"
        renewed = (await ada.client.get(address(ada, invitation["id"]))).json()
        assert moment(renewed["expires_at"]) > moment(invitation["expires_at"])
        new = sent(await letters())
        assert await accept(eve.client, old) == NOT_VALID
        assert (await accept(eve.client, new))[0] == 200


async def test_inviting_takes_a_verified_address(people: People) -> None:
    """Else anybody could register somebody else's, and have others in his workspace before he comes himself."""
    ada = await people.join(email_verified_at=None)
    body = {"email": ADDRESS, "role": "owner"}
    response = await ada.client.post(address(ada), json=body)
    assert (response.status_code, response.json()["detail"]) == (403, "Verify your e-mail address first")


class TestAccept:
    async def test_with_an_account_is_to_join_with_it(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        eve = await people.join(email="eve@EXAMPLE.COM", email_verified_at=None)
        token = await token_for(ada, letters, role=Role.admin)
        assert (await eve.client.get("/users/me")).json()["email_verified"] is False
        response = await eve.client.post("/invitations/accept", json={"token": token})
        assert response.status_code == 200
        joined = response.json()
        assert (joined["id"], joined["role"], joined["active"]) == (ada.workspace_id, "admin", False)
        me = (await eve.client.get("/users/me")).json()
        assert (me["email_verified"], me["active_workspace_id"]) == (True, eve.workspace_id)
        assert (await eve.client.get(address(ada))).json() == [], "and used up"
        assert await accept(eve.client, token) == NOT_VALID

    async def test_who_works_nowhere_works_there(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS)
        await eve.client.delete(f"/workspaces/{eve.workspace_id}")
        token = await token_for(ada, letters)
        joined = (await eve.client.post("/invitations/accept", json={"token": token})).json()
        assert (joined["id"], joined["active"]) == (ada.workspace_id, True)

    async def test_without_an_account_is_to_make_one(
        self, client: httpx.AsyncClient, people: People, letters: Letters, database: Database
    ) -> None:
        ada = await people.join()
        token = await token_for(ada, letters, role=Role.viewer)
        response = await client.post("/invitations/accept", json={"token": token, **NEWCOMER})
        assert response.status_code == 200
        joined = response.json()
        assert (joined["id"], joined["role"], joined["active"]) == (ada.workspace_id, "viewer", True)
        login = await client.post("/auth/login", data={"username": "eve", "password": PASSWORD})
        eve = people.client(login.json()["access_token"])
        me = (await eve.get("/users/me")).json()
        assert (me["email"], me["email_verified"], me["username"]) == (ADDRESS, True, "eve")
        workspaces = {one["name"]: one["role"] for one in (await eve.get("/workspaces")).json()}
        assert workspaces == {ada.user.username: "viewer", "eve": "owner"}
        assert await letters() == [], "there is nothing left to verify"
        verified = await database.reader().one_or_none(select(User.email_verified_at).where(User.username == "eve"))
        assert verified is not None

    async def test_another_person_neither_joins_nor_uses_it_up(self, people: People, letters: Letters) -> None:
        ada, bob = await people.join(), await people.join()
        token = await token_for(ada, letters)
        for _ in range(2):
            assert await accept(bob.client, token) == (403, "This invitation is for another address")
        eve = await people.join(email=ADDRESS)
        assert await accept(bob.client, token) == (403, "This invitation is for another address")
        assert (await accept(eve.client, token))[0] == 200

    async def test_who_has_an_account_is_asked_to_log_in(
        self, client: httpx.AsyncClient, people: People, letters: Letters
    ) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS.lower())
        token = await token_for(ada, letters)
        response = await client.post("/invitations/accept", json={"token": token, **NEWCOMER})
        assert (response.status_code, response.json()["detail"]) == (401, "Log in to accept")
        assert response.headers["www-authenticate"] == "Bearer"
        assert (await accept(eve.client, token))[0] == 200

    @pytest.mark.parametrize(
        ("data", "culprit", "said"),
        [
            ({}, "username", "username and password"),
            ({"username": "eve"}, "password", "password"),
            ({"password": PASSWORD}, "username", "username"),
            ({"username": "eve", "password": None}, "password", "password"),
            ({"username": "eve", "password": "short"}, "password", "password"),
            ({"username": "eve", "password": "password1"}, "password", "common"),
            ({"username": "e@ve", "password": PASSWORD}, "username", "username"),
        ],
    )
    async def test_a_new_account_takes_what_registering_takes(  # noqa: PLR0913, PLR0917  # fixtures and cases
        self, client: httpx.AsyncClient, people: People, letters: Letters, data: Any, culprit: str, said: str
    ) -> None:
        ada = await people.join()
        token = await token_for(ada, letters)
        response = await client.post("/invitations/accept", json={"token": token, **data})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", culprit]
        assert said in response.json()["detail"]
        assert (await accept(client, token, **NEWCOMER))[0] == 200, "the invitation is still good"

    async def test_a_name_that_is_taken_uses_nothing_up(
        self, client: httpx.AsyncClient, people: People, letters: Letters
    ) -> None:
        ada = await people.join(username="EVE")
        token = await token_for(ada, letters)
        assert await accept(client, token, **NEWCOMER) == (409, "username is already taken")
        assert (await accept(client, token, **NEWCOMER | {"username": "eve2"}))[0] == 200

    async def test_a_member_uses_it_up_and_stays_what_he_is(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        token = await token_for(ada, letters, role=Role.admin)
        eve = await people.join(ada.workspace_id, Role.viewer, email=ADDRESS)
        assert await accept(eve.client, token) == (409, "You are a member already")
        assert await accept(eve.client, token) == NOT_VALID
        assert (await eve.client.get(f"/workspaces/{ada.workspace_id}")).json()["role"] == "viewer"

    @pytest.mark.parametrize("token", ["", "nonsense", "x" * 100_000, "🦄"])
    async def test_an_invented_token_is_not_valid(self, client: httpx.AsyncClient, people: People, token: str) -> None:
        ada = await people.join()
        await invite(ada)
        assert await accept(client, token, **NEWCOMER) == NOT_VALID
        assert await accept(ada.client, token) == NOT_VALID

    async def test_an_expired_one_is_not_valid(self, people: People, letters: Letters, database: Database) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS)
        token = await token_for(ada, letters)
        async with database.unit_of_work() as uow:
            await uow.session.execute(update(Invitation).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        assert await accept(eve.client, token) == NOT_VALID

    async def test_one_to_a_workspace_that_is_gone_is_not_valid(self, people: People, letters: Letters) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS)
        token = await token_for(ada, letters)
        await ada.client.delete(f"/workspaces/{ada.workspace_id}")
        assert await accept(eve.client, token) == NOT_VALID

    async def test_joining_is_on_record(self, people: People, letters: Letters, database: Database) -> None:
        ada = await people.join()
        eve = await people.join(email=ADDRESS)
        await accept(eve.client, await token_for(ada, letters))
        async with database.unit_of_work() as uow:
            statement = text("SELECT actor_id, workspace_id, details->>'role' FROM audit_events WHERE action = :action")
            joined = (await uow.session.execute(statement, {"action": "member_joined"})).all()
        assert joined == [(eve.user.id, ada.workspace_id, "member")]
