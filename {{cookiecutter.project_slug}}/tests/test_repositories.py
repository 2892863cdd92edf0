"""What every repository can do. What it is asked for by a wrong name it refuses, instead of doing it to every row."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import InvalidRequestError, StatementError
from sqlalchemy.orm import selectinload

from app.database.database import Database
from app.models.article import Article
from app.models.user import User
from app.repositories.base import Repository, ordering, read_page
from app.schemas.page import PageQuery
from tests.people import HASH, People

Ask = Callable[[], Any]
# Each names a column that is not there.
MISSPELT: dict[str, Ask] = {
    "attribute": lambda: select(Article).where(Article.titel == "T"),  # type: ignore[attr-defined]  # the test
    "filter_by": lambda: select(Article).filter_by(titel="T"),
    "delete": lambda: delete(Article).filter_by(titel="T"),
    "constructor": lambda: Article(titel="T"),
    "sort": lambda: ordering(Article, "titel"),
}


class TestGet:
    async def test_is_the_row_or_none(self, database: Database, people: People) -> None:
        ada = await people.join()
        async with database.unit_of_work() as uow:
            found = await Repository(User, uow.session).get(ada.user.id)
            assert found is not None
            assert found.username == ada.user.username
            assert await Repository(User, uow.session).get(2**62) is None

    async def test_keeps_to_the_workspace(self, database: Database, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        async with database.unit_of_work() as uow:
            articles = Repository(Article, uow.session)
            with pytest.raises(StatementError, match="bound to no workspace"):
                await articles.get(article.id)
            uow.enter(bob.workspace_id)
            assert await articles.get(article.id) is None
            uow.enter(ada.workspace_id)
            assert await articles.get(article.id, for_update=True) is not None

    async def test_takes_every_part_of_a_key(self, database: Database) -> None:
        async with database.unit_of_work() as uow:
            with pytest.raises(ValueError, match="zip"):
                await Repository(User, uow.session).get((1, 2))


class TestMisspelt:
    @pytest.mark.parametrize("ask", MISSPELT.values(), ids=MISSPELT.keys())
    def test_a_name_is_refused_before_anything_is_asked(self, ask: Ask) -> None:
        with pytest.raises((AttributeError, InvalidRequestError, TypeError, KeyError), match="titel"):
            ask()

    async def test_an_update_changes_nothing(self, database: Database, people: People) -> None:
        ada = await people.join()
        async with database.unit_of_work() as uow:
            stored = await uow.session.get_one(User, ada.user.id)
            with pytest.raises(AttributeError, match="'emial'"):
                await Repository(User, uow.session).update(stored, {"emial": "x@example.com"})

    async def test_only_the_row_itself_is_deleted(self, database: Database, people: People) -> None:
        ada = await people.join()
        mine, other = await people.write(ada), await people.write(ada)
        async with database.unit_of_work() as uow:
            uow.enter(ada.workspace_id)
            articles = Repository(Article, uow.session)
            found = await articles.get(mine.id)
            assert found is not None
            await articles.delete(found)
            with pytest.raises(InvalidRequestError):
                await articles.delete(Article(title="T", content="Of no row", author_id=ada.user.id))
        assert await database.reader().unscoped().all(select(Article.id)) == [other.id]


class TestEagerLoading:
    async def test_nothing_is_loaded_unasked(self, database: Database, people: People) -> None:
        ada = await people.join()
        async with database.unit_of_work() as uow:
            found = await Repository(User, uow.session).get(ada.user.id)
            with pytest.raises(InvalidRequestError, match="lazy='raise'"):
                found.articles  # type: ignore[union-attr]  # noqa: B018  # asking is the mistake

    @pytest.mark.parametrize("rows", [1, 5])
    async def test_what_a_statement_names_comes_along(
        self, database: Database, people: People, queries: list[str], rows: int
    ) -> None:
        for _ in range(rows):
            ada = await people.join()
            for _ in range(rows):
                await people.write(ada)
        queries.clear()
        statement = select(User).options(selectinload(User.articles)).order_by(User.id)
        users = await database.reader().unscoped().all(statement)
        assert [len(user.articles) for user in users] == [rows] * rows
        assert len(queries) == 2

    async def test_one_row_too(self, database: Database, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        async with database.unit_of_work() as uow:
            uow.enter(ada.workspace_id)
            statement = select(Article).where(Article.id == article.id).options(selectinload(Article.author))
            found = await Repository(Article, uow.session).one_or_none(statement)
            assert found is not None
            assert found.author.id == ada.user.id


async def test_pages_follow_each_other(database: Database) -> None:
    names = ["ada", "bob", "eve"]
    async with database.unit_of_work() as uow:
        users = [User(email=f"{name}@example.com", username=name, hashed_password=HASH) for name in names]
        await Repository(User, uow.session).add_all(users)
    first = await read_page(database.reader(), select(User), User, PageQuery(limit=2, sort="-id"))
    assert ([user.username for user in first.items], first.has_more) == (["eve", "bob"], True)
    last = await read_page(database.reader(), select(User), User, PageQuery(limit=2, skip=2, sort="-id"))
    assert ([user.username for user in last.items], last.has_more) == (["ada"], False)
