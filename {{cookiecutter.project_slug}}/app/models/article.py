from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Timestamped, WorkspaceScoped
from app.models.resource import Access, Resource

if TYPE_CHECKING:
    from app.models.user import User


class Article(WorkspaceScoped, Timestamped, Base):
    """Something written. Until it is published it is a draft, for its workspace alone."""

    __tablename__ = "articles"
    __resource__ = Resource(
        routes=False,
        read=Access.anyone,
        owner="author_id",
        searchable=("title", "content"),
    )

    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(server_default=false())
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)

    author: Mapped["User"] = relationship(back_populates="articles", lazy="raise")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        # Newest first, in the order in which they are listed: for everybody, with drafts and without.
        Index("ix_articles_newest", text("created_at DESC"), text("id DESC")),
        # And those of one workspace: among everybody's they may be far down.
        Index(None, "workspace_id", "created_at", "id"),
    )
