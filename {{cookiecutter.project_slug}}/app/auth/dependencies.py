"""Who is calling."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from app.auth.tokens import read_access_token
from app.dependencies import AppSettings, Reads
from app.errors import Unauthenticated
from app.models.user import User
from app.repositories import users

# auto_error is off because the answer to a missing token is ours, and because some routes do without.
_bearer = OAuth2PasswordBearer(tokenUrl="auth/login", auto_error=False)


async def get_optional_user(
    token: Annotated[str | None, Depends(_bearer)], settings: AppSettings, reader: Reads
) -> User | None:
    """The caller, or nobody when there is no token. A token that is not valid is an error all the same."""
    if token is None:
        return None
    user = await reader.one_or_none(users.with_id(read_access_token(token, settings)))
    if user is None:
        raise Unauthenticated("The token is not valid")
    return user


OptionalUser = Annotated[User | None, Depends(get_optional_user)]


async def get_current_user(user: OptionalUser) -> User:
    """The caller."""
    if user is None:
        raise Unauthenticated
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]
