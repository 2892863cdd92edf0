"""A request whose transaction PostgreSQL gave up is answered anew, from its beginning."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database.retries import TRIES, Attempt, attempt, pause

_MOST_KEPT: Final = 2**20  # bytes of a body
_READS: Final = {"GET", "HEAD", "OPTIONS"}  # no transaction, nothing to contend for


class Retries:
    """Runs a request again that ended in `Contended`, three times at most: authentication, validation, endpoint.

    That is safe while nothing has left the transaction, which is rolled back, with its `after_commit` callbacks. So a
    request is not run again once any unit of work of it was committed, an answer has begun, or its body was too large
    to be kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        before, state_before = dict(scope), dict(scope["state"])
        body = _Body(receive)
        for number in range(1, TRIES):
            with attempt() as this:
                answer = _Answer(scope, body, this, send)
                await self._app(scope, body.receive, answer.send)
            if not answer.is_held_back:
                return
            await pause(number + 1)
            body.rewind()
            scope.clear()
            scope.update(before, state=dict(state_before))
        await self._app(scope, body.receive, send)


class _Body:
    """What the client sends, to be received again and again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._next = 0
        self._size = 0
        self.is_kept = True

    async def receive(self) -> Message:
        if self._next < len(self._messages):
            message = self._messages[self._next]
            self._next += 1
            return message
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > _MOST_KEPT:
            self.is_kept = False
            self._messages.clear()
            self._next = 0
        if self.is_kept:
            self._messages.append(message)
            self._next += 1
        return message

    def rewind(self) -> None:
        self._next = 0


class _Answer:
    """Goes out, unless it says `Contended` and the request can be run again."""

    def __init__(self, scope: Scope, body: _Body, this: Attempt, send: Send) -> None:
        self._scope = scope
        self._body = body
        self._attempt = this
        self._send = send
        self.is_held_back = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and "contended" in self._scope["state"]:
            self.is_held_back = self._body.is_kept and not self._attempt.committed
        if not self.is_held_back:
            await self._send(message)
