from dataclasses import dataclass
from typing import Any, Final

from app.database.unit_of_work import UnitOfWork
from app.models.audit_event import AuditEvent
from app.repositories.base import Repository

MAX_USER_AGENT: Final = 400  # characters that are kept


@dataclass(frozen=True)
class Origin:
    """Where a request comes from. Of a longer user agent the beginning is enough."""

    address: str = ""
    user_agent: str = ""
    request_id: str = ""


class AuditLog:
    """Who did what, from where. An event is kept if what it tells of is: it is part of the same transaction."""

    def __init__(self, uow: UnitOfWork, origin: Origin) -> None:
        self._uow = uow
        self.origin = origin

    async def record(
        self, action: str, *, actor_id: int | None = None, workspace_id: int | None = None, **details: Any
    ) -> None:
        """Add an event. `details` are kept as JSON, for years: ids and roles, never secrets."""
        event = AuditEvent(
            action=action,
            actor_id=actor_id,
            workspace_id=workspace_id,
            address=self.origin.address or None,
            user_agent=self.origin.user_agent or None,
            request_id=self.origin.request_id or None,
            details=details,
        )
        await Repository(AuditEvent, self._uow.session).add(event)
