from fastapi import APIRouter

from app.auth.dependencies import CurrentUser
from app.errors import Unauthenticated
from app.models.user import User
from app.problems import documented
from app.schemas.user import UserRead

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/me", response_model=UserRead, responses=documented(Unauthenticated))
async def read_me(user: CurrentUser) -> User:
    """Your account."""
    return user
