"""What requests and answers say in their headers, beside their bodies."""

import re
from typing import Any, Final

from starlette.types import Scope

_DESCRIBED: Final[dict[str, dict[str, Any]]] = {
    "ETag": {
        "description": "The version. Sent back as `If-None-Match`, what has not changed is not sent again; that of a "
        "row, sent back as `If-Match`, changes or deletes this version only",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'Where the list goes on, if it does: `<…>; rel="next"` (RFC 8288)',
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The path of what was made, if it is one",
        "schema": {"type": "string"},
    },
    "X-Total-Count": {
        "description": "How many there are in all, if `count` asks",
        "schema": {"type": "integer"},
    },
}


_CREDENTIALS: Final = {b"authorization", b"cookie"}
_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether a client has this version already, by what its `If-None-Match` names (RFC 9110, section 13.1.2).

    A proxy that compresses makes `W/"1"` of `"1"`, and of a weak tag's kind no cache minds.
    """
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in _ENTITY_TAG.findall(if_none_match)


def received(scope: Scope, name: bytes) -> str:
    """A header of the request, by its name in small letters; nothing where there is none. `Headers` takes four times
    as long, which tells where every request is asked.
    """
    for known, value in scope["headers"]:
        if known == name:
            return str(value, "latin-1")
    return ""


def described(*names: str) -> dict[str, Any]:
    """The headers, as OpenAPI has them."""
    return {name: _DESCRIBED[name] for name in names}


def conditional(*names: str) -> dict[int | str, dict[str, Any]]:
    """The same for a read that is not answered again with what the client knows, as 304 says."""
    unchanged = {"description": "As the client knows it: its `If-None-Match` names this version"}
    return {**announced(200, "ETag", *names), 304: {**unchanged, "headers": described("ETag")}}


def caching(scope: Scope) -> dict[str, str]:
    """Who may keep an answer that depends on who asks (RFC 9111): anybody, where nobody said who he is. And asks each
    time whether it is still true.
    """
    is_known = any(name in _CREDENTIALS for name, _ in scope["headers"])
    return {"Cache-Control": f"{'private' if is_known else 'public'}, no-cache", "Vary": "Authorization, Cookie"}


def announced(status: int, *names: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose answer may have these headers: `announced(200, "Link") | documented(…)`."""
    return {status: {"headers": described(*names)}}
