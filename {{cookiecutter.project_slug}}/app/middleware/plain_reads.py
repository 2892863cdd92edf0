"""The reads that ask for little (`app.plain_reads`): found and answered outside of FastAPI."""

from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.plain_reads import Read
from app.routing import FOUND, Routes

_OUTCOME: Final = "outcome_of_plain_read"  # in a scope


class PlainReads:
    """Answers them before FastAPI hears of them."""

    def __init__(self, app: ASGIApp, of: FastAPI, routes: Routes) -> None:
        self._app = app
        self._of = of
        self._routes = routes
        handlers = {error: answer for error, answer in of.exception_handlers.items() if error not in (500, Exception)}
        self._finish = ExceptionMiddleware(_finish, handlers=handlers)  # FastAPI has those two outermost

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = self._find(scope)
        if read is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await read(Request(scope, receive, send))
        except Exception as error:  # noqa: BLE001  # whoever answers FastAPI's errors answers these, or raises them
            scope[_OUTCOME] = error
        else:
            if type(response) is Response:
                await response(scope, receive, send)
                return
            scope[_OUTCOME] = response  # of a class that may raise an error itself
        await self._finish(scope, receive, send)

    def _find(self, scope: Scope) -> Read | None:
        if scope["type"] != "http" or scope["method"] != "GET" or self._of.dependency_overrides:
            return None
        if scope["path"].endswith("/"):  # `app.middleware.trailing_slash` knows what it means
            return None
        match, child_scope = self._routes.matches(scope)
        read: Read | None = getattr(child_scope.get(FOUND), "plain_read", None)
        if match is Match.FULL and read is not None:
            scope.update(child_scope)
        return read


async def _finish(scope: Scope, receive: Receive, send: Send) -> None:
    if isinstance(scope[_OUTCOME], Exception):
        raise scope.pop(_OUTCOME)  # or the two would hold each other
    await scope.pop(_OUTCOME)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Have the application find its routes by `Routes`, and answer plain reads so. It has all its routes by now.
    Middleware that was added before sees no plain read; what is added later sees them all.
    """
    routes = Routes(app)
    app.router.routes.insert(0, routes)
    app.add_middleware(PlainReads, of=app, routes=routes)
