"""Queries for articles. Each is a select to build on: filter it further, sort it, page through it."""

from sqlalchemy import Select, or_, select

from app.models.article import Article


def visible_to(user_id: int | None) -> Select[Article]:
    """Everything that is published, and the drafts of the user, where there is one."""
    if user_id is None:
        return select(Article).where(Article.published)
    return select(Article).where(or_(Article.published, Article.author_id == user_id))
