"""POSTs that a client may send again, because it did not hear the answer: done once, answered alike each time.

A router says `Router(route_class=IdempotentRoute)`, and an endpoint asks for `Once`, last of all;
draft-ietf-httpapi-idempotency-key-header says what clients do. The key is claimed and the answer is kept in the
request's own transaction: both are there exactly if what was done is. An error leaves the key free. A key that another
request holds is waited for, and its answer given.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.auth.dependencies import caller_of_token
from app.database.unit_of_work import UnitOfWork
from app.dependencies import Uow
from app.errors import Invalid
from app.models.idempotency_key import IdempotencyKey
from app.repositories.base import Repository
from app.repositories.idempotency import claim
from app.routing import Route

HEADER: Final = "Idempotency-Key"
# Of an answer, what its reader needs; never a cookie, which would be a usable token in the database.
_KEPT: Final = ("content-type", "location")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        max_length=255,
        pattern="^[!-~]([ -~]*[!-~])?$",
        description="Names this request, for a day: sent again under the same name it is answered and not done again",
    ),
]


class Answered(Exception):  # not an error: this very request was answered before
    """There is an answer already, and nothing to be done."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


async def claim_key(request: Request, uow: Uow, key: Key = None) -> None:
    """Make the key this request's, unless it has had an answer before.

    A key is somebody's: without a caller there is none. Raises `Invalid` when he has used it for something else.
    """
    if key is None or (caller := await caller_of_token(request)) is None:
        return
    fingerprint = await _fingerprint(request)
    kept = (await uow.session.scalars(claim(caller.user.id, key, fingerprint))).one()
    if kept.status is None:
        request.state.keep_answer = partial(_keep, uow, kept, fingerprint)
    elif kept.fingerprint != fingerprint:
        raise Invalid(f"This {HEADER} was used for another request; choose a new one")
    else:
        raise Answered(
            Response(kept.body, kept.status, headers={**(kept.headers or {}), "Idempotency-Replayed": "true"})
        )


# Last among an endpoint's parameters: whoever may not do this is told so, also when it has been done.
Once = Annotated[None, Depends(claim_key)]


async def _keep(uow: UnitOfWork, claimed: IdempotencyKey, fingerprint: bytes, response: Response) -> None:
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    answer = {"status": response.status_code, "headers": headers, "body": bytes(response.body)}
    await Repository(IdempotencyKey, uow.session).update(claimed, {"fingerprint": fingerprint, **answer})


class IdempotentRoute(Route):
    """A route whose answer is kept if its endpoint asks for `Once`. It answers no stream, and leaves reads alone."""

    leaves_reads_alone = True

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        if self.methods == {"GET"}:  # nothing to be done once
            return handle

        async def handle_and_keep(request: Request) -> Response:
            if HEADER in request.headers:
                await _receive(request)
            try:
                response = await handle(request)
            except Answered as before:
                return before.answer
            # The unit of work is still open: FastAPI closes what has scope="function" when this function is done.
            if keep_answer := getattr(request.state, "keep_answer", None):
                await keep_answer(response)
            return response

        return handle_and_keep


async def _receive(request: Request) -> None:
    """Read the body while it is whole: the request keeps it, a form that was parsed first would not."""
    try:
        await request.body()
    except ClientDisconnect as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The body breaks off") from error


async def _fingerprint(request: Request) -> bytes:
    asked = json.dumps([request.method, request.url.path, request.url.query])
    return hashlib.sha256(asked.encode() + await request.body()).digest()
