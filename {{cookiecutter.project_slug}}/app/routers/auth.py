from typing import Annotated

from fastapi import APIRouter, Depends, Response, status
from fastapi.security import OAuth2PasswordRequestForm

from app.auth.tokens import create_access_token
from app.dependencies import AppSettings, Reads, Uow
from app.errors import Conflict, Invalid, Unauthenticated
from app.models.user import User
from app.problems import documented
from app.schemas.token import TokenRead
from app.schemas.user import UserCreate, UserRead
from app.services.accounts import AccountService

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/register",
    response_model=UserRead,
    status_code=status.HTTP_201_CREATED,
    responses=documented(Conflict, Invalid),
)
async def register(data: UserCreate, uow: Uow, reader: Reads, response: Response) -> User:
    """Make an account."""
    response.headers["Location"] = "/users/me"
    return await AccountService(uow, reader).register(data)


@router.post("/login", responses=documented(Unauthenticated, Invalid))
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    uow: Uow,
    reader: Reads,
    settings: AppSettings,
    response: Response,
) -> TokenRead:
    """Get an access token. `username` is the user name or the e-mail (OAuth 2 calls it so: RFC 6749, section 4.3)."""
    user = await AccountService(uow, reader).log_in(form.username, form.password)
    response.headers["Cache-Control"] = "no-store"  # demanded by RFC 6749, section 5.1
    return TokenRead(
        access_token=create_access_token(user.id, settings), expires_in=settings.access_token_expire_minutes * 60
    )
