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
        self._deadlines = Deadlines(seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = asyncio.timeout(None)
        has_begun = False

        async def send_in_time(message: Message) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                self._deadlines.forget(limit)
            await send(message)

        try:
            async with limit:
                self._deadlines.watch(limit)
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
        finally:
            self._deadlines.forget(limit)


class Deadlines:
    """Ends what has taken its seconds. All have the same, so the first that came is the first that is due, and one
    timer is enough: one for each request would cost it more than all else that is done here.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Timeout, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # that has the timer

    def watch(self, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        self._due[limit] = loop.time() + self._seconds
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self._seconds, self._end_due, loop)

    def forget(self, limit: asyncio.Timeout) -> None:
        self._due.pop(limit, None)

    def _end_due(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = None
        for limit, when in list(self._due.items()):
            if when > loop.time():
                self._loop = loop
                loop.call_at(when, self._end_due, loop)
                break
            self.forget(limit)
            limit.reschedule(loop.time())
