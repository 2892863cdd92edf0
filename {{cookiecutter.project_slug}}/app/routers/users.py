from fastapi import status

from app.auth.cookies import Cookies
from app.auth.dependencies import CurrentUser
from app.dependencies import ClientThrottle, OwnAccount
from app.errors import Conflict, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.models.user import User
from app.problems import documented
from app.routing import Router
from app.schemas.account import AccountDeletion, PasswordChange
from app.schemas.user import UserRead, UserUpdate

router = Router(prefix="/users", tags=["users"])


@router.get("/me", response_model=UserRead, responses=documented(Unauthenticated))
async def read_me(user: CurrentUser) -> User:
    """Your account."""
    return user


@router.patch(
    "/me", response_model=UserRead, responses=documented(Unauthenticated, Forbidden, Conflict, Invalid, TooManyRequests)
)
async def update_me(data: UserUpdate, user: CurrentUser, throttle: ClientThrottle, account: OwnAccount) -> User:
    """Change what is sent, leave the rest. A new e-mail takes the current password.

    It is not there at once: a mail to the new address has a token for `POST /auth/verify-email`, which changes it.
    """
    if data.current_password is not None:
        await throttle.prove(user.id)
    if data.email is not None:
        await throttle.mail_to(data.email)
    return await account.update(user, data)


@router.post(
    "/me/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, Invalid, TooManyRequests),
)
async def change_password(
    data: PasswordChange, user: CurrentUser, throttle: ClientThrottle, account: OwnAccount, cookies: Cookies
) -> None:
    """Set another password. You are logged out everywhere, here included, and a mail tells you of it."""
    await throttle.prove(user.id)
    await account.change_password(user, data.current_password, data.new_password)
    cookies.clear()


@router.delete(
    "/me",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, Conflict, Invalid, TooManyRequests),
)
async def delete_me(
    data: AccountDeletion, user: CurrentUser, throttle: ClientThrottle, account: OwnAccount, cookies: Cookies
) -> None:
    """Delete your account, your articles, and the workspaces in which there is nobody but you.

    The last owner of a workspace with others in it hands over the ownership first.
    """
    await throttle.prove(user.id)
    await account.delete(user, data.password)
    cookies.clear()
