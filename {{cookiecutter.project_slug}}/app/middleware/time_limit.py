"""No request takes for ever."""

import asyncio
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deadlines import Deadlines
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
        self._deadlines = Deadlines(seconds, _give_up)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        this = _Request()

        async def send_in_time(message: Message) -> None:
            this.has_begun = True
            await send(message)

        self._deadlines.watch(this)
        try:
            await self._app(scope, receive, send_in_time)
        except asyncio.CancelledError:
            if not this.is_given_up or this.has_begun or this.task.uncancel() > this.cancelled_before:
                raise  # somebody else has cancelled it, too
            log.warning("request_timeout", seconds=self._seconds)
            detail = f"This took more than {self._seconds:g} s, which is the limit"
            response = problem_response(
                Request(scope), HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"}
            )
            await response(scope, receive, send)
        finally:
            self._deadlines.forget(this)


class _Request:
    """A request in hand, and the task that answers it."""

    __slots__ = ("cancelled_before", "has_begun", "is_given_up", "task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # a server runs each request in one  # noqa: S101
        self.task = task
        self.cancelled_before = task.cancelling()
        self.has_begun = False
        self.is_given_up = False


def _give_up(request: _Request) -> None:
    if not request.has_begun:
        request.is_given_up = True
        request.task.cancel()
