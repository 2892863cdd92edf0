"""What the logs say, and what they must not."""

import asyncio
import io
import json
import logging
from dataclasses import dataclass, field

import httpx
import pytest
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from app.config import Settings
from app.database.database import open_database
from app.errors import Unavailable
from app.main import create_app
from app.models.article import Article
from app.observability import logs
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


async def logged_requests(app: FastAPI, capsys: pytest.CaptureFixture[str], *paths: str) -> list[dict[str, object]]:
    logs.configure(app.state.settings.model_copy(update={"environment": "production"}))
    capsys.readouterr()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await asyncio.gather(*(client.get(path) for path in paths))
    return [line for line in lines(capsys.readouterr().out) if line["logger"] in {"app.request", "app.sql"}]


async def test_it_says_how_much_of_it_is_sql(own_app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
    def numbers(line: dict[str, object]) -> tuple[float, float, float]:
        return tuple(line[name] for name in ("sql_statements", "sql_milliseconds", "milliseconds"))  # type: ignore[return-value]

    paths = ["/health/live", "/health/ready", "/articles?count=exact"] * 3  # at once, and not added to each other
    by_path = {"/health/live": 0, "/health/ready": 1, "/articles": 2}
    requests = await logged_requests(own_app, capsys, *paths)
    assert len(requests) == len(paths)
    for request in requests:
        statements, in_sql, in_all = numbers(request)
        assert statements == by_path[str(request["path"])]
        assert (in_sql > 0) == (statements > 0)
        assert in_sql <= in_all


@pytest.mark.parametrize(("slow", "told"), [(0.001, True), (0.0, False), (60_000.0, False)])
async def test_a_slow_statement_is_logged_without_its_values(
    own_settings: Settings, capsys: pytest.CaptureFixture[str], slow: float, *, told: bool
) -> None:
    logs.configure(own_settings.model_copy(update={"environment": "production"}))
    capsys.readouterr()
    async with open_database(own_settings.model_copy(update={"log_slow_statement_ms": slow})) as database:
        await database.reader().unscoped().all(select(Article).where(Article.title == "a value"))
    written = capsys.readouterr().out
    assert ("slow_statement" in written) == told
    assert ("FROM articles WHERE articles.title = $1" in written) == told
    assert "a value" not in written


async def test_the_slowest_are_those_that_fail(own_settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(own_settings.model_copy(update={"environment": "production"}))
    limits = {"log_slow_statement_ms": 50.0, "database_statement_timeout": 0.1}
    async with open_database(own_settings.model_copy(update=limits)) as database:
        with pytest.raises(Unavailable):
            await database.reader().row(select(func.pg_sleep(60)))
    (line,) = lines(capsys.readouterr().out)
    assert (line["event"], line["statement"]) == ("slow_statement", "SELECT pg_sleep($1::INTEGER) AS pg_sleep_1")
    assert float(str(line["milliseconds"])) >= 50


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


@pytest.mark.parametrize("value", ["naïve", "half a \ud83d", "no\nline", b"\xff", float("nan"), {1: {"a"}}, object])
def test_whatever_is_told_is_one_line_of_ascii(
    settings: Settings, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    logs.configure(settings.model_copy(update={"environment": "production"}))
    structlog.get_logger("test").info("told", value=value)
    out = capsys.readouterr().out
    assert out.isascii()
    (line,) = lines(out)
    assert line["event"] == "told"
    if isinstance(value, str):
        assert line["value"] == value


def test_what_a_class_leaves_out_of_its_text_is_not_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    @dataclass
    class Link:
        code: str = field(repr=False)

    class Form(BaseModel):
        pin: str = Field(repr=False)

    logs.configure(settings.model_copy(update={"environment": "production"}))
    numbers = (number for number in range(3))
    structlog.get_logger("test").info("told", link=Link("between us"), forms=[Form(pin="between us")], numbers=numbers)
    assert "between us" not in capsys.readouterr().out
    assert list(numbers) == [0, 1, 2], "to be logged changes nothing"


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


@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), BrokenPipeError(), ValueError("closed file")]
)
async def test_a_line_that_cannot_be_written_fails_no_request(
    own_app: FastAPI, monkeypatch: pytest.MonkeyPatch, environment: str, error: Exception
) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise error

    logs.configure(own_app.state.settings.model_copy(update={"environment": environment}))
    monkeypatch.setattr("sys.stdout", Full())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(own_app), base_url="http://test") as client:
        assert (await client.get("/health/ready")).status_code == 200
