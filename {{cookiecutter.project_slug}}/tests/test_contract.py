"""The contract is true: on disk, as it is served, and under fire."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from pydantic import SecretStr
from schemathesis.checks import CheckFunction
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance
from typer.testing import CliRunner

from app import contract
from app.auth.tokens import create_access_token
from app.cli import cli
from app.config import ROOT, Settings, get_settings
from app.database import open_database
from app.main import create_app
from app.models.session import UserSession
from app.models.user import User
from app.repositories.base import Repository
from app.services.audit import AuditLog, Origin
from app.services.workspaces import WorkspaceService
from tests.databases import clone
from tests.people import HASH, TOMORROW


class TestOnDisk:
    def test_openapi_yaml_is_what_is_served(self, app: FastAPI) -> None:
        assert contract.is_current(app, ROOT / "openapi.yaml"), "write it anew: make openapi"

    def test_the_command_writes_it_and_tells_when_it_is_old(self, tmp_path: Path) -> None:
        path = tmp_path / "openapi.yaml"
        check = ["openapi", "--path", str(path), "--check"]
        missing = CliRunner().invoke(cli, check)
        assert (missing.exit_code, "make openapi" in missing.output) == (1, True)
        assert CliRunner().invoke(cli, ["openapi", "--path", str(path)]).exit_code == 0
        assert CliRunner().invoke(cli, check).exit_code == 0
        path.write_text(path.read_text(encoding="utf-8").replace("maximum: 100", "maximum: 1000"), encoding="utf-8")
        assert CliRunner().invoke(cli, check).exit_code == 1

    def test_every_operation_has_a_name_and_documents_its_errors(self, app: FastAPI) -> None:
        names = []
        for path in app.openapi()["paths"].values():
            for operation in path.values():
                names.append(operation["operationId"])
                for status, response in operation["responses"].items():
                    if status == "default" or int(status) >= 400:
                        assert list(response["content"]) == ["application/problem+json"]
        assert len(set(names)) == len(names)


@pytest.fixture(scope="session")
async def served(template: str, settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """A running server with a database of its own: its address, and somebody's token."""
    own = settings.model_copy(update={"database_url": SecretStr(await clone(template, secrets.token_hex(4)))})
    async with open_database(own) as database, database.unit_of_work() as uow:
        ada = User(email="ada@example.com", username="ada", hashed_password=HASH)
        await Repository(User, uow.session).add(ada)
        await WorkspaceService(uow, own, AuditLog(uow, Origin())).create("Ada's", ada)
        session = UserSession(user_id=ada.id, address="", user_agent="", expires_at=TOMORROW)
        uow.session.add(session)
    server = uvicorn.Server(uvicorn.Config(create_app(own), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", create_access_token(ada.id, session.id, own)
    server.should_exit = True
    thread.join()


# That a password is a common one is no matter for a schema.
RULES_BEYOND_THE_SCHEMA = {"POST /auth/register"}

OPERATIONS = {
    found.ok().label: found.ok()  # type: ignore[union-attr]  # what cannot be read raises here, which is right
    for found in schemathesis.openapi.from_dict(create_app(get_settings()).openapi()).get_all_operations()
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_under_fire(operation: APIOperation[Any, Any, Any, Any], served: tuple[str, str]) -> None:
    """Requests right and wrong, as the contract has them invented: each answer is documented, none is a 500."""
    url, token = served
    excluded: list[CheckFunction] = [positive_data_acceptance] if operation.label in RULES_BEYOND_THE_SCHEMA else []

    @examples(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {token}"}, excluded_checks=excluded)

    send()
