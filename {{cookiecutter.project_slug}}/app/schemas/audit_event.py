from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field

from app.schemas.base import Output
from app.schemas.page import PageQuery, SortBy

Key = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # in the first hours of the year 1 or the last of 9999, elsewhere
        raise ValueError("is out of range") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class AuditEventRead(Output):
    """Who did what, from where and when. `actor_id` is null for somebody unknown, and at the server's command line."""

    id: int
    created_at: datetime
    action: str
    actor_id: int | None
    workspace_id: int | None
    address: str | None
    user_agent: str | None
    request_id: str | None
    details: dict[str, Any]


class AuditEventQuery(PageQuery):
    """Which events. `since` belongs to the time that is asked for, `until` does not."""

    action: Annotated[str | None, Field(min_length=1, max_length=50)] = None
    actor_id: Key | None = None
    workspace_id: Key | None = None
    since: Moment | None = None
    until: Moment | None = None
    sort: Annotated[str, SortBy("created_at", "id")] = "-created_at"
