"""No request takes for ever."""

import asyncio
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem_response

log = structlog.get_logger(__name__)


class TimeLimit:
    """Answers 503 where no answer has begun after so many seconds, and gives up what the request was doing.

    Its transaction is rolled back, its statement stopped in PostgreSQL, its connection free again. A commit that has
    begun is carried through: the client who then hears 503 cannot know, which is what `Idempotency-Key` is for. An
    answer that has begun may take as long as it likes. A plain `def` endpoint runs on in its thread.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = asyncio.timeout(self._seconds)
        has_begun = False

        async def send_in_time(message: Message) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                if not limit.expired():
                    limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self._app(scope, receive, send_in_time)
        except TimeoutError:
            if has_begun or not limit.expired():
                raise
            log.warning("request_timeout", seconds=self._seconds)
            detail = f"This took more than {self._seconds:g} s, which is the limit"
            response = problem_response(
                Request(scope), HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"}
            )
            await response(scope, receive, send)
