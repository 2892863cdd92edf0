"""What somebody does with a Python client that he has generated: `python walk.py http://127.0.0.1:8000`.

`blog_client` is what openapi-python-client makes of openapi.yaml. Types and names are used as they come.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

from blog_client import AuthenticatedClient, Client
from blog_client.api.articles import create_article, delete_article, list_articles, read_article, update_article
from blog_client.api.auth import log_in, register
from blog_client.api.comments import create_comment, list_comments
from blog_client.api.tags import create_tag, link_tag_articles, list_tag_articles, list_tags
from blog_client.models.article_create import ArticleCreate
from blog_client.models.article_filter import ArticleFilter
from blog_client.models.article_part import ArticlePart
from blog_client.models.article_read import ArticleRead
from blog_client.models.article_update import ArticleUpdate
from blog_client.models.author_read import AuthorRead
from blog_client.models.body_log_in import BodyLogIn
from blog_client.models.comment_create import CommentCreate
from blog_client.models.comment_read import CommentRead
from blog_client.models.list_articles_count import ListArticlesCount
from blog_client.models.problem import Problem
from blog_client.models.tag_create import TagCreate
from blog_client.models.tag_read import TagRead
from blog_client.models.token_read import TokenRead
from blog_client.models.user_create import UserCreate
from blog_client.models.user_read import UserRead

T = TypeVar("T")
CONTENT = "Nobody has written this client."


def a(kind: type[T], answer: object) -> T:
    """The answer, which is of this type; where another is documented, too, this is how it is told apart."""
    assert isinstance(answer, kind), answer
    return answer


def some(kind: type[T], answer: object) -> list[T]:
    """The answer, which is an array of these."""
    return [a(kind, one) for one in a(list, answer)]


def enter(url: str) -> AuthenticatedClient:
    with Client(url) as nobody:
        ada = UserCreate(email="python@example.com", username="python", password="correct horse battery")  # noqa: S106
        assert a(UserRead, register.sync(client=nobody, body=ada)).username == "python"
        form = BodyLogIn(username=ada.username, password=ada.password)
        return AuthenticatedClient(url, token=a(TokenRead, log_in.sync(client=nobody, body=form)).access_token)


def write(me: AuthenticatedClient) -> ArticleRead:
    body = ArticleCreate(title="Generated in Python", content=CONTENT, published=True)
    article = a(ArticleRead, create_article.sync(client=me, body=body, idempotency_key="once"))
    again = a(ArticleRead, create_article.sync(client=me, body=body, idempotency_key="once"))
    assert again == article
    assert article.created_at.tzinfo is not None
    problem = a(Problem, create_article.sync(client=me, body=ArticleCreate(title="", content=CONTENT)))
    assert problem.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [one.loc for one in problem.errors or ()] == [["body", "title"]]
    return article


def find(me: AuthenticatedClient, article: ArticleRead) -> None:
    assert some(ArticleRead, list_articles.sync(client=me, title=article.title, published=True)) == [article]
    conditions = ArticleFilter(
        title_icontains="GENERATED",
        id_in=f"{article.id}",
        created_at_gt=datetime.now(UTC) - timedelta(hours=1),
    )
    assert some(ArticleRead, list_articles.sync(client=me, author_id=article.author_id, filter_=conditions)) == [
        article
    ]
    assert list_articles.sync(client=me, filter_=ArticleFilter(title_icontains="by hand")) == []
    counted = list_articles.sync_detailed(client=me, author_id=article.author_id, count=ListArticlesCount.EXACT)
    assert counted.headers["X-Total-Count"] == "1"
    (part,) = some(ArticlePart, list_articles.sync(client=me, q="nobody", fields="id,title", include="author"))
    assert (part.id, part.title) == (article.id, article.title)
    assert not part.content
    assert a(AuthorRead, part.author).username == "python"


def change(me: AuthenticatedClient, article: ArticleRead) -> None:
    read = read_article.sync_detailed(article.id, client=me)
    assert read.parsed == article
    body, version = ArticleUpdate(title="Regenerated"), read.headers["ETag"]
    changed = a(ArticleRead, update_article.sync(article.id, client=me, body=body, if_match=version))
    assert (changed.title, changed.content) == ("Regenerated", article.content)
    stale = update_article.sync(article.id, client=me, body=ArticleUpdate(published=False), if_match=version)
    assert a(Problem, stale).status == HTTPStatus.PRECONDITION_FAILED


def tag(me: AuthenticatedClient, article: ArticleRead) -> None:
    names = ["made", "of", "yaml"]
    tags = some(TagRead, create_tag.sync(client=me, body=[TagCreate(name) for name in names]))
    assert [one.name for one in tags] == names
    first = list_tags.sync_detailed(client=me, limit=2)
    following = re.search(r'cursor=([^&>]+).*rel="next"', first.headers["Link"])
    assert following
    second = list_tags.sync(client=me, limit=2, cursor=following[1])
    assert some(TagRead, first.parsed) + some(TagRead, second) == tags
    linked = link_tag_articles.sync_detailed(tags[0].id, article.id, client=me)
    assert linked.status_code == HTTPStatus.NO_CONTENT
    assert [one.id for one in some(ArticleRead, list_tag_articles.sync(tags[0].id, client=me))] == [article.id]
    assert list_tag_articles.sync(tags[1].id, client=me) == []


def comment(me: AuthenticatedClient, article: ArticleRead) -> None:
    said = a(CommentRead, create_comment.sync(article.id, client=me, body=CommentCreate("Well done")))
    assert (said.article_id, said.content) == (article.id, "Well done")
    assert some(CommentRead, list_comments.sync(article.id, client=me)) == [said]


def delete(me: AuthenticatedClient, article: ArticleRead) -> None:
    deleted = delete_article.sync_detailed(article.id, client=me)
    assert deleted.status_code == HTTPStatus.NO_CONTENT
    assert a(Problem, read_article.sync(article.id, client=me)).detail == "Article not found"


def main(url: str) -> None:
    with enter(url) as me:
        article = write(me)
        find(me, article)
        change(me, article)
        tag(me, article)
        comment(me, article)
        delete(me, article)


if __name__ == "__main__":
    main(sys.argv[1])
