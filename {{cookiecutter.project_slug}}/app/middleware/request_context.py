"""The request as a whole: its id, its line in the log, its answer when something breaks."""

import re
import secrets
import time
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database import sql_timing
from app.headers import received
from app.observability import telemetry
from app.problems import problem_response
from app.shutdown import Shutdown

log = structlog.get_logger("app.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


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
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = received(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # a WebSocket, which is refused by a problem, too
            return
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
