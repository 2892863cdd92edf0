"""POSTs that a client may send again, because it did not hear the answer: done once, answered alike each time.

`APIRouter(route_class=IdempotentRoute)` is all that a router needs; draft-ietf-httpapi-idempotency-key-header says what
clients do. The key is claimed and the answer is kept in the request's own transaction: both are there exactly if what
was done is. An error leaves the key free. A key that another request holds is waited for, and its answer given.
"""

import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.auth.dependencies import OptionalCaller
from app.database import UnitOfWork
from app.dependencies import Uow
from app.errors import Invalid
from app.models.idempotency_key import IdempotencyKey
from app.repositories.base import Repository
from app.repositories.idempotency import claim

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


async def find_answer(request: Request, caller: OptionalCaller, uow: Uow, key: Key = None) -> Response | None:
    """The answer that this very request had before. If there is none, the key is this request's from now on.

    A key is somebody's: without a caller there is none. Raises `Invalid` when he has used it for something else.
    """
    if key is None or caller is None:
        return None
    fingerprint = await _fingerprint(request)
    kept = (await uow.session.scalars(claim(caller.user.id, key, fingerprint))).one()
    if kept.status is None:
        request.state.keep_answer = partial(_keep, uow, kept, fingerprint)
        return None
    if kept.fingerprint != fingerprint:
        raise Invalid(f"This {HEADER} was used for another request; choose a new one")
    return Response(kept.body, kept.status, headers={**(kept.headers or {}), "Idempotency-Replayed": "true"})


async def _keep(uow: UnitOfWork, claimed: IdempotencyKey, fingerprint: bytes, response: Response) -> None:
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    answer = {"status": response.status_code, "headers": headers, "body": bytes(response.body)}
    await Repository(IdempotencyKey, uow.session).update(claimed, {"fingerprint": fingerprint, **answer})


class IdempotentRoute(APIRoute):
    """A route whose POST takes the header `Idempotency-Key` from everybody who is logged in. It answers no stream."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            endpoint = _answered_once(endpoint)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            if HEADER in request.headers:
                await _receive(request)
            response = await handle(request)
            # The unit of work is still open: FastAPI closes what has scope="function" when this function is done.
            if keep_answer := getattr(request.state, "keep_answer", None):
                await keep_answer(response)
            return response

        return handle_and_keep


def _answered_once(endpoint: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The endpoint, with a dependency behind its own: whoever may not do this is told so, also when it is done."""

    @wraps(endpoint)
    async def answer(earlier: Response | None, **values: Any) -> Any:
        return earlier or await endpoint(**values)

    signature = inspect.signature(endpoint)
    last = inspect.Parameter(
        "earlier", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Response | None, Depends(find_answer)]
    )
    # What FastAPI reads. The route is built anew, from its endpoint, wherever its router is included.
    answer.__signature__ = signature.replace(parameters=[*signature.parameters.values(), last])  # type: ignore[attr-defined]
    return answer


async def _receive(request: Request) -> None:
    """Read the body while it is whole: the request keeps it, a form that was parsed first would not."""
    try:
        await request.body()
    except ClientDisconnect as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The body breaks off") from error


async def _fingerprint(request: Request) -> bytes:
    asked = json.dumps([request.method, request.url.path, request.url.query])
    return hashlib.sha256(asked.encode() + await request.body()).digest()
