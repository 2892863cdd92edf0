"""What other sites may not do with the cookies of a browser."""

import re
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.problems import problem_response

_BEARER = re.compile(r"bearer +\S", re.IGNORECASE)


class SameOrigin:
    """A write that a browser sends for another site is refused: cookies would go with it, and nobody meant it.

    Browsers say where a request comes from (`Sec-Fetch-Site`, or `Origin` in old ones); whoever says neither is no
    browser. A bearer token is proof enough: no other site can make a browser send one (as it can, without knowing it,
    the password of a proxy in front). Trusted are the origins that CORS allows.
    """

    def __init__(self, app: ASGIApp, trusted_origins: list[str]) -> None:
        self._app = app
        self._trusted = frozenset(trusted_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
            headers = Headers(scope=scope)
            if not _BEARER.match(headers.get("authorization", "")) and self._is_foreign(headers):
                refusal = "This request comes from another site"
                response = problem_response(Request(scope), HTTPStatus.FORBIDDEN, refusal)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_foreign(self, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self._trusted:
            return False
        if site is not None:
            return site not in {"same-origin", "none"}
        return origin is not None and origin.partition("://")[2] != headers.get("host")
