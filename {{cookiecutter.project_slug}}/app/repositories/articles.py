"""Queries for articles. Each is a select to build on: filter it further, sort it, page through it."""

from typing import Final

from sqlalchemy import Select, bindparam, or_, select

from app.models.article import Article

# Everything that is published, anywhere, and the drafts of the workspace, where there is one (else it is None). For
# unscoped reads: it says itself whose rows it shows. Built once, like every query that most requests ask.
VISIBLE: Final[Select[Article]] = select(Article).where(
    or_(Article.published, Article.workspace_id == bindparam("workspace_id"))
)
