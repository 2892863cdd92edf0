"""How tokens travel in a browser: in cookies that no script can read."""

from typing import Annotated, Final

from fastapi import Depends, Request, Response

from app.config import Settings
from app.dependencies import AppSettings
from app.services.sessions import Tokens

ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"


class TokenCookies:
    """The tokens that the request brought, and those that the answer takes along.

    Over https their names begin with `__Host-`: the browser then takes them from this host only, so that no
    subdomain can foist its own upon us (RFC 6265bis, section 4.1.3).
    """

    def __init__(self, request: Request, response: Response, settings: Settings) -> None:
        self._response = response
        self._settings = settings
        self._secure = settings.environment != "development" or request.url.scheme == "https"
        self.access = request.cookies.get(self._name(ACCESS))
        self.refresh = request.cookies.get(self._name(REFRESH))

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
            self._name(name), value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self._secure else name


async def get_token_cookies(request: Request, response: Response, settings: AppSettings) -> TokenCookies:
    """The tokens that the browser sent along, and a way to send it others."""
    return TokenCookies(request, response, settings)


Cookies = Annotated[TokenCookies, Depends(get_token_cookies)]
