"""Addresses that end in a slash."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.routing import Routes


class TrailingSlash:
    """`/articles/` is `/articles`: the same answer, no redirect that loses a body or a header on its way.

    Unless a route wants the slash: one that ends in it, a part of a path that may hold any, what is mounted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/" and scope["path"].endswith("/"):
            # A slash that was sent as %2F belongs to the key before it.
            sent = scope.get("raw_path") or scope["path"].encode()
            raw_path = sent.rstrip(b"/") or b"/"
            without = {"raw_path": raw_path, "path": scope["path"][: len(raw_path) - len(sent) or None] or "/"}
            routes = scope["app"].routes
            if _first(routes, {**scope, **without}) < _first(routes, dict(scope)):
                scope.update(without)
        await self._app(scope, receive, send)


def _first(routes: Sequence[BaseRoute], scope: Scope) -> float:
    """The place of the first route that has this path, for whichever method."""
    for place, route in enumerate(routes):
        if not isinstance(route, Routes) and route.matches(scope)[0] is not Match.NONE:
            return place
    return float("inf")
