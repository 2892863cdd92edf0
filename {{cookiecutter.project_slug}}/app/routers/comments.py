from fastapi import Response, status
from sqlalchemy import select

from app.auth.dependencies import WorkspaceUow, Writer
from app.dependencies import Id
from app.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from app.headers import announced
from app.idempotency import IdempotentRoute, Once
from app.models.article import Article
from app.models.comment import Comment
from app.problems import documented
from app.repositories.base import Repository
from app.resources.collection import Collection
from app.resources.overrides import overrides
from app.routing import Router
from app.schemas.base import OneOrMany, as_list
from app.schemas.comment import CommentCreate

router = Router(tags=["comments"], route_class=IdempotentRoute)
comments = Collection(Comment)


@overrides
@router.post(
    "/articles/{article_id}/comments",
    response_model=comments.made,
    status_code=status.HTTP_201_CREATED,
    responses=announced(201, "ETag", "Location") | documented(Unauthenticated, Forbidden, NotFound, Conflict, Invalid),
)
async def create_comment(
    article_id: Id, data: OneOrMany[CommentCreate], author: Writer, uow: WorkspaceUow, _once: Once
) -> Response:
    """Comment on an article, or several times at once: all of them, or none. A draft takes no comments."""
    article = await Repository(Article, uow.session).one_or_none(
        # Nobody makes a draft of it meanwhile.
        select(Article).where(Article.id == article_id).with_for_update(read=True)
    )
    if article is None:
        raise NotFound("Article")
    if not article.published:
        raise Conflict("A draft takes no comments: publish the article first")
    written = [Comment(**one.sent(), article_id=article.id, author_id=author.user.id) for one in as_list(data)]
    return await comments.created(uow, await Repository(Comment, uow.session).add_all(written), data)
