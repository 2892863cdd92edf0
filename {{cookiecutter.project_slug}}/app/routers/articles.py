from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from app.auth.dependencies import Caller, OptionalCaller, WorkspaceUow, Writer
from app.dependencies import Id, Links, Reads
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated
from app.idempotency import IdempotentRoute, Once
from app.models.article import Article
from app.problems import documented
from app.repositories.articles import visible_to
from app.repositories.base import read_page
from app.schemas.article import ArticleCreate, ArticleQuery, ArticleRead, ArticleUpdate
from app.services.articles import ArticleService

router = APIRouter(prefix="/articles", tags=["articles"], route_class=IdempotentRoute)


@router.get("", response_model=list[ArticleRead], responses=documented(Unauthenticated, Invalid))
async def list_articles(
    query: Annotated[ArticleQuery, Query()], reader: Reads, caller: OptionalCaller, links: Links
) -> Sequence[Article]:
    """Published articles, and the drafts of your workspace."""
    statement = visible_to(_workspace_of(caller))
    if query.published is not None:
        statement = statement.where(Article.published.is_(query.published))
    page = await read_page(reader.unscoped(), statement, Article, query)
    links.announce(page, query)
    return page.items


@router.get("/{article_id}", response_model=ArticleRead, responses=documented(Unauthenticated, NotFound, Invalid))
async def read_article(article_id: Id, reader: Reads, caller: OptionalCaller) -> Article:
    """One article: published, or of your workspace."""
    statement = visible_to(_workspace_of(caller)).where(Article.id == article_id)
    article = await reader.unscoped().one_or_none(statement)
    if article is None:
        raise NotFound("Article")
    return article


@router.post(
    "",
    response_model=ArticleRead,
    status_code=status.HTTP_201_CREATED,
    responses=documented(Unauthenticated, Forbidden, Invalid),
)
async def create_article(
    data: ArticleCreate, author: Writer, uow: WorkspaceUow, response: Response, _once: Once
) -> Article:
    """Write an article. It is a draft until it is published."""
    article = await ArticleService(uow).create(data, author)
    response.headers["Location"] = f"/articles/{article.id}"
    return article


@router.patch(
    "/{article_id}",
    response_model=ArticleRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def update_article(article_id: Id, data: ArticleUpdate, editor: Writer, uow: WorkspaceUow) -> Article:
    """Change what is sent, leave the rest. For the author, and for admins of the workspace."""
    return await ArticleService(uow).update(article_id, data, editor)


@router.delete(
    "/{article_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def delete_article(article_id: Id, editor: Writer, uow: WorkspaceUow) -> None:
    """Delete an article. For the author, and for admins of the workspace."""
    await ArticleService(uow).delete(article_id, editor)


def _workspace_of(caller: Caller | None) -> int | None:
    return caller.user.active_workspace_id if caller else None
