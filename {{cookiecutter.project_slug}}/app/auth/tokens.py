"""Access tokens: the only module that knows JWT (RFC 7519; checked as RFC 8725 advises)."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

from app.config import Settings
from app.errors import Unauthenticated

_TYPE: Final = "access"
# python-jose accepts a token without these unless it is told to require them.
_REQUIRED: Final = {f"require_{claim}": True for claim in ("exp", "iat", "aud", "iss", "sub", "jti")}
_MAX_ID: Final = 2**63 - 1
_MOST_KEPT: Final = 4_096  # of tokens that were verified: half a kilobyte each


@dataclass(frozen=True)
class AccessToken:
    """What a valid token says."""

    user_id: int
    session_id: int


def create_access_token(user_id: int, session_id: int, settings: Settings) -> str:
    """A token that says "this is user `user_id` in session `session_id`" until it expires, as the settings decide."""
    from jose import jwt  # noqa: PLC0415  # it takes a while to import, and a start need not wait for it

    now = datetime.now(UTC)
    claims = {
        "iss": settings.app_name,
        "aud": settings.app_name,
        "sub": str(user_id),
        "sid": session_id,
        "iat": now,
        "exp": now + timedelta(minutes=settings.access_token_expire_minutes),
        "jti": uuid4().hex,
        "type": _TYPE,
    }
    return str(jwt.encode(claims, settings.secret_key.get_secret_value(), algorithm=settings.algorithm))


def read_access_token(token: str, settings: Settings) -> AccessToken:
    """What the token says. Whether the session still lives is for the database to say.

    Raises `Unauthenticated` for every token that we have not made for this purpose, or that has expired.
    """
    said, expires = _verified(token, settings.secret_key.get_secret_value(), settings.algorithm, settings.app_name)
    if expires <= time.time():
        raise Unauthenticated("The token is not valid")
    return said


@lru_cache(maxsize=_MOST_KEPT)
def _verified(token: str, key: str, algorithm: str, name: str) -> tuple[AccessToken, int]:
    """What a token says and when it expires. One that was verified once is so until then, so it is remembered."""
    from jose import JOSEError, jwt  # noqa: PLC0415  # as above

    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[algorithm], audience=name, issuer=name, options=_REQUIRED
        )
        said = AccessToken(user_id=int(claims["sub"]), session_id=int(claims["sid"]))
        expires = int(claims["exp"])
    # Beside its own errors the library lets these through for tokens that are garbage.
    except (JOSEError, KeyError, ValueError, AttributeError, OverflowError, TypeError, RecursionError) as error:
        raise Unauthenticated("The token is not valid") from error
    if claims.get("type") != _TYPE or not 0 < said.user_id <= _MAX_ID or not 0 < said.session_id <= _MAX_ID:
        raise Unauthenticated("The token is not valid")
    return said, expires
