"""The OAuth 2 password and refresh flows (RFC 6749), by a client that somebody else has written."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from authlib.integrations.requests_client import OAuth2Session

from tests.people import PASSWORD, Served, fake


@pytest.fixture
async def username(served: Served) -> str:
    return (await served.people.join(username=fake.unique.user_name())).user.username


@pytest.fixture
async def oauth(served: Served) -> AsyncIterator[OAuth2Session]:
    with OAuth2Session(
        client_id="a client",
        scope="offline_access",
        token_endpoint=f"{served.url}/auth/refresh",
        token_endpoint_auth_method="none",
    ) as session:
        yield session


async def test_authlib_logs_in_goes_on_and_is_known(served: Served, oauth: OAuth2Session, username: str) -> None:
    def flow() -> None:
        first = oauth.fetch_token(f"{served.url}/auth/login", username=username, password=PASSWORD)
        assert first["token_type"] == "bearer"
        assert oauth.get(f"{served.url}/users/me").json()["username"] == username
        second = oauth.refresh_token()
        assert second["access_token"] != first["access_token"]
        assert second["refresh_token"] != first["refresh_token"]
        assert oauth.get(f"{served.url}/users/me").status_code == 200

    await asyncio.to_thread(flow)


async def test_authlib_renews_an_expired_token_by_itself(served: Served, oauth: OAuth2Session, username: str) -> None:
    def flow() -> None:
        token = oauth.fetch_token(f"{served.url}/auth/login", username=username, password=PASSWORD)
        oauth.token = token | {"expires_at": 1}
        assert oauth.get(f"{served.url}/users/me").status_code == 200
        assert oauth.token["refresh_token"] != token["refresh_token"]

    await asyncio.to_thread(flow)


async def test_authlib_gets_no_token_for_a_wrong_password(served: Served, oauth: OAuth2Session, username: str) -> None:
    def flow() -> None:
        answer = oauth.fetch_token(f"{served.url}/auth/login", username=username, password="wrong password")
        assert answer["status"] == 401
        assert "access_token" not in answer

    await asyncio.to_thread(flow)
