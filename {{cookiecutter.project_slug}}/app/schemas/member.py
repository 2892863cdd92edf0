from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.roles import Role
from app.schemas.base import NOT_SENT, Input, Output, Patch
from app.schemas.page import PageQuery, SortBy


class MemberRead(Output):
    """Somebody in a workspace."""

    user_id: int
    username: str
    role: Role
    joined_at: datetime


class MemberUpdate(Patch):
    role: Role = NOT_SENT


class OwnershipTransfer(Input):
    """Who is to be owner: a member."""

    user_id: Annotated[int, Field(ge=1, le=2**63 - 1)]


class MemberQuery(PageQuery):
    """Which members, in which order."""

    sort: Annotated[str, SortBy("joined_at", "username")] = "joined_at"
