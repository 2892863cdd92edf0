"""Routes by hand in the place of generated ones."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from app.resources.declaration import ResourceError
from app.resources.operations import Operation

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_MARK = "__overrides__"
_PARAMETER: Final = re.compile(r"{([^}:]*)[^}]*}")


def overrides(endpoint: Endpoint) -> Endpoint:
    """Marks an endpoint that takes the place of a generated one. If there is none, the application does not start.

    A route by hand wins over a generated one without the mark too; with it, a path that is misspelt or a model that
    moved is found at once, instead of both being served.
    """
    setattr(endpoint, _MARK, True)
    return endpoint


def shape(method: str, path: str) -> str:
    """What two routes have in common that answer the same requests: the names of parameters do not matter."""
    return f"{method} {path_shape(path)}"


def path_shape(path: str) -> str:
    """The path without the names of its parameters."""
    return _PARAMETER.sub("{}", path)


def parameters_of(path: str) -> list[str]:
    """Their names."""
    return _PARAMETER.findall(path)


def not_by_hand(generated: Iterable[Operation], routes: Iterable[BaseRoute]) -> list[Operation]:
    """The operations that nobody has written. Raises `ResourceError` for an `@overrides` that overrides nothing."""
    operations = list(generated)
    known = {shape(operation.method, operation.path) for operation in operations}
    written: set[str] = set()
    for context in iter_route_contexts(list(routes)):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        shapes = {shape(method, context.path_format or "") for method in route.methods or ()}
        if getattr(route.endpoint, _MARK, False) and not shapes & known:
            where = f"{route.endpoint.__module__}.{route.endpoint.__name__}"
            raise ResourceError(f"{where} overrides {', '.join(sorted(shapes))}, which no model generates")
        written |= shapes
    return [operation for operation in operations if shape(operation.method, operation.path) not in written]
