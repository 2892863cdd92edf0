from typing import Literal

from pydantic import BaseModel

from app.schemas.base import Output


class RefreshForm(BaseModel):
    """What a client without cookies sends to go on (RFC 6749, section 6). What else OAuth 2 has there is ignored."""

    refresh_token: str | None = None
    grant_type: Literal["refresh_token"] = "refresh_token"  # the kind of grant, not a token


class TokenRead(Output):
    """The answer to a login (RFC 6749, section 5.1). `expires_in` is in seconds.

    `refresh_token` is there if it was asked for with the scope `offline_access`; a browser has it in a cookie instead.
    """

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # the kind of token, not a token
    expires_in: int
    refresh_token: str | None = None
