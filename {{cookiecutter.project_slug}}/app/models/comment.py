from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Timestamped, WorkspaceScoped
from app.models.resource import Resource

if TYPE_CHECKING:
    from app.models.article import Article
    from app.models.user import User


class Comment(WorkspaceScoped, Timestamped, Base):
    """What somebody in the workspace has to say about an article."""

    __tablename__ = "comments"
    __resource__ = Resource(parent="article", owner="author_id", searchable=("content",))

    content: Mapped[str] = mapped_column(Text)
    article_id: Mapped[int] = mapped_column(BigInteger)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)

    article: Mapped["Article"] = relationship(lazy="raise")
    author: Mapped["User"] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        ForeignKeyConstraint(
            ["workspace_id", "article_id"], ["articles.workspace_id", "articles.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "article_id", "created_at", "id"),
    )
