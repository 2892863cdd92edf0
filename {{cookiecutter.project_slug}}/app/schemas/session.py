from datetime import datetime
from typing import Annotated

from app.schemas.base import Output
from app.schemas.page import PageQuery, SortBy


class SessionRead(Output):
    """A login. `last_used_at` is when its tokens were last renewed; `current` is the one that asks."""

    id: int
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = False


class SessionQuery(PageQuery):
    """Which sessions, in which order."""

    sort: Annotated[str, SortBy("last_used_at", "created_at", "id")] = "-last_used_at"
