"""`python -m app create-superuser`."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from app.cli import cli
from app.config import ROOT, Settings
from app.database.database import Database
from app.models.audit_event import AuditEvent
from app.models.user import User
from app.repositories.users import with_login
from tests.contract import ContractTransport
from tests.databases import on_database
from tests.people import PASSWORD, People

ADA = ("--email", "ada@example.com", "--username", "ada")
Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, own_settings: Settings) -> Command:
    """The command, in a thread because it has an event loop of its own."""

    def invoke(*arguments: str, typed: str | bytes = f"{PASSWORD}\n", **change: object) -> Result:
        monkeypatch.setattr("app.cli.get_settings", lambda: own_settings.model_copy(update=change))
        return CliRunner().invoke(cli, ["create-superuser", *arguments], input=typed)

    return invoke


@pytest.fixture
def own_database(own_app: FastAPI) -> Database:
    database: Database = own_app.state.database
    return database


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True)


async def find(database: Database, login: str) -> User | None:
    return await database.reader().one_or_none(with_login(login))


async def actions(database: Database) -> list[str]:
    return sorted(await database.reader().all(select(AuditEvent.action)))


async def test_makes_somebody_who_may_look_after_everything(
    own_settings: Settings, own_database: Database, own_app: FastAPI
) -> None:
    """In a process of its own, where nothing is imported that the command does not ask for."""
    program = [sys.executable, "-m", "app", "create-superuser", *ADA]
    environment = os.environ | {"DATABASE_URL": own_settings.dsn}
    result = await asyncio.to_thread(
        subprocess.run, program, cwd=ROOT, env=environment, input=PASSWORD, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "ada (ada@example.com) is a superuser.\n"
    user = await find(own_database, "ada")
    assert user is not None
    assert (user.is_superuser, user.email_verified_at is not None) == (True, True)
    assert await actions(own_database) == ["registered", "superuser_made", "workspace_created"]
    async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
        form = {"username": "ada", "password": PASSWORD, "scope": "offline_access"}
        token = (await client.post("/auth/login", data=form)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        (made,) = (await client.get("/admin/audit-events?action=superuser_made")).json()
        assert (made["actor_id"], made["details"]) == (None, {"user_id": user.id})
        assert made["user_agent"] == "python -m app create-superuser"
        article = {"title": "A workspace", "content": "of his own to write in"}
        assert (await client.post("/articles", json=article)).status_code == 201


@pytest.mark.parametrize("end", ["", "\r\n", "\nanother line\n"])
async def test_the_password_is_the_first_line(
    command: Command, own_database: Database, own_people: People, end: str
) -> None:
    result = await asyncio.to_thread(command, *ADA, typed=f" {PASSWORD} {end}")
    assert result.exit_code == 0, result.output
    form = {"username": "ada", "password": f" {PASSWORD} "}
    assert (await own_people.client("").post("/auth/login", data=form)).status_code == 200


@pytest.mark.usefixtures("at_a_terminal")
async def test_asks_for_what_is_missing(command: Command, own_database: Database) -> None:
    answers = ["ada@example.com", "ada", PASSWORD, "a slip of the hand", PASSWORD, PASSWORD]
    result = await asyncio.to_thread(command, typed="\n".join(answers))
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert await find(own_database, "ada")


@pytest.mark.usefixtures("at_a_terminal")
async def test_whoever_gives_no_answer_makes_no_account(command: Command, own_database: Database) -> None:
    result = await asyncio.to_thread(command, *ADA, typed="")
    assert (result.exit_code, "Aborted" in result.output) == (1, True)
    assert await find(own_database, "ada") is None


@pytest.mark.parametrize(
    ("arguments", "typed", "culprit"),
    [
        (ADA, "short", "password: String should have at least 8 characters"),
        (ADA, "", "password: String should have at least 8 characters"),
        (ADA, "password1", "among the most common"),
        (ADA, b"not utf-8 \xff\xff", "password: Input should be a valid string"),
        (ADA, "nul\0nul\0nul", "password: must not contain NUL"),
        (("--email", "nobody", "--username", "ada"), PASSWORD, "email: value is not a valid email address"),
        (("--email", "a@example.com", "--username", "a b"), PASSWORD, "username: String should match"),
        (("--email", "BOB@example.com", "--username", "ada"), PASSWORD, "email is already taken"),
        (("--email", "a@example.com", "--username", "Bob"), PASSWORD, "username is already taken"),
        (("--email", "a@example.com"), PASSWORD, "give --email and --username"),
        ((), "", "give --email and --username"),
        (("--existing", "nobody"), "", "User not found"),
        (("--existing", "a\0b"), "", "cannot be stored"),
        (("--existing", "eve"), "", "This account is disabled"),
    ],
)
async def test_refuses_in_one_line(
    command: Command, own_people: People, arguments: list[str], typed: str | bytes, culprit: str
) -> None:
    await own_people.join(email="bob@example.com", username="bob")
    await own_people.join(username="eve", disabled_at=datetime.now(UTC))
    result = await asyncio.to_thread(command, *arguments, typed=typed, registration_by_mail=True)
    assert result.exit_code == 1
    assert culprit in result.output
    assert result.output.count("\n") == 1
    superusers = select(func.count()).select_from(User).where(User.is_superuser)
    assert await own_people.database.reader().one_or_none(superusers) == 0


class TestExisting:
    @pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.com"])
    async def test_is_promoted(self, command: Command, own_people: People, login: str) -> None:
        ada = await own_people.join(username="ada", email="ada@example.com")
        assert (await ada.client.get("/admin/users")).status_code == 403
        for _ in range(2):
            result = await asyncio.to_thread(command, "--existing", login, typed="")
            assert (result.exit_code, result.output) == (0, "ada (ada@example.com) is a superuser.\n")
        assert (await ada.client.get("/admin/users")).status_code == 200
        assert (await actions(own_people.database)).count("superuser_made") == 1

    async def test_is_verified_since_it_was(self, command: Command, own_people: People) -> None:
        verified = datetime(2026, 1, 1, tzinfo=UTC)
        await own_people.join(username="ada", email_verified_at=verified)
        await asyncio.to_thread(command, "--existing", "ada", environment="production")
        user = await find(own_people.database, "ada")
        assert user is not None
        assert user.email_verified_at == verified

    def test_and_new_is_a_contradiction(self, command: Command) -> None:
        result = command("--existing", "ada", "--email", "ada@example.com")
        assert (result.exit_code, "--existing" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        (lambda _: "postgresql://ada@127.0.0.1:1/blog", "cannot be used: [Errno 111]"),
        (lambda dsn: on_database(dsn, "postgres"), "Is it migrated (python -m app migrate)?"),
    ],
)
async def test_a_database_that_is_not_there_is_told_in_one_line(
    command: Command, own_settings: Settings, dsn: Callable[[str], str], reason: str
) -> None:
    result = await asyncio.to_thread(command, *ADA, database_url=SecretStr(dsn(own_settings.dsn)))
    assert result.exit_code == 1
    assert reason in result.output
    assert result.output.count("\n") == 1
