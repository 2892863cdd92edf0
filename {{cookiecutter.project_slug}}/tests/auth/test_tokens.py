"""What `GET /users/me` says to tokens that we have not made for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jose import jwt
from pydantic import SecretStr

from app.auth import tokens
from app.config import Settings
from tests.people import People


@pytest.fixture
async def claims(people: People, settings: Settings) -> dict[str, Any]:
    """The claims of a good token."""
    ada = await people.join()
    now = datetime.now(UTC)
    return {
        "iss": settings.app_name,
        "aud": settings.app_name,
        "sub": str(ada.user.id),
        "sid": ada.session_id,
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "jti": "1",
        "type": "access",
    }


async def status(client: httpx.AsyncClient, token: str | bytes) -> int:
    value = token if isinstance(token, bytes) else token.encode()
    return (await client.get("/users/me", headers={b"Authorization": b"Bearer " + value})).status_code


def key(settings: Settings) -> str:
    return settings.secret_key.get_secret_value()


async def test_a_good_token_is_taken(client: httpx.AsyncClient, claims: dict[str, Any], settings: Settings) -> None:
    assert await status(client, jwt.encode(claims, key(settings))) == 200


async def test_robustness_1_forged(client: httpx.AsyncClient, claims: dict[str, Any], settings: Settings) -> None:
    good = jwt.encode(claims, key(settings))
    header, payload, signature = good.split(".")
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg":"none","typ":"JWT"}
    forged = [
        jwt.encode(claims, "another key, as long as it has to be"),
        jwt.encode(claims, key(settings), algorithm="HS512"),
        f"{unsigned}.{payload}.",
        f"{unsigned}.{payload}.{signature}",
        f"{header}.{payload[:-2]}AA.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}.",
    ]
    for token in forged:
        assert await status(client, token) == 401, token


@pytest.mark.parametrize("claim", ["exp", "aud", "iss", "sub", "jti", "iat", "type", "sid"])
async def test_robustness_2_incomplete(
    client: httpx.AsyncClient, claims: dict[str, Any], settings: Settings, claim: str
) -> None:
    del claims[claim]
    assert await status(client, jwt.encode(claims, key(settings))) == 401


@pytest.mark.parametrize(
    "change",
    [
        {"type": "refresh"},
        {"type": "reset"},
        {"aud": "somebody else"},
        {"iss": "somebody else"},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"iat": "yesterday"},
        {"sub": "0"},
        {"sub": "-1"},
        {"sub": str(2**63)},
        {"sub": "9" * 5000},
        {"sub": "ada"},
        {"sub": "1\0"},
        {"sid": None},
        {"sid": 0},
        {"sid": 2**63},
        {"sid": "x"},
        {"sid": 10**9},
    ],
)
async def test_robustness_3_made_for_something_else(
    client: httpx.AsyncClient, claims: dict[str, Any], settings: Settings, change: dict[str, Any]
) -> None:
    assert await status(client, jwt.encode(claims | change, key(settings))) == 401


async def test_of_a_user_who_does_not_exist(
    client: httpx.AsyncClient, claims: dict[str, Any], settings: Settings
) -> None:
    assert await status(client, jwt.encode(claims | {"sub": str(2**62)}, key(settings))) == 401


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        "a.b.c",
        "..",
        "null",
        "e30.e30.e30",
        "W10.W10.W10",
        "bnVsbA.bnVsbA.x",
        "é".encode("latin-1"),
        b"\xed\xa0\x80",
        "A" * 100_000,
    ],
    ids=lambda garbage: str(garbage)[:12],
)
async def test_robustness_4_garbage(client: httpx.AsyncClient, garbage: str | bytes) -> None:
    assert await status(client, garbage) == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer"])
async def test_no_token_at_all(client: httpx.AsyncClient, header: str) -> None:
    response = await client.get("/users/me", headers={"Authorization": header})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_told_even_where_none_is_needed(client: httpx.AsyncClient) -> None:
    response = await client.get("/articles", headers={"Authorization": "Bearer expired"})
    assert response.status_code == 401


class TestRemembered:
    """A token that was verified once is not verified anew, and is refused all the same when it is good no more."""

    async def test_is_refused_when_it_has_expired(
        self,
        client: httpx.AsyncClient,
        claims: dict[str, Any],
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        expires = int(claims["exp"].timestamp())
        token = jwt.encode(claims, key(settings))  # which makes numbers of the times
        assert [await status(client, token) for _ in range(2)] == [200, 200]
        for now, expected in ((expires - 1, 200), (expires, 401), (expires + 1, 401), (expires - 1, 200)):
            monkeypatch.setattr("app.auth.tokens.time.time", lambda now=now: float(now))
            assert await status(client, token) == expected

    async def test_is_refused_under_another_key_and_another_name(
        self, client: httpx.AsyncClient, app: FastAPI, claims: dict[str, Any], settings: Settings
    ) -> None:
        token = jwt.encode(claims, key(settings))
        assert await status(client, token) == 200
        try:
            for change in (
                {"secret_key": SecretStr("another key, as long as it has to be")},
                {"app_name": "somebody else"},
                {"algorithm": "HS384"},
            ):
                app.state.settings = settings.model_copy(update=change)
                assert await status(client, token) == 401, change
        finally:
            app.state.settings = settings
        assert await status(client, token) == 200

    async def test_is_refused_when_its_session_has_ended(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        for person in (ada, bob):
            assert (await person.client.get("/users/me")).status_code == 200
        assert (await ada.client.delete(f"/auth/sessions/{ada.session_id}")).status_code == 204
        assert (await ada.client.get("/users/me")).status_code == 401
        assert (await bob.client.get("/users/me")).status_code == 200

    async def test_is_not_remembered_when_it_is_bad(
        self, client: httpx.AsyncClient, claims: dict[str, Any], settings: Settings
    ) -> None:
        kept = tokens._verified.cache_info().currsize
        for number in range(10):
            assert await status(client, jwt.encode(claims, f"another key, as long as it has to be {number}")) == 401
            assert await status(client, f"garbage.{number}.x") == 401
        assert tokens._verified.cache_info().currsize == kept
        assert await status(client, jwt.encode(claims, key(settings))) == 200
