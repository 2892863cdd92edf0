from typing import Annotated

from fastapi import Depends, Form, Response, status
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordRequestForm

from app.auth.cookies import Cookies
from app.auth.dependencies import BearerToken
from app.dependencies import Accounts, AppSettings, ClientThrottle, Sessions
from app.errors import Conflict, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.headers import announced
from app.models.user import User
from app.problems import documented
from app.routing import Router
from app.schemas.account import Notice
from app.schemas.token import RefreshForm, TokenRead
from app.schemas.user import UserCreate, UserRead
from app.services.sessions import Tokens

router = Router(prefix="/auth", tags=["auth"])


@router.post(
    "/register",
    response_model=UserRead,
    status_code=status.HTTP_201_CREATED,
    responses={
        status.HTTP_202_ACCEPTED: {"model": Notice, "description": "The same, where only a mail tells what came of it"},
        **announced(201, "Location"),
        **documented(Conflict, Forbidden, Invalid, TooManyRequests),
    },
)
async def register(
    data: UserCreate, throttle: ClientThrottle, accounts: Accounts, response: Response
) -> User | JSONResponse:
    """Make an account. A mail asks to verify the address.

    The application is configured to answer either 201 or 202. With 202, nothing tells whether the address had an
    account before, and logging in takes a verified address.
    """
    await throttle.register()
    user = await accounts.register(data)
    if user is None:
        notice = Notice(detail="A mail to this address says how to go on")
        return JSONResponse(notice.model_dump(), status.HTTP_202_ACCEPTED)
    response.headers["Location"] = "/users/me"
    return user


@router.post(
    "/login",
    response_model_exclude_none=True,
    responses=documented(Unauthenticated, Forbidden, Invalid, TooManyRequests),
)
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    throttle: ClientThrottle,
    accounts: Accounts,
    sessions: Sessions,
    settings: AppSettings,
    cookies: Cookies,
    response: Response,
) -> TokenRead:
    """Open a session. `username` is the user name or the e-mail (OAuth 2 calls it so: RFC 6749, section 4.3).

    Access and refresh token are set as cookies. With the scope `offline_access` both are in the answer instead.
    """
    await throttle.log_in(form.username)
    user = await accounts.log_in(form.username, form.password)
    tokens = await sessions.open(user)
    if "offline_access" in form.scopes:
        return _answer(tokens, settings, response, with_refresh_token=True)
    cookies.put(tokens)
    return _answer(tokens, settings, response)


@router.post(
    "/refresh",
    response_model_exclude_none=True,
    responses=documented(Unauthenticated, Forbidden, Invalid, TooManyRequests),
)
async def refresh(
    form: Annotated[RefreshForm, Form()],
    throttle: ClientThrottle,
    sessions: Sessions,
    settings: AppSettings,
    cookies: Cookies,
    response: Response,
) -> TokenRead:
    """Go on with a session. The refresh token comes from the form or from the cookie.

    Each is good for one use, and the next one comes the way that this one came. Using one twice ends the session.
    """
    await throttle.refresh()
    if form.refresh_token:
        tokens = await sessions.refresh(form.refresh_token)
        return _answer(tokens, settings, response, with_refresh_token=True)
    if not cookies.refresh:
        raise Unauthenticated
    tokens = await sessions.refresh(cookies.refresh)
    cookies.put(tokens)
    return _answer(tokens, settings, response)


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT, responses=documented(Forbidden, Invalid))
async def log_out(
    sessions: Sessions,
    cookies: Cookies,
    bearer: BearerToken,
    refresh_token: Annotated[str | None, Form(description="Without cookies")] = None,
) -> None:
    """End the session of the refresh token, or else the one that asks. If that is over already, all is well."""
    if refresh_token or bearer:
        await sessions.log_out(None if refresh_token else bearer, refresh_token)
        return
    await sessions.log_out(cookies.access, cookies.refresh)
    cookies.clear()


def _answer(
    tokens: Tokens, settings: AppSettings, response: Response, *, with_refresh_token: bool = False
) -> TokenRead:
    response.headers["Cache-Control"] = "no-store"  # demanded by RFC 6749, section 5.1
    return TokenRead(
        access_token=tokens.access,
        expires_in=settings.access_token_expire_minutes * 60,
        refresh_token=tokens.refresh if with_refresh_token else None,
    )
