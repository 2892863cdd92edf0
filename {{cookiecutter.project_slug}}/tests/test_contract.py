"""The contract is true: on disk, as it is served, and under fire."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from schemathesis.checks import CheckFunction
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from typer.testing import CliRunner

from app import contract
from app.cli import cli
from app.config import ROOT, get_settings
from app.idempotency import HEADER as IDEMPOTENCY_KEY
from app.main import create_app
from app.resources.description import Taken
from tests.good_requests import CATALOG, DECLARED
from tests.people import Served


class TestOnDisk:
    def test_both_files_are_what_is_served(self, app: FastAPI) -> None:
        assert contract.not_current(app, ROOT) == [], "write them anew: make generate"

    def test_the_command_writes_both_and_tells_which_is_old(self, tmp_path: Path) -> None:
        check = ["generate", "--into", str(tmp_path), "--check"]
        missing = CliRunner().invoke(cli, check)
        assert missing.exit_code == 1
        assert "openapi.yaml, ir.json. Write anew with `make generate`" in missing.output
        assert CliRunner().invoke(cli, ["generate", "--into", str(tmp_path)]).exit_code == 0
        assert CliRunner().invoke(cli, check).exit_code == 0
        path = tmp_path / "openapi.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("maximum: 100", "maximum: 1000"), encoding="utf-8")
        old = CliRunner().invoke(cli, check)
        assert old.exit_code == 1
        assert "ir.json" not in old.output
        path.write_text("<<<<<<< ours\nopenapi: {\n", encoding="utf-8")  # in the middle of a merge
        assert CliRunner().invoke(cli, check).output == old.output

    def test_somebody_may_format_it(self, app: FastAPI, tmp_path: Path) -> None:
        contract.write(app, tmp_path)
        path = tmp_path / "openapi.yaml"
        path.write_text(yaml.dump(yaml.safe_load(path.read_text(encoding="utf-8"))), encoding="utf-8")
        assert contract.not_current(app, tmp_path) == []

    def test_every_operation_has_a_name_and_documents_its_errors(self, app: FastAPI) -> None:
        names = []
        for path in app.openapi()["paths"].values():
            for operation in path.values():
                names.append(operation["operationId"])
                for status, response in operation["responses"].items():
                    if status == "default" or int(status) >= 400:
                        shared = app.openapi()["components"]["responses"][response["$ref"].rpartition("/")[2]]
                        assert list(shared["content"]) == ["application/problem+json"]
        assert len(set(names)) == len(names)

    def test_who_need_not_log_in_is_told(self, app: FastAPI) -> None:
        paths = app.openapi()["paths"]
        assert {} in paths["/articles"]["get"]["security"]
        assert {} not in paths["/articles"]["post"]["security"]
        assert {} not in paths["/tags"]["get"]["security"]

    def test_text_to_find_holds_no_nul(self, app: FastAPI) -> None:
        description = app.openapi()
        parameters = {one["name"]: one["schema"] for one in description["paths"]["/articles"]["get"]["parameters"]}
        conditions = description["components"]["schemas"]["ArticleFilter"]["properties"]
        for schema in (parameters["q"], parameters["title"], conditions["title__ne"]):
            assert schema["pattern"] == r"^[^\x00]*$"


# That a password is a common one, a name taken, or a domain reserved, is no matter for a schema.
RULES_BEYOND_THE_SCHEMA = {
    "POST /auth/register",
    "POST /auth/forgot-password",
    "PATCH /users/me",
    "POST /workspaces/{workspace_id}/invitations",
}


def knows_more_than_its_schema(operation: str) -> bool:
    """Whether the table refuses keys of rows that are not there, or values that are taken already."""
    declared = DECLARED.get(operation)
    if declared is None or declared.does not in {"create", "update"}:
        return False
    table = CATALOG.model_of(declared.entity).__table__
    refusing = [one for one in table.constraints if isinstance(one, UniqueConstraint | ForeignKeyConstraint)]
    names = {name for constraint in refusing for name in constraint.columns.keys()}  # noqa: SIM118  # it is no dict
    return any(field.name in names for field in declared.entity.fields if field.created is not Taken.never)


OPERATIONS = {
    found.ok().label: found.ok()  # type: ignore[union-attr]  # what cannot be read raises here, which is right
    for found in schemathesis.openapi.from_dict(create_app(get_settings()).openapi()).get_all_operations()
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
async def test_robustness_31_under_fire(operation: APIOperation[Any, Any, Any, Any], served: Served) -> None:
    """Requests right and wrong, as the contract has them invented: each answer is documented, none is a 500."""
    ada = await served.people.join()
    headers = {"Authorization": ada.client.headers["authorization"]}
    knows_more = knows_more_than_its_schema(operation.label)

    @examples(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case[Any]) -> None:
        # Nor does a schema know which keys are used up, or which cursors a list has given.
        given_before = IDEMPOTENCY_KEY in (case.headers or {}) or "cursor" in (case.query or {})
        beyond = given_before or operation.label in RULES_BEYOND_THE_SCHEMA or knows_more
        excluded: list[CheckFunction] = [positive_data_acceptance] if beyond else []
        case.call_and_validate(base_url=served.url, headers=headers, excluded_checks=excluded)

    await asyncio.to_thread(send)
