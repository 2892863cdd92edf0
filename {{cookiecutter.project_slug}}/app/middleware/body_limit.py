"""How much somebody may send."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.headers import received
from app.problems import problem_response


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
