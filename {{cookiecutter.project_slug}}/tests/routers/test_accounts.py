"""What a token from a mail is good for, and what it is not."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import func, select, update

from app.auth import passwords
from app.database.database import Database
from app.models.audit_event import AuditEvent
from app.models.one_time_token import OneTimeToken, Purpose
from app.models.user import User
from tests.letters import Letters
from tests.people import PASSWORD, People, Person

NEW = "a new password, long enough"


async def redeem(client: httpx.AsyncClient, purpose: Purpose, token: str | None) -> int:
    """The status of the answer to whoever uses the token as it is meant."""
    if purpose is Purpose.reset_password:
        return (await client.post("/auth/reset-password", json={"token": token, "password": NEW})).status_code
    return (await client.post("/auth/verify-email", json={"token": token})).status_code


async def ask(person: Person, purpose: Purpose) -> None:
    """Have a token sent."""
    if purpose is Purpose.verify_email:
        response = await person.client.post("/auth/resend-verification")
    elif purpose is Purpose.reset_password:
        response = await person.client.post("/auth/forgot-password", json={"email": person.user.email})
    else:
        change = {"email": "new@example.com", "current_password": PASSWORD}
        response = await person.client.patch("/users/me", json=change)
    assert response.is_success


@pytest.fixture
def token_for(letters: Letters) -> Callable[[Person, Purpose], Awaitable[str]]:
    """Ask for a token, and read the mail."""

    async def get(person: Person, purpose: Purpose) -> str:
        await ask(person, purpose)
        (letter,) = await letters()
        assert letter.token
        return letter.token

    return get


TokenFor = Callable[[Person, Purpose], Awaitable[str]]
every_purpose = pytest.mark.parametrize("purpose", list(Purpose))


async def password_of(client: httpx.AsyncClient, username: str) -> str:
    """Which of the two it is."""
    (right,) = [
        password
        for password in (PASSWORD, NEW)
        if (await client.post("/auth/login", data={"username": username, "password": password})).status_code == 200
    ]
    return right


class TestVerifying:
    async def test_shows_in_the_account(self, people: People, client: httpx.AsyncClient, token_for: TokenFor) -> None:
        ada = await people.join(email_verified_at=None)
        token = await token_for(ada, Purpose.verify_email)
        assert (await client.post("/auth/verify-email", json={"token": token})).status_code == 204
        assert (await ada.client.get("/users/me")).json()["email_verified"] is True

    async def test_once_is_enough(self, people: People, letters: Letters) -> None:
        ada = await people.join(email_verified_at=func.now())
        response = await ada.client.post("/auth/resend-verification")
        assert response.status_code == 409
        assert await letters() == []

    async def test_an_address_that_was_left_meanwhile(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, database: Database
    ) -> None:
        ada = await people.join(email_verified_at=None)
        for purpose in (Purpose.verify_email, Purpose.reset_password):
            token = await token_for(ada, purpose)
            await change(database, ada, email=f"{purpose}@example.com")
            assert await redeem(client, purpose, token) == 401
            assert (await ada.client.get("/users/me")).json()["email_verified"] is False
            await change(database, ada, email=ada.user.email)


async def change(database: Database, person: Person, **values: object) -> None:
    async with database.unit_of_work() as uow:
        await uow.session.execute(update(User).where(User.id == person.user.id).values(**values))


class TestForgottenPassword:
    async def test_robustness_9_does_not_tell_who_has_an_account(
        self, people: People, client: httpx.AsyncClient, queries: list[str]
    ) -> None:
        """Not in status, not in body, not in the work: one INSERT, whoever it is."""
        await people.join(email_verified_at=None, email="ada@example.com")
        answers, work = [], []
        for email in ("ada@example.com", "nobody@example.com"):
            queries.clear()
            response = await client.post("/auth/forgot-password", json={"email": email})
            answers.append((response.status_code, response.json(), response.headers.keys()))
            work.append(list(queries))
        assert answers[0] == answers[1]
        assert answers[0][0] == 202
        assert work[0] == work[1]
        assert [statement.split()[:3] for statement in work[0]] == [["INSERT", "INTO", "outbox"]]

    async def test_is_mailed_to_whoever_has_one_in_whatever_case(
        self, people: People, client: httpx.AsyncClient, letters: Letters
    ) -> None:
        await people.join(email_verified_at=None, email="Ada@example.com")
        for email in ("aDA@EXAMPLE.com", "nobody@example.com"):
            await client.post("/auth/forgot-password", json={"email": email})
        assert [letter.to for letter in await letters()] == ["Ada@example.com"]


class TestReset:
    async def test_robustness_16_ends_every_session(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, letters: Letters
    ) -> None:
        ada = await people.join(email_verified_at=None, username="ada")
        form = {"username": "ada", "password": PASSWORD, "scope": "offline_access"}
        tokens = (await client.post("/auth/login", data=form)).json()
        token = await token_for(ada, Purpose.reset_password)
        assert await redeem(client, Purpose.reset_password, token) == 204
        assert (await ada.client.get("/users/me")).status_code == 401
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get("/users/me", headers=headers)).status_code == 401
        again = await client.post("/auth/refresh", data={"refresh_token": tokens["refresh_token"]})
        assert again.status_code == 401
        assert await password_of(client, "ada") == NEW
        assert [letter.to for letter in await letters()] == [ada.user.email]

    async def test_proves_the_address_too(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, database: Database
    ) -> None:
        ada = await people.join(email_verified_at=None)
        await redeem(client, Purpose.reset_password, await token_for(ada, Purpose.reset_password))
        assert await database.reader().one_or_none(select(User.email_verified_at)) is not None

    async def test_makes_the_other_tokens_worthless(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor
    ) -> None:
        ada = await people.join(email_verified_at=None)
        tokens = {purpose: await token_for(ada, purpose) for purpose in Purpose}
        assert await redeem(client, Purpose.reset_password, tokens[Purpose.reset_password]) == 204
        assert {await redeem(client, purpose, token) for purpose, token in tokens.items()} == {401}

    @pytest.mark.parametrize("password", ["short!!", "PassWord1", "x" * 129, "nul\0nul\0nul"])
    async def test_robustness_7_a_weak_password_does_not_use_it_up(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, password: str
    ) -> None:
        ada = await people.join(email_verified_at=None)
        token = await token_for(ada, Purpose.reset_password)
        response = await client.post("/auth/reset-password", json={"token": token, "password": password})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", "password"]
        assert password not in response.text
        assert await redeem(client, Purpose.reset_password, token) == 204

    async def test_hashes_nothing_for_a_token_that_was_made_up(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It takes a while of a CPU, and everybody could ask for it."""
        monkeypatch.setattr(passwords, "_context", None)
        assert await redeem(client, Purpose.reset_password, "made up") == 401

    @pytest.mark.parametrize("password", ["x" * 64, "🦄🐉 ünïcø", "        ", "p" * 73])
    async def test_robustness_5_6_takes_anything_long_enough(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, password: str
    ) -> None:
        ada = await people.join(email_verified_at=None, username="ada")
        body = {"token": await token_for(ada, Purpose.reset_password), "password": password}
        assert (await client.post("/auth/reset-password", json=body)).status_code == 204
        for attempt, status in ((password, 200), (password[:-1], 401)):
            response = await client.post("/auth/login", data={"username": "ada", "password": attempt})
            assert response.status_code == status


@every_purpose
class TestTokens:
    async def test_robustness_3_are_no_access_tokens_and_the_reverse(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, purpose: Purpose
    ) -> None:
        ada = await people.join(email_verified_at=None, username="ada")
        form = {"username": "ada", "password": PASSWORD, "scope": "offline_access"}
        session = (await client.post("/auth/login", data=form)).json()
        token = await token_for(ada, purpose)
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/users/me", headers=headers)).status_code == 401
        assert (await client.get("/users/me", headers={"Cookie": f"access_token={token}"})).status_code == 401
        assert (await client.post("/auth/refresh", data={"refresh_token": token})).status_code == 401
        for other in (session["access_token"], session["refresh_token"]):
            assert await redeem(client, purpose, other) == 401

    async def test_robustness_17_work_once(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, purpose: Purpose
    ) -> None:
        token = await token_for(await people.join(email_verified_at=None), purpose)
        assert [await redeem(client, purpose, token) for _ in range(2)] == [204, 401]

    async def test_robustness_17_work_once_for_twenty_at_once(
        self, own_people: People, own_letters: Letters, purpose: Purpose
    ) -> None:
        ada = await own_people.join(email_verified_at=None)
        await ask(ada, purpose)
        (letter,) = await own_letters()
        answers = await asyncio.gather(*(redeem(ada.client, purpose, letter.token) for _ in range(20)))
        assert sorted(answers) == [204] + [401] * 19

    async def test_robustness_17_expire(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, database: Database, purpose: Purpose
    ) -> None:
        token = await token_for(await people.join(email_verified_at=None, username="ada"), purpose)
        async with database.unit_of_work() as uow:
            await uow.session.execute(update(OneTimeToken).values(expires_at=func.now()))
        assert await redeem(client, purpose, token) == 401
        assert await password_of(client, "ada") == PASSWORD

    async def test_robustness_17_are_replaced_by_the_next(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, purpose: Purpose
    ) -> None:
        ada = await people.join(email_verified_at=None)
        first, second = await token_for(ada, purpose), await token_for(ada, purpose)
        assert await redeem(client, purpose, first) == 401
        assert await redeem(client, purpose, second) == 204

    async def test_robustness_17_are_good_for_nothing_else(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, purpose: Purpose
    ) -> None:
        ada = await people.join(email_verified_at=None, username="ada")
        token = await token_for(ada, purpose)
        other = Purpose.verify_email if purpose is Purpose.reset_password else Purpose.reset_password
        assert await redeem(client, other, token) == 401
        assert await password_of(client, "ada") == PASSWORD
        assert (await ada.client.get("/users/me")).json()["email_verified"] is False
        assert await redeem(client, purpose, token) == 204, "a mistaken use is none"

    async def test_are_not_valid_for_a_disabled_account(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, database: Database, purpose: Purpose
    ) -> None:
        ada = await people.join(email_verified_at=None)
        token = await token_for(ada, purpose)
        await change(database, ada, disabled_at=func.now())
        assert await redeem(client, purpose, token) == 401

    async def test_end_with_the_account(
        self, people: People, client: httpx.AsyncClient, token_for: TokenFor, purpose: Purpose
    ) -> None:
        ada = await people.join(email_verified_at=None)
        token = await token_for(ada, purpose)
        assert (await ada.client.request("DELETE", "/users/me", json={"password": PASSWORD})).status_code == 204
        assert await redeem(client, purpose, token) == 401

    @pytest.mark.parametrize("garbage", ["", "x", "é", "x" * 100_000])
    async def test_that_are_none(self, client: httpx.AsyncClient, purpose: Purpose, garbage: str) -> None:
        assert await redeem(client, purpose, garbage) == 401


async def test_what_happens_is_recorded_without_addresses_and_secrets(
    people: People, client: httpx.AsyncClient, letters: Letters, database: Database
) -> None:
    body = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
    user_id = (await client.post("/auth/register", json=body)).json()["id"]
    await client.post("/auth/verify-email", json={"token": (await letters())[0].token})
    for password in ("wrong password", PASSWORD):
        login = await client.post("/auth/login", data={"username": "ada", "password": password})
    bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
    new = {"email": "new@example.com", "current_password": PASSWORD}
    await client.patch("/users/me", json=new, headers=bearer)
    await client.post("/auth/verify-email", json={"token": (await letters())[0].token})
    change = {"current_password": PASSWORD, "new_password": NEW}
    await client.post("/users/me/password", json=change, headers=bearer)
    await client.post("/auth/forgot-password", json={"email": "new@example.com"})
    token = (await letters())[-1].token
    await client.post("/auth/reset-password", json={"token": token, "password": PASSWORD})
    login = await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
    bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
    await client.request("DELETE", "/users/me", json={"password": PASSWORD}, headers=bearer)

    events = await database.reader().all(select(AuditEvent).order_by(AuditEvent.id))
    assert {event.actor_id for event in events} == {user_id}
    assert {event.action for event in events} >= {
        *("registered", "email_verified", "login_failed", "login", "email_change_requested", "email_changed"),
        *("password_changed", "password_reset", "sessions_ended", "user_deleted", "workspace_deleted"),
    }
    for event in events:
        assert all(isinstance(value, int) or value.isidentifier() for value in event.details.values()), event.details
