from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class AuditEvent(Base):
    """Something that happened to somebody's security. Rows are added and never changed: a trigger sees to it.

    No foreign keys: what happened outlives those whom it happened to.
    """

    __tablename__ = "audit_events"

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    action: Mapped[str] = mapped_column(String(50), index=True)
    actor_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    workspace_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
