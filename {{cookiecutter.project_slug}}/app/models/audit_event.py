from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class AuditEvent(Base):
    """Something that happened to somebody's security. Rows are added and never changed: a trigger sees to it.

    No foreign keys: what happened outlives those whom it happened to.
    """

    __tablename__ = "audit_events"

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    action: Mapped[str] = mapped_column(String(50))
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    workspace_id: Mapped[int | None] = mapped_column(BigInteger)
    address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))

    # Newest first, of everybody and of whatever is asked for: who has not done anything lately is far down.
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "action", "created_at", "id"),
        Index(None, "actor_id", "created_at", "id"),
        Index(None, "workspace_id", "created_at", "id"),
    )
