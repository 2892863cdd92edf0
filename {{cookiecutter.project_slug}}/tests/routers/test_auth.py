import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from passlib.context import CryptContext
from passlib.hash import bcrypt
from sqlalchemy import func, select

from app.auth import passwords
from app.config import Settings
from app.database.database import Database
from app.main import create_app
from app.models.outbox import OutboxMessage
from app.models.user import User
from app.repositories.users import with_id
from tests.contract import ContractTransport
from tests.letters import Letters
from tests.people import PASSWORD, People

VALID = {"email": "Ada@example.com", "username": "ada", "password": PASSWORD}


class TestRegister:
    async def test_makes_an_account_that_can_log_in(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/auth/register", json=VALID)
        assert response.status_code == 201
        assert response.headers["location"] == "/users/me"
        assert response.json().keys() == {
            *("id", "email", "email_verified", "username", "is_superuser", "active_workspace_id"),
            *("created_at", "updated_at"),
        }
        login = await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        assert (await client.get("/users/me", headers=headers)).json() == response.json()

    @pytest.mark.parametrize(
        ("again", "culprit"),
        [
            ({"email": "aDA@Example.COM", "username": "other"}, "email"),
            ({"email": "o@example.com", "username": "ADA"}, "username"),
        ],
    )
    async def test_is_unique_without_regard_to_case(
        self, client: httpx.AsyncClient, again: dict[str, str], culprit: str
    ) -> None:
        await client.post("/auth/register", json=VALID)
        response = await client.post("/auth/register", json=VALID | again)
        assert (response.status_code, response.json()["detail"]) == (409, f"{culprit} is already taken")

    @pytest.mark.parametrize(
        ("change", "culprit"),
        [
            ({"email": "nobody"}, "email"),
            ({"email": "Ada <ada@example.com>"}, "email"),
            ({"email": f"{'x' * 64}@{'y' * 60}.{'z' * 60}.{'w' * 60}.{'v' * 60}.com"}, "email"),
            ({"email": "a\0b@example.com"}, "email"),
            ({"username": ""}, "username"),
            ({"username": "x" * 51}, "username"),
            ({"username": "ada@example.com"}, "username"),
            ({"username": "a\0da"}, "username"),
            ({"is_superuser": True}, "is_superuser"),
        ],
    )
    async def test_refuses_by_name(self, client: httpx.AsyncClient, change: dict[str, object], culprit: str) -> None:
        response = await client.post("/auth/register", json=VALID | change)
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", culprit]

    @pytest.mark.parametrize("password", ["x" * 64, "🦄🐉 ünïcø", "        ", "p" * 73, "word with spaces "])
    async def test_robustness_6_takes_every_long_enough_password(
        self, client: httpx.AsyncClient, password: str
    ) -> None:
        assert (await client.post("/auth/register", json=VALID | {"password": password})).status_code == 201
        login = await client.post("/auth/login", data={"username": "ada", "password": password})
        assert login.status_code == 200

    @pytest.mark.parametrize(
        "password", ["short!!", "password1", "PassWord1", "qwertyuiop", "x" * 129, "nul\0nul\0nul"]
    )
    async def test_robustness_7_refuses_weak_passwords_without_an_echo(
        self, client: httpx.AsyncClient, password: str
    ) -> None:
        response = await client.post("/auth/register", json=VALID | {"password": password})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", "password"]
        assert password not in response.text

    async def test_asks_to_verify_the_address(self, client: httpx.AsyncClient, letters: Letters) -> None:
        await client.post("/auth/register", json=VALID)
        (letter,) = await letters()
        assert letter.to == VALID["email"]
        assert (await client.post("/auth/verify-email", json={"token": letter.token})).status_code == 204


@pytest.fixture(scope="session")
def assembled_by_mail(settings: Settings) -> FastAPI:
    return create_app(settings.model_copy(update={"registration_by_mail": True}))


@pytest.fixture
async def by_mail(assembled_by_mail: FastAPI, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in which only mails tell whether an address has an account."""
    assembled_by_mail.state.database = database
    async with httpx.AsyncClient(transport=ContractTransport(assembled_by_mail), base_url="http://test") as client:
        yield client


class TestRegisterByMail:
    async def test_robustness_9_does_not_tell_who_has_an_account(
        self, by_mail: httpx.AsyncClient, people: People, queries: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not in status, not in body, not in the work that it takes: the same hash, the same statements."""
        await people.join(email="ada@example.com")
        hashed: list[str] = []
        calculate = passwords._context().hash

        def hash_and_tell(password: str) -> str:
            hashed.append(password)
            return str(calculate(password))

        monkeypatch.setattr(passwords._context(), "hash", hash_and_tell)
        answers, work = [], []
        for email, name in (("ADA@example.com", "one"), ("nobody@example.com", "two")):
            queries.clear()
            response = await by_mail.post("/auth/register", json=VALID | {"email": email, "username": name})
            answers.append((response.status_code, response.json(), response.headers.keys()))
            work.append(list(queries))
        assert answers[0] == answers[1]
        assert answers[0][0] == 202
        assert work[0] == work[1]
        assert sum("INSERT INTO outbox" in statement for statement in work[0]) == 1
        assert hashed == [PASSWORD] * 2

    async def test_tells_the_rest_by_mail(
        self, by_mail: httpx.AsyncClient, people: People, letters: Letters, database: Database
    ) -> None:
        ada = await people.join(email="ada@example.com")
        await by_mail.post("/auth/register", json=VALID | {"email": "ADA@example.com", "username": "other"})
        (letter,) = await letters()
        assert (letter.to, letter.token) == ("ada@example.com", None)
        assert await database.reader().all(select(User.id)) == [ada.user.id]
        await by_mail.post("/auth/register", json=VALID | {"email": "new@example.com"})
        (letter,) = await letters()
        assert letter.to == "new@example.com"

    async def test_takes_a_verified_address_to_log_in(self, by_mail: httpx.AsyncClient, letters: Letters) -> None:
        await by_mail.post("/auth/register", json=VALID)
        wrong = await by_mail.post("/auth/login", data={"username": "ada", "password": "wrong password"})
        right = {"username": "ada", "password": PASSWORD}
        early = await by_mail.post("/auth/login", data=right)
        assert early.status_code == wrong.status_code == 401
        assert early.json()["detail"] == wrong.json()["detail"], "or it told whether the address was free"
        (letter,) = await letters()
        await by_mail.post("/auth/verify-email", json={"token": letter.token})
        assert (await by_mail.post("/auth/login", data=right)).status_code == 200

    @pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
    async def test_a_taken_user_name_is_told_alike(
        self, by_mail: httpx.AsyncClient, people: People, letters: Letters, email: str
    ) -> None:
        await people.join(email="ada@example.com", username="ada")
        response = await by_mail.post("/auth/register", json=VALID | {"email": email, "username": "ADA"})
        assert (response.status_code, response.json()["detail"]) == (409, "username is already taken")
        assert await letters() == []

    async def test_at_once_does_not_tell_either(self, own_app: FastAPI, own_settings: Settings) -> None:
        """Nor does the one who comes second learn that somebody was first."""
        app = create_app(own_settings.model_copy(update={"registration_by_mail": True}))
        app.state.database = own_app.state.database
        async with httpx.AsyncClient(transport=ContractTransport(app), base_url="http://test") as client:
            tries = [client.post("/auth/register", json=VALID | {"username": f"ada{number}"}) for number in range(4)]
            answers = await asyncio.gather(*tries)
        assert {response.status_code for response in answers} == {202}
        kinds = await own_app.state.database.reader().all(select(OutboxMessage.kind))
        assert kinds == ["verify_email"] * 4, "whoever registers again before he has verified gets another mail"


class TestLogIn:
    @pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.com", "Ada@Example.Com"])
    async def test_takes_the_user_name_or_the_email(
        self, client: httpx.AsyncClient, people: People, login: str
    ) -> None:
        await people.join(username="Ada", email="ada@example.com")
        response = await client.post("/auth/login", data={"username": login, "password": PASSWORD})
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        body = response.json()
        assert (body["token_type"], body["expires_in"]) == ("bearer", 1800)

    async def test_robustness_5_a_long_password_counts_to_its_end(self, client: httpx.AsyncClient) -> None:
        password = "p" * 73
        await client.post("/auth/register", json=VALID | {"password": password})
        for attempt, status in ((password, 200), (password[:72], 401)):
            response = await client.post("/auth/login", data={"username": "ada", "password": attempt})
            assert response.status_code == status

    async def test_robustness_8_unknown_user_and_wrong_password_are_alike(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In status, in body, and in the work that it takes, which is what takes the time."""
        await client.post("/auth/register", json=VALID)
        work: list[str] = []

        def verify(password: str, hashed: str) -> tuple[bool, str | None]:
            work.append(hashed.rsplit("$", 2)[0])  # algorithm and parameters, without salt and sum
            valid: tuple[bool, str | None] = CryptContext.verify_and_update(passwords._context(), password, hashed)
            return valid

        monkeypatch.setattr(passwords._context(), "verify_and_update", verify)
        answers = []
        for login in ("ada", "nobody"):
            response = await client.post("/auth/login", data={"username": login, "password": "wrong password"})
            problem = response.json()
            problem.pop("request_id")
            answers.append((response.status_code, problem))
        assert answers[0] == answers[1]
        assert answers[0][0] == 401
        assert work == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2

    async def test_robustness_10_a_bcrypt_hash_becomes_argon2id(
        self, client: httpx.AsyncClient, people: People, database: Database
    ) -> None:
        ada = await people.join(username="ada", hashed_password=bcrypt.using(rounds=4).hash(PASSWORD))
        for _ in range(2):
            response = await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
            assert response.status_code == 200
            user = await database.reader().one_or_none(with_id(ada.user.id))
            assert user is not None
            assert user.hashed_password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    @pytest.mark.parametrize("password", ["a\0b", "p" * 100_000, "\ud800".encode("utf-8", "surrogatepass")])
    async def test_a_strange_password_is_a_wrong_one(
        self, client: httpx.AsyncClient, people: People, password: str
    ) -> None:
        for index, hashed in enumerate([bcrypt.using(rounds=4).hash(PASSWORD), "no hash at all"]):
            await people.join(username=f"user{index}", hashed_password=hashed)
            response = await client.post("/auth/login", data={"username": f"user{index}", "password": password})
            assert response.status_code == 401

    @pytest.mark.parametrize("form", [{}, {"username": "ada"}, {"username": "a\0", "password": "x"}])
    async def test_refuses_half_a_form(self, client: httpx.AsyncClient, form: dict[str, str]) -> None:
        assert (await client.post("/auth/login", data=form)).status_code == 422


async def test_two_who_register_the_same_name_at_once_are_not_both_let_in(own_app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
        tries = [client.post("/auth/register", json=VALID | {"username": name}) for name in ("ada", "Ada", "ADA")]
        statuses = sorted([response.status_code for response in await asyncio.gather(*tries)])
    assert statuses == [201, 409, 409]
    count = await own_app.state.database.reader().one_or_none(select(func.count()).select_from(User))
    assert count == 1
