"""The contract: openapi.yaml on disk is what the application serves, and both are made here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from app.auth.dependencies import RequiredRole
from app.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def install(app: FastAPI) -> None:
    """Make the application describe itself truthfully."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def to_yaml(app: FastAPI) -> str:
    """The contract as the text of openapi.yaml."""
    return yaml.safe_dump(app.openapi(), sort_keys=False, allow_unicode=True, width=110)


def is_current(app: FastAPI, path: Path) -> bool:
    """Whether the file says what the application says."""
    return path.exists() and yaml.safe_load(path.read_text(encoding="utf-8")) == app.openapi()


def operation_id(route: APIRoute) -> str:
    """The name of the function, so that a generated client has `client.list_articles()`."""
    return route.name


def _describe(app: FastAPI) -> dict[str, Any]:
    description = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    description["info"]["description"] = app.description  # left out by FastAPI when it is empty
    for path in description["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                _as_problem(response)
    _tell_roles(app, description)
    return description


def _tell_roles(app: FastAPI, description: dict[str, Any]) -> None:
    """Write the role that an operation takes into its description, as `x-required-role` and as a sentence."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not context.include_in_schema:
            continue
        required = list(_required_roles(route.dependant))
        if not required:
            continue
        role = max(required, key=lambda one: one.role.rank)
        for method in route.methods or ():
            operation = description["paths"][context.path_format][method.lower()]
            operation["x-required-role"] = role.role.value
            operation["description"] += f"\n\nTakes the role `{role.role}` in {role.where}."


def _required_roles(dependant: Dependant) -> Iterator[RequiredRole]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, RequiredRole):
            yield dependency.call
        yield from _required_roles(dependency)


def _as_problem(response: dict[str, Any]) -> None:
    """FastAPI documents every model as application/json; errors are sent as problem+json."""
    content = response.get("content", {})
    if content.get("application/json", {}).get("schema") == _PROBLEM:
        content[MEDIA_TYPE] = content.pop("application/json")
