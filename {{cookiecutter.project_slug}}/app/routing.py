"""How a request finds its route."""

from typing import Any

from fastapi import APIRouter
from starlette._utils import get_route_path
from starlette.routing import Match
from starlette.types import Scope


class Router(APIRouter):
    """FastAPI's, which sees at the first segment of a path that a request is not for it.

    Otherwise each request is held against the patterns of all routes that stand before its own, and finding one takes
    longer than asking the database.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._segments: set[str | None] = set()
        self._routes_seen = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As FastAPI has it."""
        if len(self.routes) != self._routes_seen:
            self._segments = {_first_segment(getattr(route, "path", "/{}")) for route in self.routes}
            self._routes_seen = len(self.routes)
        if _first_segment(get_route_path(scope)) in self._segments or None in self._segments:
            return super().matches(scope)
        return Match.NONE, {}


def _first_segment(path: str) -> str | None:
    """Of `/articles/7` it is `articles`; None of a pattern that begins with a parameter."""
    segment = path[1:].partition("/")[0]
    return None if "{" in segment else segment
