"""What surrounds every request. Plain ASGI: a `BaseHTTPMiddleware` would cost a task for each request."""

import re
import secrets
import time
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import sql_timing, telemetry
from app.headers import received
from app.problems import problem_response
from app.shutdown import Shutdown

log = structlog.get_logger("app.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BEARER = re.compile(r"bearer +\S", re.IGNORECASE)


class RequestContext:
    """Gives each request an id, writes one line about it, and answers what nobody has foreseen.

    The id is the client's `X-Request-ID` when it is short and harmless, so that a call can be followed
    through several services; otherwise a new one. It is in every log line and in the answer.
    """

    def __init__(self, app: ASGIApp, shutdown: Shutdown | None = None) -> None:
        self._app = app
        self._shutdown = shutdown or Shutdown(0)
        self._log = log.bind()  # or structlog would make a logger for each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = received(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        telemetry.note_request_id(request_id)
        sql = sql_timing.measured()
        answered = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = int(message["status"])  # an HTTPStatus would be logged as such
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                if self._shutdown.begun:  # the client's next connection may go elsewhere
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            self._log.exception("unexpected_error")
            if answered:  # half an answer is out: closing the connection is all that can still tell the client
                raise
            response = problem_response(
                Request(scope), HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side"
            )
            await response(scope, receive, send_with_id)
        finally:
            # The path without the query: addresses may carry what logs must not.
            self._log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=answered,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                sql_statements=sql.statements,
                sql_milliseconds=round(sql.seconds * 1000, 1),
            )


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


class TrailingSlash:
    """`/articles/` is `/articles`: the same answer, no redirect that loses a body or a header on its way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/" and scope["path"].endswith("/"):
            # A slash that was sent as %2F belongs to the key before it.
            sent = scope.get("raw_path") or scope["path"].encode()
            scope["raw_path"] = sent.rstrip(b"/") or b"/"
            scope["path"] = scope["path"][: len(scope["raw_path"]) - len(sent) or None] or "/"
        await self._app(scope, receive, send)


class Head:
    """HEAD is GET without the body (RFC 9110, section 9.3.2). Monitors and proxies ask so; FastAPI's routes do not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send_without_body)
        finally:
            scope["route"] = as_get.get("route")  # whoever counts requests by route wants to know


class BodyLimit:
    """A body over the limit is answered with 413: at once when its length is declared, else when it gets there.

    FastAPI has a limit too, but answers it in plain text.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._refusal = f"The body has more than {max_bytes:,} bytes, which is the limit"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = received(scope, b"content-length")
        if declared.isdecimal() and int(declared[:20]) > self._max_bytes:  # 20 digits say enough
            response = problem_response(Request(scope), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._refusal)
            await response(scope, receive, send)
            return
        size = 0

        async def receive_within_limit() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._refusal)
            return message

        await self._app(scope, receive_within_limit, send)
