"""How a request finds its route."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette._utils import get_route_path
from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from app import plain_reads

FOUND: Final = "found_route"  # in a scope: what answers
_NOT_HERE: Final[tuple[Match, Scope]] = (Match.NONE, {})


class Route(APIRoute):
    """FastAPI's, which adds nothing to a read: so that one which asks for little is answered without it.

    A class that derives from it and has its own `get_route_handler` says `leaves_reads_alone = True`, or has its reads
    answered by FastAPI.
    """


class Router(APIRouter):
    """FastAPI's, for such routes."""

    def __init__(self, *args: Any, route_class: type[APIRoute] = Route, **options: Any) -> None:
        super().__init__(*args, route_class=route_class, **options)


class Candidate:
    """A route of FastAPI's as an application has it, with what the routers above it add."""

    def __init__(self, context: RouteContext) -> None:
        self.path: str = context.path_format or ""
        self._methods = context.methods or set()
        self._pattern = context.path_regex
        self._convertors = context.param_convertors
        self._scope = {"endpoint": context.endpoint, "route": context.original_route}
        self._fastapi = context.app
        kind = type(context.original_route)
        self.is_left_to_fastapi = kind.matches is not APIRoute.matches or kind.handle is not APIRoute.handle
        is_read = issubclass(kind, Route) and self._methods == {"GET"} and _leaves_reads_alone(kind)
        self.plain_read = plain_reads.handler_of(context.dependant) if is_read else None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As any route: fully, or only the path and not the method."""
        found = self._pattern.match(get_route_path(scope))
        if found is None:
            return _NOT_HERE
        keys = {name: self._convertors[name].convert(text) for name, text in found.groupdict().items()}
        match = Match.FULL if scope["method"] in self._methods else Match.PARTIAL
        return match, {**self._scope, "path_params": {**scope.get("path_params", {}), **keys}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have FastAPI answer a request that has matched. Raises Starlette's error where only its path has."""
        if scope["method"] not in self._methods:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
        await self._fastapi(scope, receive, send)


def _leaves_reads_alone(kind: type[Route]) -> bool:
    own = [vars(one) for one in kind.__mro__ if one is not APIRoute and "get_route_handler" in vars(one)]
    return all(one.get("leaves_reads_alone") for one in own)


def candidates(routes: Sequence[BaseRoute]) -> Iterator[Candidate | RouteContext]:
    """These routes and those of the routers among them, in their order."""
    for context in iter_route_contexts(routes):
        yield Candidate(context) if isinstance(context.original_route, APIRoute) else context


class Routes(BaseRoute):
    """All routes of an application, found by the first segment of a path.

    FastAPI holds each request against the patterns of all routes that stand before its own, twice, which takes longer
    than asking the database. It is asked for what is not found here: it knows the routes that came later, and what to
    say where there is none.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._by_segment: dict[str, list[Candidate | RouteContext | _OfFastAPI]] = {}
        self._anywhere: list[Candidate | RouteContext | _OfFastAPI] = []
        self._is_made = False

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Fully, or not at all."""
        if scope["type"] != "http" or "fastapi.telemetry" in scope:  # a trace is named by the route that FastAPI finds
            return _NOT_HERE
        if not self._is_made:
            self._make()
        for candidate in self._by_segment.get(_first_segment(get_route_path(scope)), self._anywhere):
            match, child_scope = candidate.matches(scope)
            if match is Match.FULL:
                return _NOT_HERE if isinstance(candidate, _OfFastAPI) else (match, {FOUND: candidate, **child_scope})
        return _NOT_HERE

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that was found."""
        await scope[FOUND].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The routes themselves know their names. Raises `NoMatchFound`."""
        raise NoMatchFound(name, path_params)

    def _make(self) -> None:
        """Have a list for each segment of what may match there, in FastAPI's order."""
        for candidate in self._candidates():
            segment = _first_segment(candidate.path or "/{}")
            if "{" in segment:
                for known in (self._anywhere, *self._by_segment.values()):
                    known.append(candidate)
            else:
                self._by_segment.setdefault(segment, self._anywhere.copy()).append(candidate)
        self._is_made = True

    def _candidates(self) -> "Iterator[Candidate | RouteContext | _OfFastAPI]":
        for route in self._app.routes:
            if route is not self:
                has_limits = _has_limits(route)
                for candidate in candidates([route]):
                    is_left = has_limits or getattr(candidate, "is_left_to_fastapi", False)
                    yield _OfFastAPI(candidate) if is_left else candidate


class _OfFastAPI:
    """A route that is left to FastAPI, which alone knows the limits of the routers above it, and asks a class of routes
    that has its own way to match.
    """

    def __init__(self, candidate: Candidate | RouteContext) -> None:
        self.path = candidate.path
        self.matches = candidate.matches


def _has_limits(route: BaseRoute) -> bool:
    """Whether it is a router with limits for bodies (`max_body_size`, `form_limits`), or has one below."""
    included: Any = getattr(route, "include_context", None)
    if included is None:
        return False
    below: Sequence[BaseRoute] = route.original_router.routes  # type: ignore[attr-defined]  # FastAPI's own class
    return included.max_body_size is not None or bool(included.form_limits) or any(map(_has_limits, below))


def _first_segment(path: str) -> str:
    """Of `/articles/7` it is `articles`."""
    return path[1:].partition("/")[0]
