"""The generated routes in an application."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, FastAPI
from fastapi.routing import RouteContext
from starlette._utils import get_route_path
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from app import discovery
from app.resources import openapi
from app.resources.catalog import Catalog
from app.resources.declaration import ResourceError
from app.resources.endpoints import Endpoints
from app.resources.operations import Operation, operations
from app.resources.overrides import not_by_hand, parameters_of, path_shape
from app.routing import FOUND, Candidate, candidates
from app.services.resource import ResourceService

# Stands for a slash that is part of a key. No path that was decoded holds it: it is half of a character.
_SLASH: Final = "\udc2f"


class Runtime(BaseRoute):
    """All generated routes, as one route of the application.

    A path is found by its first segment, however many entities there are, and the endpoints of an entity are made when
    the first request for them comes: two hundred entities cost a start nothing.
    """

    def __init__(self, catalog: Catalog, by_hand: Iterable[BaseRoute] = ()) -> None:
        self.catalog = catalog
        every = [one for entity in catalog.entities.values() if entity.routes for one in operations(entity, catalog)]
        self.operations = not_by_hand(every, by_hand)
        _refuse_twice(self.operations)
        self._routers: dict[str, _Lazy] = {}
        self._by_segment: dict[str, list[_Lazy]] = {}
        services = _services(catalog)
        for operation in self.operations:
            entity = operation.entity
            if entity.name not in self._routers:
                service = services.get(catalog.model_of(entity), ResourceService)
                self._routers[entity.name] = _Lazy(Endpoints(entity, catalog, service))
            router = self._routers[entity.name]
            router.operations.append(operation)
            segment = operation.path.split("/")[1]
            if router not in self._by_segment.setdefault(segment, []):
                self._by_segment[segment].append(router)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As any route: fully, or only the path and not the method."""
        partial: tuple[Match, Scope] = (Match.NONE, {})
        if scope["type"] != "http":
            return partial
        sent = _as_sent(scope)
        first = get_route_path(sent).lstrip("/").partition("/")[0]
        for router in self._by_segment.get(first, ()):
            for route in router.made:
                match, child_scope = route.matches(sent)
                if match is not Match.NONE:
                    keys = {name: value.replace(_SLASH, "/") for name, value in child_scope["path_params"].items()}
                    child_scope = {**child_scope, "path_params": keys, FOUND: route}
                if match is Match.FULL:
                    return match, child_scope
                if match is Match.PARTIAL and partial[0] is Match.NONE:
                    partial = (match, child_scope)
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that matched."""
        await scope[FOUND].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Generated routes have no names here. Raises `NoMatchFound`."""
        raise NoMatchFound(name, path_params)

    def describe(self, description: dict[str, Any], security: list[dict[str, Any]]) -> None:
        """Write the generated operations into an OpenAPI description, and the schemas that they and others need."""
        paths: dict[str, Any] = description["paths"]
        by_shape = {path_shape(path): path for path in paths}
        for operation in self.operations:
            said = openapi.describe(operation, security, self.catalog)
            path = by_shape.get(path_shape(operation.path), operation.path)
            _rename(said, operation.path, path)
            paths.setdefault(path, {})[operation.method.lower()] = said
        known = {
            name: schema
            for entity in self.catalog.entities.values()
            for name, schema in openapi.schemas(self.catalog.shown(entity), self.catalog).items()
        }
        by_hand: dict[str, Any] = description["components"]["schemas"]
        wanted = set(_references(description["paths"]))
        while wanted:
            name = wanted.pop()
            if name not in by_hand and name in known:
                by_hand[name] = known[name]
                wanted |= set(_references(known[name]))


def _rename(said: dict[str, Any], path: str, by_hand: str) -> None:
    """Call the parameters as the route by hand does that has a path of this shape: OpenAPI takes the two for one."""
    names = dict(zip(parameters_of(path), parameters_of(by_hand), strict=True))
    for parameter in said.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["name"] = names[parameter["name"]]


def _references(part: Any) -> Iterator[str]:
    parts = [part]
    while parts:
        one = parts.pop()
        if isinstance(one, dict):
            if "$ref" in one:
                yield one["$ref"].rpartition("/")[2]
            parts.extend(one.values())
        elif isinstance(one, list):
            parts.extend(one)


def _as_sent(scope: Scope) -> Scope:
    """The request with a path in which every slash parts two segments. One that belongs to a key was sent as `%2F`,
    and servers decode it.
    """
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    if "%2f" not in raw.lower():
        return scope
    return {**scope, "path": "/".join(unquote(segment).replace("/", _SLASH) for segment in raw.split("/"))}


class _Lazy:
    """A router that is made when it is first needed."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self.operations: list[Operation] = []

    @cached_property
    def made(self) -> list[Candidate | RouteContext]:
        return list(candidates(self._endpoints.router(self.operations).routes))


def install(app: FastAPI, catalog: Catalog, by_hand: Iterable[APIRouter]) -> Runtime:
    """Serve what the models of the catalog declare, beside the routers by hand, which the application has by now.

    Raises `ResourceError` for a model that cannot be served, and for an override that overrides nothing.
    """
    # As the routers have them: what FastAPI makes of them for the application, it makes when the first request comes.
    runtime = Runtime(catalog, [route for router in by_hand for route in router.routes])
    app.router.routes.append(runtime)
    app.state.runtime = runtime
    return runtime


def _refuse_twice(operations: Iterable[Operation]) -> None:
    seen: dict[str, Operation] = {}
    names: dict[str, Operation] = {}
    for operation in operations:
        other = seen.setdefault(operation.label, operation)
        if other is not operation:
            raise ResourceError(
                f"{operation.label} would be {operation.name} of {operation.entity.name} and {other.name} of "
                f"{other.entity.name}: give one another path, or hide the relation"
            )
        named = names.setdefault(operation.name, operation)
        if named is not operation:
            raise ResourceError(
                f"{operation.name} would be the name of {operation.label} and of {named.label}: call the relation, or "
                "one of the models, something else"
            )


def _services(catalog: Catalog) -> dict[type[Any], type[ResourceService[Any]]]:
    """The services by hand, by their models. One without a model is there for others to stand on."""
    list(discovery.modules("app.services"))
    models = {catalog.model_of(entity) for entity in catalog.entities.values()}
    found: dict[type[Any], type[ResourceService[Any]]] = {}
    for service in _descendants(ResourceService):
        model = getattr(service, "model", None)
        if model not in models:
            continue
        if model in found:
            raise ResourceError(
                f"{service.__name__} and {found[model].__name__} are both services for {model.__name__}"
            )
        found[model] = service
    return found


def _descendants(parent: type[Any]) -> Iterator[type[Any]]:
    for child in parent.__subclasses__():
        yield child
        yield from _descendants(child)
