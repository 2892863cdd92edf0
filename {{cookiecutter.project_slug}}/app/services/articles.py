from collections.abc import Sequence

from sqlalchemy import select

from app.auth.membership import Member
from app.database.unit_of_work import UnitOfWork
from app.errors import Forbidden, NotFound
from app.models.article import Article
from app.repositories.base import Repository, Versions
from app.roles import Role
from app.schemas.article import ArticleCreate, ArticleUpdate


class ArticleService:
    """Writing articles, in the workspace that the unit of work is bound to."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._articles = Repository(Article, uow.session)

    async def create(self, data: Sequence[ArticleCreate], author: Member) -> Sequence[Article]:
        return await self._articles.add_all([Article(**one.sent(), author_id=author.user.id) for one in data])

    async def update(self, article_id: int, data: ArticleUpdate, editor: Member, expected: Versions) -> Article:
        """Raises `NotFound`; `Forbidden` for anybody but the author and the workspace's admins; `Stale`."""
        article = await self._editable(article_id, editor, expected)
        return await self._articles.update(article, data.changes())

    async def delete(self, article_id: int, editor: Member, expected: Versions) -> None:
        """Raises `NotFound`; `Forbidden` for anybody but the author and the workspace's admins; `Stale`."""
        await self._articles.delete(await self._editable(article_id, editor, expected))

    async def _editable(self, article_id: int, editor: Member, expected: Versions) -> Article:
        """Locked, so that of two changes at once the second sees the first."""
        article = await self._articles.get(article_id, for_update=True)
        if article is None:
            await self._refuse_foreign(article_id)
            raise NotFound("Article")
        if article.author_id != editor.user.id and not editor.role.includes(Role.admin):
            raise Forbidden
        await self._articles.expect(article, expected)
        return article

    async def _refuse_foreign(self, article_id: int) -> None:
        """An article of another workspace that is published is no secret: it is forbidden, not missing."""
        published = select(Article).where(Article.id == article_id, Article.published)
        with self._uow.unscoped():
            if await self._articles.one_or_none(published) is not None:
                raise Forbidden
