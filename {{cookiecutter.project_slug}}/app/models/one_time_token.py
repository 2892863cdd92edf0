from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum


class Purpose(StrEnum):
    """What a one-time token is good for, and for nothing else."""

    verify_email = "verify_email"
    change_email = "change_email"
    reset_password = "reset_password"  # noqa: S105  # a purpose, not a password


class OneTimeToken(Base):
    """A token that was sent by mail. There is one for each purpose: the next replaces it."""

    __tablename__ = "one_time_tokens"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[Purpose] = mapped_column(text_enum(Purpose, "purpose"))
    email: Mapped[str] = mapped_column(String(255))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("user_id", "purpose"),)
