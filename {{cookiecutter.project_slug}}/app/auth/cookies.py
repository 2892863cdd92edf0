"""How tokens travel in a browser: in cookies that no script can read."""

from typing import Annotated, Final

from fastapi import Depends, Request, Response

from app.config import Settings
from app.dependencies import AppSettings
from app.services.sessions import Tokens

ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"
_HOST: Final = "__Host-"


class TokenCookies:
    """The tokens that the request brought, and those that the answer takes along.

    Over https their names begin with `__Host-`: the browser then takes them from this host only, so that no
    subdomain can foist its own upon us (RFC 6265bis, section 4.1.3).
    """

    def __init__(self, request: Request, response: Response, settings: Settings) -> None:
        self._response = response
        self._settings = settings
        self._prefix = _prefix(request, settings)
        self.access = access_cookie(request, settings)
        self.refresh = request.cookies.get(self._prefix + REFRESH)

    def put(self, tokens: Tokens) -> None:
        """Have the browser keep these, each for as long as it is good for."""
        self._set(ACCESS, tokens.access, self._settings.access_token_expire_minutes * 60)
        self._set(REFRESH, tokens.refresh, self._settings.session_idle_days * 24 * 60 * 60)

    def clear(self) -> None:
        """Have the browser forget them."""
        for name in (ACCESS, REFRESH):
            self._set(name, "", 0)

    def _set(self, name: str, value: str, max_age: int) -> None:
        self._response.set_cookie(
            self._prefix + name,
            value,
            max_age=max_age,
            path="/",
            secure=bool(self._prefix),
            httponly=True,
            samesite="lax",
        )


def access_cookie(request: Request, settings: Settings) -> str | None:
    """The access token that a browser sent along."""
    return request.cookies.get(_prefix(request, settings) + ACCESS)


def _prefix(request: Request, settings: Settings) -> str:
    return _HOST if settings.environment != "development" or request.url.scheme == "https" else ""


async def get_token_cookies(request: Request, response: Response, settings: AppSettings) -> TokenCookies:
    """The tokens that the browser sent along, and a way to send it others."""
    return TokenCookies(request, response, settings)


Cookies = Annotated[TokenCookies, Depends(get_token_cookies)]
