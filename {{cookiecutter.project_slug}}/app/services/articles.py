from app.database import UnitOfWork
from app.errors import Forbidden, NotFound
from app.models.article import Article
from app.models.user import User
from app.repositories.articles import visible_to
from app.repositories.base import Repository
from app.schemas.article import ArticleCreate, ArticleUpdate


class ArticleService:
    """Writing articles."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._articles = Repository(Article, uow.session)

    async def create(self, data: ArticleCreate, author: User) -> Article:
        return await self._articles.add(Article(**data.model_dump(), author_id=author.id))

    async def update(self, article_id: int, data: ArticleUpdate, editor: User) -> Article:
        """Raises `NotFound`, or `Forbidden` for anybody but the author."""
        article = await self._editable(article_id, editor)
        return await self._articles.update(article, data.changes())

    async def delete(self, article_id: int, editor: User) -> None:
        """Raises `NotFound`, or `Forbidden` for anybody but the author."""
        await self._articles.delete(await self._editable(article_id, editor))

    async def _editable(self, article_id: int, editor: User) -> Article:
        """Locked, so that of two changes at once the second sees the first.

        Somebody else's draft is "not found": that it exists is already a secret.
        """
        statement = visible_to(editor.id).where(Article.id == article_id)
        article = await self._articles.one_or_none(statement, for_update=True)
        if article is None:
            raise NotFound("Article")
        if article.author_id != editor.id:
            raise Forbidden
        return article
