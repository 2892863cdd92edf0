"""What the logs say, and what they must not."""

import json
import logging

import httpx
import pytest
import structlog
from fastapi import FastAPI

from app import logs
from app.config import Settings
from app.main import create_app
from tests.contract import ContractTransport
from tests.letters import Letters
from tests.people import PASSWORD, People, Person


@pytest.fixture
def production(settings: Settings) -> FastAPI:
    """The application as it logs in production."""
    return create_app(settings.model_copy(update={"environment": "production", "debug": True}))


def lines(captured: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in captured.splitlines()]


async def test_a_request_is_one_line_of_json(
    production: FastAPI, capsys: pytest.CaptureFixture[str], app: FastAPI
) -> None:
    logs.configure(production.state.settings)
    async with httpx.AsyncClient(transport=ContractTransport(production), base_url="http://test") as client:
        response = await client.get("/health/live?token=abc", headers={"X-Request-ID": "from-the-gateway.1"})
    request = next(line for line in lines(capsys.readouterr().out) if line["event"] == "request")
    assert response.headers["x-request-id"] == "from-the-gateway.1"
    assert {key: request[key] for key in ("method", "path", "status", "request_id", "level")} == {
        "method": "GET",
        "path": "/health/live",
        "status": 200,
        "request_id": "from-the-gateway.1",
        "level": "info",
    }


async def test_robustness_32_no_password_and_no_token(
    production: FastAPI, people: People, letters: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = await people.join(email_verified_at=None, username="ada")
    production.state.database = people.database
    logs.configure(production.state.settings)
    secrets = [PASSWORD, "wrong password", "new password"]
    async with httpx.AsyncClient(transport=ContractTransport(production), base_url="http://test") as client:
        login = await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
        secrets.append(login.json()["access_token"])
        await client.get("/users/me", headers={"Authorization": f"Bearer {secrets[-1]}"})
        await client.get(f"/articles?access_token={secrets[-1]}")
        await client.post("/auth/login", data={"username": "ada", "password": "wrong password"})
        for password in ("short", "new password"):
            body = {"email": "ada@example.com", "username": "ada", "password": password}
            await client.post("/auth/register", json=body)
        secrets += await use_the_account(client, ada, letters)
    written = "\n".join(line for line in capsys.readouterr().out.splitlines() if '"logger": "httpx"' not in line)
    assert written
    for secret in secrets:
        assert secret not in written


async def use_the_account(client: httpx.AsyncClient, ada: Person, letters: Letters) -> list[str]:
    """Everything that takes a password or a token; gives the secrets in it."""
    bearer = {"Authorization": ada.client.headers["authorization"]}
    body = {"email": "new@example.com", "current_password": PASSWORD}
    await letters()
    await client.patch("/users/me", json=body, headers=bearer)
    await client.post("/auth/forgot-password", json={"email": ada.user.email})
    await client.post("/auth/resend-verification", headers=bearer)
    tokens = [letter.token or "" for letter in await letters()]
    for token in (*tokens, tokens[0]):
        await client.post("/auth/verify-email", json={"token": token})
        await client.post("/auth/reset-password", json={"token": token, "password": "password1", "hint": token})
    again = {"current_password": PASSWORD, "new_password": "yet another password"}
    await client.post("/users/me/password", json={**again, "current_password": "wrong guess"}, headers=bearer)
    await client.post("/users/me/password", json=again, headers=bearer)
    await client.request("DELETE", "/users/me", json={"password": "wrong guess"}, headers=bearer)
    await letters()
    assert len(tokens) == 3
    return [*tokens, *again.values(), "wrong guess", "password1", bearer["Authorization"].removeprefix("Bearer ")]


def test_what_is_named_like_a_secret_is_hidden(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings.model_copy(update={"environment": "production"}))
    structlog.get_logger("test").info("told", new_password="a", accessToken="b", authorization="c", user="ada")
    (line,) = lines(capsys.readouterr().out)
    assert (line["new_password"], line["accessToken"], line["authorization"]) == ("[hidden]",) * 3
    assert line["user"] == "ada"


def test_libraries_take_the_same_way_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings.model_copy(update={"environment": "production"}))
    logging.getLogger("uvicorn.error").warning("from %s", "uvicorn")
    logging.getLogger("uvicorn.access").info("not wanted")
    (line,) = lines(capsys.readouterr().out)
    assert (line["event"], line["level"]) == ("from uvicorn", "warning")


def test_development_reads_like_text(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings)
    structlog.get_logger("test").info("told", user="ada")
    assert "[info     ] told" in capsys.readouterr().out
