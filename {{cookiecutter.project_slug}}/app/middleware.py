"""What surrounds every request. Plain ASGI: a `BaseHTTPMiddleware` would cost a task for each request."""

import re
import time
from http import HTTPStatus
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem_response

log = structlog.get_logger("app.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Gives each request an id, writes one line about it, and answers what nobody has foreseen.

    The id is the client's `X-Request-ID` when it is short and harmless, so that a call can be followed
    through several services; otherwise a new one. It is in every log line and in the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        answered = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("unexpected_error")
            if answered:  # half an answer is out: closing the connection is all that can still tell the client
                raise
            response = problem_response(
                Request(scope), HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side"
            )
            await response(scope, receive, send_with_id)
        finally:
            # The path without the query: addresses may carry what logs must not.
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=answered,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )


class TrailingSlash:
    """`/articles/` is `/articles`: the same answer, no redirect that loses a body or a header on its way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/" and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        await self._app(scope, receive, send)
