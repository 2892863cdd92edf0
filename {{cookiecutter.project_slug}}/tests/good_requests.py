"""For each operation that takes a body, one that is good."""

from typing import Any

from app.models.base import Declarative
from app.resources.catalog import catalog_of
from app.resources.operations import operations
from tests.people import PASSWORD, fake
from tests.rows import body, change

CATALOG = catalog_of(Declarative)
DECLARED = {one.label: one for entity in CATALOG.entities.values() for one in operations(entity, CATALOG)}


def good_request(operation: str, word: str, ids: dict[str, int]) -> dict[str, Any]:
    """What to send along, as arguments for httpx. What is text in it holds the word."""
    bodies: dict[str, dict[str, Any]] = {
        "POST /auth/register": {
            "json": {"email": fake.unique.email(), "username": fake.unique.user_name(), "password": PASSWORD}
        },
        "POST /auth/login": {"data": {"username": fake.user_name(), "password": PASSWORD}},
        "POST /auth/refresh": {"data": {"refresh_token": word}},
        "POST /auth/verify-email": {"json": {"token": word}},
        "POST /auth/forgot-password": {"json": {"email": f"{word}@example.com"}},
        "POST /auth/reset-password": {"json": {"token": word, "password": f"{word} and more words"}},
        "PATCH /users/me": {"json": {"email": f"{word}2@example.com", "current_password": PASSWORD}},
        "DELETE /users/me": {"json": {"password": PASSWORD}},
        "POST /users/me/password": {"json": {"current_password": PASSWORD, "new_password": f"{word} and more words"}},
        "POST /workspaces": {"json": {"name": f"{word} and friends"}},
        "PATCH /workspaces/{workspace_id}": {"json": {"name": f"{word} and others"}},
        "POST /workspaces/{workspace_id}/transfer": {"json": {"user_id": ids.get("user_id", 1)}},
        "PATCH /workspaces/{workspace_id}/members/{user_id}": {"json": {"role": "viewer"}},
        "POST /workspaces/{workspace_id}/invitations": {
            "json": {"email": f"{word}{fake.unique.random_number()}@example.com", "role": "viewer"}
        },
        "POST /invitations/accept": {
            "json": {"token": word, "username": fake.unique.user_name(), "password": f"{word} and more words"}
        },
        "PATCH /admin/users/{user_id}": {"json": {"disabled": True}},
        "POST /articles": {"json": {"title": f"{word} title", "content": f"{word}, and long enough"}},
        "POST /articles/{article_id}/comments": {"json": {"content": f"{word} says"}},
        "PATCH /articles/{article_id}": {"json": {"title": f"{word} changed"}},
    }
    return bodies.get(operation) or _generated(operation, word, ids)


def _generated(operation: str, word: str, ids: dict[str, int]) -> dict[str, Any]:
    """For an operation that a model declares."""
    declared = DECLARED.get(operation)
    if declared is None or declared.does not in {"create", "update"}:
        return {}
    if declared.does == "update":
        return {"json": change(declared.entity, word)}
    return {"json": body(CATALOG.model_of(declared.entity), declared.entity, word, ids)}
