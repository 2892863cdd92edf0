"""What can go wrong, in the words of the application.

Error:
├── Unauthenticated   nobody, or not who he says he is
├── Forbidden         known, but not allowed
├── NotFound          not there, or not for the caller's eyes
├── Conflict          the data as they are do not allow it
├── Stale             the data have changed since the client saw them
├── Invalid           the request makes no sense
├── TooManyRequests   more often than is allowed
└── Unavailable       not now; worth another try
    └── Contended     somebody else was at the same data, several times over

Raised where it is known; `app.problems` turns each into an HTTP answer, once.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class Error(Exception):
    """Base of everything that is answered with a sentence instead of "Internal Server Error"."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class Unauthenticated(Error):
    """Nobody is logged in, or the proof is not valid."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str = "Not authenticated") -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})  # demanded by RFC 9110, section 15.5.2


class Forbidden(Error):
    """The caller is known and may not do this."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self, detail: str = "Not authorized") -> None:
        super().__init__(detail)


class NotFound(Error):
    """There is no such thing, or the caller may not learn that there is."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Conflict(Error):
    """The request is fine, but not with the data as they are now."""

    status = HTTPStatus.CONFLICT


class Stale(Error):
    """The data have changed since the client saw them."""

    status = HTTPStatus.PRECONDITION_FAILED


class Invalid(Error):
    """The request is well-formed but makes no sense.

    `field` names the part of the body that is at fault, where there is one.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class TooManyRequests(Error):
    """The same was tried too often; `retry_after` is in seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts; try again in {retry_after} s", {"Retry-After": str(retry_after)})


class Unavailable(Error):
    """Something that the application needs does not answer; the same request may succeed in a moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": "1"})


class Contended(Unavailable):
    """PostgreSQL gave this work up in favour of somebody else's; done again, it comes off (`app.database.retries`)."""

    def __init__(self) -> None:
        super().__init__("Others change the same data at this moment")
