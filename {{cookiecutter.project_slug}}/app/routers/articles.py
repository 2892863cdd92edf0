from fastapi import Request, Response, status
from sqlalchemy import bindparam

from app.auth.dependencies import Caller, OptionalCaller, WorkspaceUow, Writer
from app.dependencies import Expected, Id, Reads
from app.errors import Conflict, Forbidden, Invalid, NotFound, Stale, Unauthenticated
from app.headers import announced, conditional
from app.idempotency import IdempotentRoute, Once
from app.models.article import Article
from app.problems import documented
from app.repositories.articles import VISIBLE
from app.resources.collection import Collection
from app.routing import Router
from app.schemas.article import ArticleCreate, ArticleRead, ArticleUpdate
from app.schemas.base import OneOrMany, as_list
from app.services.articles import ArticleService

router = Router(prefix="/articles", tags=["articles"], route_class=IdempotentRoute)
articles = Collection(Article, ArticleRead)

_NAMED = VISIBLE.where(Article.id == bindparam("article_id"))


@router.get(
    "",
    response_model=articles.many,
    responses=conditional("Link", "X-Total-Count") | documented(Unauthenticated, Invalid),
    openapi_extra=articles.list_parameters,
)
async def list_articles(request: Request, reader: Reads, caller: OptionalCaller) -> Response:
    """Published articles, and the drafts of your workspace."""
    return await articles.page(request, reader.unscoped(), VISIBLE, workspace_id=_workspace_of(caller))


@router.get(
    "/{article_id}",
    response_model=articles.one,
    responses=conditional() | documented(Unauthenticated, NotFound, Invalid),
    openapi_extra=articles.item_parameters,
)
async def read_article(article_id: Id, request: Request, reader: Reads, caller: OptionalCaller) -> Response:
    """One article: published, or of your workspace."""
    values = {"workspace_id": _workspace_of(caller), "article_id": article_id}
    return await articles.item(request, reader.unscoped(), _NAMED, **values)


@router.post(
    "",
    response_model=articles.made,
    status_code=status.HTTP_201_CREATED,
    responses=announced(201, "ETag", "Location") | documented(Unauthenticated, Forbidden, Conflict, Invalid),
)
async def create_article(data: OneOrMany[ArticleCreate], author: Writer, uow: WorkspaceUow, _once: Once) -> Response:
    """Write an article, or several at once: all of them, or none. It is a draft until it is published."""
    made = await ArticleService(uow).create(as_list(data), author)
    return await articles.created(uow, made, data)


@router.patch(
    "/{article_id}",
    response_model=ArticleRead,
    responses=announced(200, "ETag") | documented(Unauthenticated, Forbidden, NotFound, Conflict, Stale, Invalid),
)
async def update_article(
    article_id: Id, data: ArticleUpdate, editor: Writer, uow: WorkspaceUow, expected: Expected
) -> Response:
    """Change what is sent, leave the rest. For the author, and for admins of the workspace."""
    article = await ArticleService(uow).update(article_id, data, editor, expected)
    return await articles.updated(uow, article)


@router.delete(
    "/{article_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=documented(Unauthenticated, Forbidden, NotFound, Conflict, Stale, Invalid),
)
async def delete_article(article_id: Id, editor: Writer, uow: WorkspaceUow, expected: Expected) -> None:
    """Delete an article. For the author, and for admins of the workspace."""
    await ArticleService(uow).delete(article_id, editor, expected)


def _workspace_of(caller: Caller | None) -> int | None:
    return caller.workspace_id if caller else None
