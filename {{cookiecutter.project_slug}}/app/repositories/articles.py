"""Queries for articles. Each is a select to build on: filter it further, sort it, page through it."""

from sqlalchemy import Select, or_, select

from app.models.article import Article


def visible_to(workspace_id: int | None) -> Select[Article]:
    """Everything that is published, anywhere, and the drafts of the workspace, where there is one.

    For unscoped reads: it says itself whose rows it shows.
    """
    if workspace_id is None:
        return select(Article).where(Article.published)
    return select(Article).where(or_(Article.published, Article.workspace_id == workspace_id))
