from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Timestamped, text_enum
from app.roles import Role


class Workspace(Timestamped, Base):
    """A tenant: what people work on together, and nobody else sees."""

    __tablename__ = "workspaces"

    name: Mapped[str] = mapped_column(String(100))


class Membership(Timestamped, Base):
    """Somebody in a workspace, in a role."""

    __tablename__ = "memberships"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))

    __table_args__ = (
        UniqueConstraint("workspace_id", "user_id"),
        Index(None, "workspace_id", "created_at", "id"),
        Index("ix_memberships_owners", "workspace_id", postgresql_where=text("role = 'owner'")),
    )


class Invitation(Timestamped, Base):
    """An offer to join a workspace, sent to an address. Accepted or revoked, it is deleted."""

    __tablename__ = "invitations"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))
    invited_by_id: Mapped[int] = mapped_column(BigInteger)
    # Made when the mail is sent: until then there is nothing to accept.
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (
        Index("uq_invitations_email", workspace_id, func.lower(email), unique=True),
        # Whoever invites is a member of that very workspace. When he is not any more, the invitation goes with him.
        ForeignKeyConstraint(
            ["workspace_id", "invited_by_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            ondelete="CASCADE",
        ),
        Index(None, workspace_id, invited_by_id),
        Index(None, "workspace_id", "created_at", "id"),
    )
