from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, String, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Declarative, Timestamped, WorkspaceScoped
from app.models.resource import Resource

if TYPE_CHECKING:
    from app.models.article import Article

# Both sides with the workspace, which is the same for both: no article has a tag of somebody else's.
article_tags = Table(
    "article_tags",
    Declarative.metadata,
    Column("workspace_id", BigInteger, primary_key=True),
    Column("article_id", BigInteger, primary_key=True),
    Column("tag_id", BigInteger, primary_key=True),
    ForeignKeyConstraint(["workspace_id", "article_id"], ["articles.workspace_id", "articles.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["workspace_id", "tag_id"], ["tags.workspace_id", "tags.id"], ondelete="CASCADE"),
    Index("ix_article_tags_tag_id", "workspace_id", "tag_id"),
)


class Tag(WorkspaceScoped, Timestamped, Base):
    """A word that articles are found by."""

    __tablename__ = "tags"
    __resource__ = Resource(searchable=("name",), sort="name")

    name: Mapped[str] = mapped_column(String(50))

    articles: Mapped[list["Article"]] = relationship(secondary=article_tags, lazy="raise", passive_deletes=True)

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "name"))
