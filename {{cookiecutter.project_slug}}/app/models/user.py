from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, String, false, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Timestamped
from app.models.resource import Access, Resource

if TYPE_CHECKING:
    from app.models.article import Article


class User(Timestamped, Base):
    """Somebody with an account. E-mail and user name are unique without regard to case."""

    __tablename__ = "users"
    # What others see of somebody who has written something.
    __resource__ = Resource(name="Author", routes=False, read=Access.anyone, fields=("id", "username"))

    email: Mapped[str] = mapped_column(String(255))
    username: Mapped[str] = mapped_column(String(50))
    hashed_password: Mapped[str] = mapped_column(String(255))
    email_verified_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    is_superuser: Mapped[bool] = mapped_column(server_default=false())
    active_workspace_id: Mapped[int | None] = mapped_column(BigInteger, index=True)

    # passive_deletes: the database deletes the articles, one statement for all of them.
    articles: Mapped[list["Article"]] = relationship(
        back_populates="author", lazy="raise", cascade="all, delete-orphan", passive_deletes=True
    )

    __table_args__ = (
        Index("uq_users_email", func.lower(email), unique=True),
        Index("uq_users_username", func.lower(username), unique=True),
        Index(None, "created_at", "id"),
        # The active workspace is one that the user is a member of: a membership that ends takes this along.
        ForeignKeyConstraint(
            ["active_workspace_id", "id"],
            ["memberships.workspace_id", "memberships.user_id"],
            ondelete="SET NULL (active_workspace_id)",
            use_alter=True,  # the tables refer to each other
        ),
    )
