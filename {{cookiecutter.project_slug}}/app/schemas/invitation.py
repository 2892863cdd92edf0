from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.roles import Role
from app.schemas.base import Input, Output
from app.schemas.page import PageQuery, SortBy
from app.schemas.user import Email, Password, Username


class InvitationCreate(Input):
    """Who is invited, and what he will be."""

    email: Email
    role: Role


class InvitationAccept(Input):
    """The token from the mail; and for those who have no account yet, what it takes to make one."""

    token: str
    username: Annotated[Username | None, Field(description="Only without an account")] = None
    password: Annotated[Password | None, Field(description="Only without an account")] = None


class InvitationRead(Output):
    """An invitation that has not been accepted yet. It ends when whoever has sent it leaves."""

    id: int
    email: str
    role: Role
    invited_by_id: int
    created_at: datetime
    expires_at: datetime


class InvitationQuery(PageQuery):
    """Which invitations, in which order."""

    sort: Annotated[str, SortBy("created_at", "expires_at", "email", "id")] = "-created_at"
