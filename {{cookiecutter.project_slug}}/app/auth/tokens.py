"""Access tokens: the only module that knows JWT (RFC 7519; checked as RFC 8725 advises)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from jose import JOSEError, jwt

from app.config import Settings
from app.errors import Unauthenticated

_TYPE: Final = "access"
# python-jose accepts a token without these unless it is told to require them.
_REQUIRED: Final = {f"require_{claim}": True for claim in ("exp", "iat", "aud", "iss", "sub", "jti")}
_MAX_ID: Final = 2**63 - 1


@dataclass(frozen=True)
class AccessToken:
    """What a valid token says."""

    user_id: int
    session_id: int


def create_access_token(user_id: int, session_id: int, settings: Settings) -> str:
    """A token that says "this is user `user_id` in session `session_id`" until it expires, as the settings decide."""
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
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            settings.secret_key.get_secret_value(),
            algorithms=[settings.algorithm],
            audience=settings.app_name,
            issuer=settings.app_name,
            options=_REQUIRED,
        )
        said = AccessToken(user_id=int(claims["sub"]), session_id=int(claims["sid"]))
    # Beside its own errors the library lets these through for tokens that are garbage.
    except (JOSEError, KeyError, ValueError, AttributeError, OverflowError, TypeError, RecursionError) as error:
        raise Unauthenticated("The token is not valid") from error
    if claims.get("type") != _TYPE or not 0 < said.user_id <= _MAX_ID or not 0 < said.session_id <= _MAX_ID:
        raise Unauthenticated("The token is not valid")
    return said
