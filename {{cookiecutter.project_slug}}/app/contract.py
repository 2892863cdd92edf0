"""The contract: openapi.yaml on disk is what the application serves, and both are made here."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from app.auth.cookies import ACCESS
from app.auth.dependencies import RequiredRole, known_caller
from app.block_yaml import block_yaml
from app.errors import Error
from app.problems import ANY_OTHER, Problem, documented
from app.resources.runtime import Runtime


def install(app: FastAPI) -> None:
    """Make the application describe itself truthfully."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def write(app: FastAPI, directory: Path) -> None:
    """Write the contract, and the description that the generated part of it is made from."""
    for name, content in _files(app).items():
        (directory / name).write_text(_as_text(name, content), encoding="utf-8")


def not_current(app: FastAPI, directory: Path) -> list[str]:
    """The files that do not say what the application says, in these words or as somebody has formatted it."""
    return [name for name, content in _files(app).items() if not _says(directory / name, content)]


def _files(app: FastAPI) -> dict[str, Any]:
    runtime: Runtime = app.state.runtime
    return {"openapi.yaml": app.openapi(), "ir.json": runtime.catalog.as_json()}


def _as_text(name: str, content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n" if name.endswith(".json") else block_yaml(content)


def _says(path: Path, content: Any) -> bool:
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8")
    if text == _as_text(path.name, content):
        return True
    import yaml  # noqa: PLC0415  # takes a while to load, and a server has no use for it

    # libyaml's is ten times as fast, where it is there.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return bool(yaml.load(text, loader) == content)  # noqa: S506  # a safe one, and JSON is YAML too
    except yaml.YAMLError:
        return False


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
    _tell_cookie(description)
    runtime: Runtime = app.state.runtime
    runtime.describe(description, _security(description))
    for path in description["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                _not_null(parameter)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    description["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    description["components"]["schemas"].pop("JsonValue", None)  # Pydantic's name for anything, which nothing refers to
    _tell_callers(app, description)
    _name_problems(description)
    return canonical(description)  # type: ignore[no-any-return]


# What a reader looks for first stands first; the rest is in the order of the alphabet.
_FIRST: Final = (
    *("openapi", "info", "title", "description", "version", "paths", "components"),
    *("tags", "summary", "operationId", "security", "parameters", "requestBody", "responses"),
    *("name", "in", "required", "schema", "$ref", "type", "format", "properties"),
)


def canonical(part: Any, name: str = "") -> Any:
    """The description in one order and without the titles that FastAPI makes of names, so that it does not matter
    whether a part of it comes from FastAPI or from the runtime.
    """
    if isinstance(part, list):
        return [canonical(one) for one in part]
    if not isinstance(part, dict):
        # FastAPI makes numbers with a fraction of these, which 2**63 - 1 does not fit into.
        whole = name in {"maximum", "minimum"} and isinstance(part, float) and part.is_integer()
        return min(int(part), 2**63 - 1) if whole else part
    if name == "properties":  # these have the order in which their schema declares them
        return {key: canonical(value) for key, value in part.items()}
    made = "title" if name != "info" and isinstance(part.get("title"), str) else None
    return {key: canonical(part[key], key) for key in _in_order(tuple(part)) if key != made}


@lru_cache(maxsize=1_000)
def _in_order(names: tuple[str, ...]) -> list[str]:
    """One order for what has the same names, which of thousands of objects most have."""
    return sorted(names, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def _name_problems(description: dict[str, Any]) -> None:
    """Describe each error once, as a response with the name of its class, and refer to it from the operations."""
    names = {
        _sameness(response): error.__name__
        for error in Error.__subclasses__()
        for response in documented(error).values()
    }
    names[_sameness(ANY_OTHER["default"])] = "Error"
    shared = description["components"].setdefault("responses", {})
    for path in description["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if name := names.get(_sameness(response)):
                    shared[name] = response
                    operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


def _sameness(response: dict[str, Any]) -> str:
    return str((response.get("description"), response.get("content"), response.get("headers")))


def _tell_cookie(description: dict[str, Any]) -> None:
    """Say that a browser may send its token as a cookie, wherever others send theirs in a header."""
    cookie = APIKey(**{"in": APIKeyIn.cookie}, name=f"__Host-{ACCESS}")
    description["components"]["securitySchemes"]["Cookie"] = cookie.model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    for path in description["paths"].values():
        for operation in path.values():
            if "security" in operation:
                operation["security"].append({"Cookie": []})


def _security(description: dict[str, Any]) -> list[dict[str, Any]]:
    """How a caller says who he is: what FastAPI writes into the operations that ask for it."""
    operations = (operation for path in description["paths"].values() for operation in path.values())
    return next((operation["security"] for operation in operations if "security" in operation), [])


def _tell_callers(app: FastAPI, description: dict[str, Any]) -> None:
    """Write who may call into the operations by hand: with the role that one takes, or without a login."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not context.include_in_schema:
            continue
        dependencies = list(_dependencies(route.dependant))
        for method in route.methods or ():
            operation = description["paths"][context.path_format][method.lower()]
            if "security" in operation and known_caller not in dependencies:
                operation["security"] = [*operation["security"], {}]
            _tell_role(operation, [one for one in dependencies if isinstance(one, RequiredRole)])


def _tell_role(operation: dict[str, Any], required: list[RequiredRole]) -> None:
    """Write the role that an operation takes into its description, as `x-required-role` and as a sentence."""
    if required:
        role = max(required, key=lambda one: one.role.rank)
        operation["x-required-role"] = role.role.value
        operation["description"] += f"\n\nTakes the role `{role.role}` in {role.where}."


def _dependencies(dependant: Dependant) -> Iterator[Any]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _dependencies(dependency)


def _not_null(parameter: dict[str, Any]) -> None:
    """FastAPI lets a parameter that may be left out be null; none can. A client that is generated would send it."""
    schema = parameter["schema"]
    variants = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(variants) == 1:
        parameter["schema"] = {name: said for name, said in schema.items() if name != "anyOf"} | variants[0]
