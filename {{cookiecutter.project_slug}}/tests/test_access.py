"""Who may ask what of whom: every route of the application, by everybody who could ask.

The routes come from the application itself. A new one that has no line here fails.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Column, UniqueConstraint, inspect

from app import main
from app.models.base import Declarative
from app.models.resource import Access
from app.resources.description import Taken
from app.resources.operations import Operation
from app.roles import Role
from tests.good_requests import CATALOG, DECLARED, good_request
from tests.people import People, Person

CALLERS = ("anonymous", "outsider", "viewer", "member", "admin", "owner")

# Each column is the status that a caller gets; `ok` is any success. What the paths name is in a workspace that the
# outsider is not in: a draft and a session of its owner, a member, an invitation.
PUBLIC = "ok ok ok ok ok ok"
BY_PROOF = "401 401 401 401 401 401"  # what it brings along decides, and this is not good
KNOWN = "401 ok ok ok ok ok"
MEMBERS = "401 404 ok ok ok ok"
ADMINS = "401 404 403 403 ok ok"
OWNERS = "401 404 403 403 403 ok"
NOBODYS_BUT_HIS = "401 404 404 404 404 404"
SUPERUSERS = "401 403 403 403 403 403"
BY_HAND = {
    # operation                                     anonymous, outsider, viewer, member, admin, owner
    "GET /": PUBLIC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "POST /auth/register": PUBLIC,
    "POST /auth/login": BY_PROOF,
    "POST /auth/refresh": BY_PROOF,
    "POST /auth/logout": PUBLIC,
    "POST /auth/logout-all": KNOWN,
    "GET /auth/sessions": KNOWN,
    "DELETE /auth/sessions/{session_id}": NOBODYS_BUT_HIS,
    "POST /auth/verify-email": BY_PROOF,
    "POST /auth/resend-verification": "401 409 409 409 409 409",  # they have nothing left to verify
    "POST /auth/forgot-password": PUBLIC,
    "POST /auth/reset-password": BY_PROOF,
    "GET /users/me": KNOWN,
    "PATCH /users/me": KNOWN,
    "DELETE /users/me": KNOWN,
    "POST /users/me/password": KNOWN,
    "GET /workspaces": KNOWN,
    "POST /workspaces": KNOWN,
    "GET /workspaces/{workspace_id}": MEMBERS,
    "PATCH /workspaces/{workspace_id}": ADMINS,
    "DELETE /workspaces/{workspace_id}": OWNERS,
    "POST /workspaces/{workspace_id}/activate": MEMBERS,
    "POST /workspaces/{workspace_id}/transfer": OWNERS,
    "GET /workspaces/{workspace_id}/members": MEMBERS,
    "PATCH /workspaces/{workspace_id}/members/{user_id}": ADMINS,
    "DELETE /workspaces/{workspace_id}/members/{user_id}": ADMINS,
    "GET /workspaces/{workspace_id}/invitations": ADMINS,
    "POST /workspaces/{workspace_id}/invitations": ADMINS,
    "GET /workspaces/{workspace_id}/invitations/{invitation_id}": ADMINS,
    "DELETE /workspaces/{workspace_id}/invitations/{invitation_id}": ADMINS,
    "POST /workspaces/{workspace_id}/invitations/{invitation_id}/resend": ADMINS,
    "POST /invitations/accept": BY_PROOF,
    "GET /admin/users": SUPERUSERS,
    "GET /admin/users/{user_id}": SUPERUSERS,
    "PATCH /admin/users/{user_id}": SUPERUSERS,
    "GET /admin/audit-events": SUPERUSERS,
    "GET /articles": PUBLIC,
    "POST /articles": "401 ok 403 ok ok ok",  # the outsider's becomes one of his own workspace
    "GET /articles/{article_id}": "404 404 ok ok ok ok",
    "PATCH /articles/{article_id}": "401 404 403 403 ok ok",
    "DELETE /articles/{article_id}": "401 404 403 403 ok ok",
    "POST /articles/{article_id}/comments": "401 404 403 409 409 409",  # it is a draft
}


def generated(operation: Operation) -> str:
    """The line of an operation on rows of somebody's workspace, or everybody's, as its model declares it."""
    entity, access, named = operation.entity, operation.access, "{" in operation.path
    if entity.scoped:
        of_owner = entity.owner and operation.does in {"update", "delete", "link", "unlink"}
        least = Role.admin if of_owner else access.role or Role.viewer
        made = "409" if _is_taken(operation) else "ok"
        missing = "404" if _leads_nowhere(operation) else made
        roles = (missing if role.includes(least) else "403" for role in Role)
        return " ".join(["401", "404" if named else "422" if _refers(operation) else "ok", *roles])
    if entity.owner:
        return NOBODYS_BUT_HIS if named else KNOWN
    return {Access.anyone: PUBLIC, Access.user: KNOWN}.get(access, SUPERUSERS)


def _leads_nowhere(operation: Operation) -> bool:
    """In this world nothing is linked, and what may be null is."""
    optional = operation.relation is not None and operation.relation.nullable
    return operation.does == "unlink" or (operation.does == "read_related" and optional)


def _references(operation: Operation) -> list[Column[Any]]:
    """The columns with keys of other rows that a body to make one needs."""
    columns = inspect(CATALOG.model_of(operation.entity)).columns
    sent = [field.name for field in operation.entity.fields if field.created is Taken.required]
    return [columns[name] for name in sent if columns[name].foreign_keys] if operation.does == "create" else []


def _refers(operation: Operation) -> bool:
    """Whether that body is good in one workspace only."""
    keys = [key for column in _references(operation) for key in column.foreign_keys]
    return any("workspace_id" in key.column.table.columns for key in keys)


def _is_taken(operation: Operation) -> bool:
    """Whether that body refers to something that only one row can refer to, and in this world one does."""
    unique = [
        set(constraint.columns.keys()) - {"workspace_id"}
        for constraint in CATALOG.model_of(operation.entity).__table__.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    return any({column.name} in unique for column in _references(operation))


def operations(app: FastAPI) -> set[str]:
    return {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}


ORDER = [table.name for table in Declarative.metadata.sorted_tables]
# The models that have routes, generated or by hand, in an order in which their rows can be made.
SERVED = [
    CATALOG.model_of(entity)
    for entity in sorted(CATALOG.entities.values(), key=lambda entity: ORDER.index(entity.table))
    if any(label in operations(main.app) for label, one in DECLARED.items() if one.entity is entity)
]
# What models declare, whether it is generated or was ejected since; what stands above comes first.
ACCESS = {label: generated(DECLARED[label]) for label in sorted(operations(main.app) & DECLARED.keys())} | BY_HAND


@dataclass(frozen=True)
class World:
    """A workspace with one of each, and somebody outside of it who calls, or somebody in it."""

    caller: httpx.AsyncClient
    ids: dict[str, int]
    author: Person


@pytest.fixture
def world(people: People, client: httpx.AsyncClient) -> Callable[[str], Awaitable[World]]:
    async def make(caller: str) -> World:
        author = await people.join()
        colleague = await people.join(author.workspace_id)
        ids = {
            "article_id": (await people.write(author, published=False)).id,
            "invitation_id": (await people.invite(author)).id,
            "session_id": author.session_id,
            "user_id": colleague.user.id,
            "workspace_id": author.workspace_id,
        }
        ids |= await people.one_of_each(SERVED, author, "word", ids)
        if caller == "anonymous":
            return World(client, ids, author)
        if caller == "outsider":
            return World((await people.join()).client, ids, author)
        return World((await people.join(author.workspace_id, Role(caller))).client, ids, author)

    return make


def test_every_route_has_a_line(app: FastAPI) -> None:
    assert operations(app) == ACCESS.keys()


@pytest.mark.parametrize("operation", ACCESS)
async def test_is_for_those_and_nobody_else(world: Callable[[str], Awaitable[World]], operation: str) -> None:
    method, path = operation.split()
    seen = []
    for caller in CALLERS:
        w = await world(caller)
        response = await w.caller.request(method, path.format(**w.ids), **good_request(operation, "word", w.ids))
        w.caller.cookies.clear()
        seen.append("ok" if response.is_success else str(response.status_code))
    assert " ".join(seen) == ACCESS[operation]


WITH_KEYS = [operation for operation in ACCESS if "{" in operation]


@pytest.mark.parametrize("operation", WITH_KEYS)
async def test_robustness_23_what_is_not_yours_is_not_there(
    world: Callable[[str], Awaitable[World]], operation: str
) -> None:
    """The same answer for a foreign key as for one that nobody has."""
    method, path = operation.split()
    w = await world("outsider")
    answers = []
    for ids in (w.ids, {name: _nobodys(key) for name, key in w.ids.items()}):
        response = await w.caller.request(method, path.format(**ids), **good_request(operation, "word", w.ids))
        told = response.json()
        answers.append((response.status_code, told["title"], told["detail"], told.get("errors")))
    assert answers[0] == answers[1]
    assert answers[0][0] == (403 if ACCESS[operation] == SUPERUSERS else 404)


def _nobodys(key: Any) -> Any:
    """A key of this type that no row has; a day stays: it is part of a key."""
    other: dict[type[Any], Any] = {int: 2**31 - 1, str: "nobody's", UUID: uuid4()}
    return other.get(type(key), key)


def test_what_the_description_says_of_roles_is_what_happens(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if role := operation.get("x-required-role"):
                line = ACCESS[f"{method.upper()} {path}"].split()
                below = [line[CALLERS.index(other.value)] for other in Role if not other.includes(Role(role))]
                assert set(below) <= {"403"}, f"{method} {path}"
                assert f"`{role}`" in operation["description"]


def test_a_route_that_needs_nobody_says_so(app: FastAPI) -> None:
    """In the description too: an operation without security has no caller."""
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            line = ACCESS[f"{method.upper()} {path}"]
            assert "security" in operation or line in {PUBLIC, BY_PROOF}, f"{method} {path}"
            by_hand = f"{method.upper()} {path}" not in DECLARED
            assert not (by_hand and re.search(r"\{(?!\w+_id\})", path)), "a key in a path is called after what it names"
