from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.base import NOT_SENT, Output, Patch
from app.schemas.page import PageQuery, SortBy


class AdminUserRead(Output):
    """What an account shows to superusers."""

    id: int
    email: str
    username: str
    is_superuser: bool
    email_verified_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AdminUserUpdate(Patch):
    disabled: Annotated[bool, Field(description="`true` ends all sessions of the account")] = NOT_SENT


class AdminUserQuery(PageQuery):
    """Which accounts, in which order."""

    q: Annotated[
        str | None, Field(min_length=1, max_length=255, description="A part of the e-mail or of the user name")
    ] = None
    disabled: Annotated[bool | None, Field(description="Only disabled ones, or only the others")] = None
    sort: Annotated[str, SortBy("created_at", "username", "email", "id")] = "-created_at"
