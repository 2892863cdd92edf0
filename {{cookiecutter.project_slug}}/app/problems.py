"""Every error leaves the application as problem+json (RFC 9457), and is made here."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app.errors import Contended, Error, Invalid, Unavailable

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
# A body may hold ten thousand unknown fields; the answer to it should not.
_MOST_ERRORS = 100


class FieldProblem(BaseModel):
    """What is wrong with one part of the request."""

    loc: list[str | int] = Field(description="Where it is: body, query, path or header, and the way from there")
    msg: str
    type: str


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for")
    request_id: str = Field(description="Name it when you report the error: the logs know it")
    # Without a default in the schema: it is left out, not null.
    errors: list[FieldProblem] | None = Field(default_factory=lambda: None, description="Only for 422")


class ProblemResponse(Response):
    """A problem on its way out."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        # ASCII, because a client's own broken text (a lone surrogate) may come back in a message.
        return json.dumps(content).encode("ascii")


def problem_response(
    request: Request,
    status: HTTPStatus | int,
    detail: str,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """The answer that tells a client what went wrong. `detail` is a sentence for people."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.state.request_id,
    }
    if errors is not None:
        content["errors"] = errors
    return ProblemResponse(content, status_code=int(status), headers=headers)


# In OpenAPI's words: of a `model` FastAPI makes a field for each error of each route. `app.contract` adds the schema.
_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
ANY_OTHER: Final[dict[int | str, dict[str, Any]]] = {"default": {"description": "Any other error", "content": _CONTENT}}


def documented(*errors: type[Error]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that raises these errors."""
    return {
        int(error.status): {"description": (error.__doc__ or "").splitlines()[0], "content": _CONTENT}
        for error in errors
    }


async def _answer_error(request: Request, error: Error) -> Response:
    field_errors = None
    if isinstance(error, Invalid) and error.field is not None:
        field_errors = [{"loc": ["body", error.field], "msg": error.detail, "type": "value_error"}]
    if isinstance(error, Contended):
        request.state.contended = True  # for `app.middleware.request_retries`, which may send the answer to another try
    elif isinstance(error, Unavailable):  # the client learns that it is so, the logs why
        cause = error.__cause__
        log.warning("unavailable", detail=error.detail, reason=str(getattr(cause, "orig", cause)))
    return problem_response(request, error.status, error.detail, errors=field_errors, headers=error.headers)


async def _answer_invalid_request(request: Request, error: RequestValidationError) -> Response:
    # Pydantic's `input` and `ctx` stay out: they would send a refused password back.
    errors = [_field_error(e) for e in error.errors()[:_MOST_ERRORS]]
    culprits = ", ".join(dict.fromkeys(".".join(str(part) for part in e["loc"]) for e in errors))
    return problem_response(
        request, HTTPStatus.UNPROCESSABLE_ENTITY, f"The request is not valid: {culprits}", errors=errors
    )


def _field_error(error: dict[str, Any]) -> dict[str, Any]:
    loc, msg = list(error["loc"]), error["msg"].removeprefix("Value error, ")
    if error["type"] == "json_invalid":  # FastAPI puts the position where others have the name of a field
        loc, msg = ["body"], f"This is not JSON: {error['ctx']['error']} at character {error['loc'][-1]}"
    return {"loc": loc, "msg": msg, "type": error["type"]}


async def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        known = ", ".join(_allowed_methods(request))
        headers["Allow"] = known or headers.get("Allow", "")  # what is mounted knows its own
    return problem_response(request, error.status_code, error.detail, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """The methods of every route with this path; Starlette's own answer knows only the first."""
    scope = dict(request.scope)
    methods = {
        method
        for method in ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")
        for route in request.app.routes
        if route.matches(scope | {"method": method})[0] is Match.FULL
    }
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def install(app: FastAPI) -> None:
    """Make the application answer every error as a problem. What nobody expected is answered by `RequestContext`."""
    # Starlette's type wants a handler of Exception; each of ours takes the errors it is registered for.
    app.add_exception_handler(Error, _answer_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _answer_http_exception)  # type: ignore[arg-type]
