"""Whose rows a session of the ORM sees, in every form in which it can ask."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    bindparam,
    delete,
    exists,
    func,
    insert,
    join,
    literal,
    select,
    tablesample,
    true,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.exc import InvalidRequestError, NoResultFound, StatementError
from sqlalchemy.orm import aliased, defer, joinedload, lazyload, selectinload, subqueryload

from app.config import ROOT
from app.database.database import Database
from app.database.prepared import Prepared
from app.database.tenancy import TenantError
from app.database.unit_of_work import UnitOfWork
from app.models.article import Article
from app.models.audit_event import AuditEvent
from app.models.session import UserSession
from app.models.user import User
from tests.tenancy.two import Two

NO_WORKSPACE = "The session is bound to no workspace"


A: Any = aliased(Article)

# Each asks in its own way for the users who have written something.
READS: dict[str, Any] = {
    "select": select(Article.author_id),
    "join": select(User.id).join(User.articles),
    "join on": select(User.id).join(Article, Article.author_id == User.id),
    "outer join": select(User.id).outerjoin(User.articles).where(Article.title.is_not(None)),
    "second from": select(User.id).where(Article.author_id == User.id),
    "exists": select(User.id).where(exists().where(Article.author_id == User.id)),
    "exists select": select(User.id).where(select(Article).where(Article.author_id == User.id).exists()),
    "any": select(User.id).where(User.articles.any()),
    "in": select(User.id).where(User.id.in_(select(Article.author_id))),
    "count": select(User.id).where(
        select(func.count()).select_from(Article).where(Article.author_id == User.id).scalar_subquery() > 0
    ),
    "subquery": select(select(Article.author_id).subquery().c.author_id),
    "subquery of a subquery": select(select(select(Article.author_id).subquery()).subquery().c.author_id),
    "cte": select(select(Article.author_id).cte().c.author_id),
    "lateral": select(User.id).join(select(Article.id).where(Article.author_id == User.id).lateral(), true()),
    "alias": select(A.author_id),
    "alias of a subquery": select(aliased(Article, select(Article).subquery()).author_id),
    "union": union(select(Article.author_id), select(Article.author_id)),
    "union in a subquery": select(union(select(Article.author_id), select(Article.author_id)).subquery().c.author_id),
    "group by": select(Article.author_id).group_by(Article.author_id).having(func.count() > 0),
    "for update": select(Article.author_id).with_for_update(),
}
WRITES: dict[str, Any] = {
    "update": update(Article).values(title="Changed").returning(Article.author_id),
    "update from": update(User).where(Article.author_id == User.id).values(disabled_at=None).returning(User.id),
    "update from an alias": update(User).where(A.author_id == User.id).values(disabled_at=None).returning(User.id),
    "update in": update(User).where(User.id.in_(select(Article.author_id))).values(disabled_at=None).returning(User.id),
    "update without the ORM": update(Article)
    .values(title="Changed")
    .returning(Article.author_id)
    .execution_options(dml_strategy="core_only"),
    "delete": delete(Article).returning(Article.author_id),
    "delete using": delete(UserSession).where(UserSession.user_id == Article.author_id).returning(UserSession.user_id),
    "insert from select": insert(AuditEvent)
    .from_select(["action", "actor_id"], select(literal("written"), Article.author_id))
    .returning(AuditEvent.actor_id),
}
FORMS = READS | WRITES


async def ask(uow: UnitOfWork, statement: Any) -> set[int]:
    return set(await uow.session.scalars(statement))


JOINED = join(User, Article, Article.author_id == User.id)
# In these SQLAlchemy finds no model to filter, at the top or below.
UNFILTERED: dict[str, Any] = {
    "join": select(func.count()).select_from(JOINED),
    "join of an alias": select(func.count()).select_from(join(User, A, A.author_id == User.id)),
    "tablesample": select(func.count()).select_from(tablesample(Article, 100)),
    "filter of a function": select(func.count().filter(Article.id > 0)),
    "window": select(func.count().over(order_by=Article.id)),
    "subquery": select(User.id).where(select(1).select_from(JOINED).exists()),
    "beside one that is filtered": select(Article.id).where(
        select(func.count()).select_from(JOINED).scalar_subquery() > 0
    ),
}


class TestStatements:
    @pytest.mark.parametrize("statement", UNFILTERED.values(), ids=UNFILTERED)
    async def test_what_would_not_be_filtered_is_refused(self, two: Two, database: Database, statement: Any) -> None:
        everybodys = await database.reader().unscoped().rows(statement)
        assert await database.reader().unscoped().fetch(Prepared(statement), {}) == [tuple(row) for row in everybodys]
        for reader in (database.reader(), database.reader().within(two.ada.workspace_id)):
            with pytest.raises((TenantError, StatementError), match=f"Nothing filters|{NO_WORKSPACE}"):
                await reader.rows(statement)
            with pytest.raises(TenantError, match="Nothing filters"):
                await reader.fetch(Prepared(statement), {})

    @pytest.mark.parametrize("statement", FORMS.values(), ids=FORMS.keys())
    async def test_without_a_workspace_it_fails(self, database: Database, statement: Any) -> None:
        with pytest.raises((TenantError, StatementError), match=NO_WORKSPACE):
            async with database.unit_of_work() as uow:
                await ask(uow, statement)

    @pytest.mark.parametrize("statement", FORMS.values(), ids=FORMS.keys())
    async def test_in_a_workspace_it_sees_that_one(self, two: Two, database: Database, statement: Any) -> None:
        async with database.unit_of_work() as uow:
            uow.enter(two.ada.workspace_id)
            assert await ask(uow, statement) == {two.ada.user.id}

    @pytest.mark.parametrize("statement", FORMS.values(), ids=FORMS.keys())
    async def test_unscoped_it_sees_all(self, two: Two, database: Database, statement: Any) -> None:
        async with database.unit_of_work() as uow:
            with uow.unscoped():
                assert await ask(uow, statement) == two.both

    @pytest.mark.parametrize("statement", FORMS.values(), ids=FORMS.keys())
    async def test_the_same_for_one_workspace_after_the_other(
        self, two: Two, database: Database, statement: Any
    ) -> None:
        """A compiled statement is kept for the next who sends the like of it: with his own workspace in it."""
        for person in (two.ada, two.bob, two.ada):
            async with database.unit_of_work() as uow:
                uow.enter(person.workspace_id)
                nested = await uow.session.begin_nested()
                assert await ask(uow, statement) == {person.user.id}
                await nested.rollback()
            with pytest.raises((TenantError, StatementError), match=NO_WORKSPACE):
                async with database.unit_of_work() as uow:
                    await ask(uow, statement)

    @pytest.mark.parametrize("load", [selectinload, joinedload, subqueryload])
    async def test_collections_that_are_loaded_along(self, two: Two, database: Database, load: Any) -> None:
        statement = select(User).options(load(User.articles))
        with pytest.raises(StatementError, match=NO_WORKSPACE):
            await database.reader().all(select(User).options(joinedload(User.articles)))
        for person in (two.ada, two.bob):
            async with database.unit_of_work() as uow:
                uow.enter(person.workspace_id)
                users = (await uow.session.scalars(statement)).unique().all()
                assert {user.id for user in users} == two.both
                assert {user.id for user in users if user.articles} == {person.user.id}

    async def test_readers_keep_to_it_too(self, two: Two, database: Database) -> None:
        statement = select(Article.author_id)
        with pytest.raises(StatementError, match=NO_WORKSPACE):
            await database.reader().all(statement)
        assert await database.reader().within(two.ada.workspace_id).one_or_none(statement) == two.ada.user.id
        assert set(await database.reader().unscoped().all(statement)) == two.both

    async def test_a_large_key_is_a_workspace_like_any_other(self, two: Two, database: Database) -> None:
        assert len(await database.reader().within(two.ada.workspace_id).all(select(Article))) == 1
        assert await database.reader().within(2**40).all(select(Article)) == []

    async def test_what_is_of_no_workspace_needs_none(self, two: Two, database: Database) -> None:
        assert set(await database.reader().all(select(User.id))) == two.both

    async def test_a_parameter_of_the_statement_is_not_the_workspace(self, two: Two, database: Database) -> None:
        statement = select(Article.author_id).where(Article.workspace_id == bindparam("workspace"))
        with pytest.raises(StatementError, match=NO_WORKSPACE):
            async with database.unit_of_work() as uow:
                await uow.session.scalars(statement, {"workspace": two.bob.workspace_id})

    def test_nothing_in_the_application_goes_past_the_orm(self) -> None:
        """Tables are not filtered, and neither are the methods that SQLAlchemy calls legacy."""
        sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")}
        past = [
            path.name
            for path, source in sources.items()
            if any(word in source for word in ("__table__", "metadata.tables", ".bulk_", "from_statement("))
        ]
        assert past == ["tenancy.py"], "where the docstring says so"


class TestKnownRows:
    """What a session has seen before, in another workspace or in none, it sees no more."""

    async def test_get_finds_what_is_in_the_workspace(self, two: Two, database: Database) -> None:
        async with database.unit_of_work() as uow:
            with pytest.raises(StatementError, match=NO_WORKSPACE):
                await uow.session.get(Article, two.mine.id)
            uow.enter(two.ada.workspace_id)
            assert await uow.session.get(Article, two.mine.id) is not None
            assert await uow.session.get(Article, two.foreign.id) is None
            with pytest.raises(NoResultFound):
                await uow.session.get_one(Article, two.foreign.id)
            assert await uow.session.get(User, two.bob.user.id) is not None

    async def test_get_forgets_what_was_found_unscoped(self, two: Two, database: Database) -> None:
        async with database.unit_of_work() as uow:
            with uow.unscoped():
                known = [await uow.session.get_one(Article, article.id) for article in (two.mine, two.foreign)]
            with pytest.raises(TenantError, match=NO_WORKSPACE):
                await uow.session.get(Article, two.mine.id)
            uow.enter(two.ada.workspace_id)
            assert await uow.session.get(Article, two.mine.id) is known[0]
            assert await uow.session.get(Article, two.foreign.id) is None
            with uow.unscoped():
                assert await uow.session.get(Article, two.foreign.id) is known[1]

    @pytest.mark.parametrize("again", ["refresh", "expired", "deferred"])
    async def test_a_row_is_read_again_in_its_own_workspace(self, two: Two, database: Database, again: str) -> None:
        async def read_again(uow: UnitOfWork, article: Article) -> str:
            if again == "refresh":
                await uow.session.refresh(article)
            title: str = await article.awaitable_attrs.title
            return title

        async with database.unit_of_work() as uow:
            with uow.unscoped():
                statement = select(Article).order_by(Article.id)
                if again == "deferred":
                    statement = statement.options(defer(Article.title))
                mine, foreign = (await uow.session.scalars(statement)).all()
                if again == "expired":
                    uow.session.expire_all()
            with pytest.raises(TenantError, match=NO_WORKSPACE):
                await read_again(uow, mine)
            uow.enter(two.ada.workspace_id)
            assert await read_again(uow, mine) == two.mine.title
            with pytest.raises(InvalidRequestError):
                await read_again(uow, foreign)

    async def test_a_collection_is_loaded_for_the_workspace(self, two: Two, database: Database) -> None:
        statement = select(User).order_by(User.id).options(lazyload(User.articles))
        async with database.unit_of_work() as uow:
            for user in await uow.session.scalars(statement):
                with pytest.raises(StatementError, match=NO_WORKSPACE):
                    await user.awaitable_attrs.articles
        async with database.unit_of_work() as uow:
            uow.enter(two.ada.workspace_id)
            ada, bob = (await uow.session.scalars(statement)).all()
            assert [article.id for article in await ada.awaitable_attrs.articles] == [two.mine.id]
            assert await bob.awaitable_attrs.articles == []


VALUES: dict[str, Any] = {"title": "T", "content": "0123456789", "author_id": 1}


class TestWrites:
    def article(self, two: Two, **fields: Any) -> Article:
        return Article(title="T", content="0123456789", author_id=two.ada.user.id, **fields)

    async def test_a_new_row_gets_the_workspace(self, two: Two, database: Database) -> None:
        async with database.unit_of_work() as uow:
            uow.enter(two.ada.workspace_id)
            article = self.article(two)
            uow.session.add(article)
            await uow.session.flush()
            assert article.workspace_id == two.ada.workspace_id

    async def test_a_new_row_without_a_workspace_is_refused(self, two: Two, database: Database) -> None:
        with pytest.raises(TenantError, match=NO_WORKSPACE):
            async with database.unit_of_work() as uow:
                uow.session.add(self.article(two, workspace_id=two.ada.workspace_id))

    async def test_a_new_row_of_another_workspace_is_refused(self, two: Two, database: Database) -> None:
        with pytest.raises(TenantError, match="another workspace"):
            async with database.unit_of_work() as uow:
                uow.enter(two.ada.workspace_id)
                uow.session.add(self.article(two, workspace_id=two.bob.workspace_id))

    @pytest.mark.parametrize("change", ["change", "delete", "take", "take unseen"])
    async def test_a_row_of_another_workspace_stays_as_it_is(self, two: Two, database: Database, change: str) -> None:
        with pytest.raises((TenantError, InvalidRequestError)):
            async with database.unit_of_work() as uow:
                with uow.unscoped():
                    foreign = await uow.session.get_one(Article, two.foreign.id)
                uow.enter(two.ada.workspace_id)
                if change == "change":
                    foreign.title = "Mine"
                elif change == "delete":
                    await uow.session.delete(foreign)
                else:
                    if change == "take unseen":
                        uow.session.expire(foreign)
                    foreign.workspace_id = two.ada.workspace_id
        found = await database.reader().within(two.bob.workspace_id).one_or_none(select(Article))
        assert found is not None
        assert (found.id, found.title) == (two.foreign.id, two.foreign.title)

    async def test_a_row_is_not_given_away(self, two: Two, database: Database) -> None:
        with pytest.raises(TenantError, match="another workspace"):
            async with database.unit_of_work() as uow:
                uow.enter(two.ada.workspace_id)
                (await uow.session.get_one(Article, two.mine.id)).workspace_id = two.bob.workspace_id
        assert len(await database.reader().within(two.ada.workspace_id).all(select(Article))) == 1

    @pytest.mark.parametrize("entered", [False, True])
    @pytest.mark.parametrize(
        "write",
        [
            lambda two: (insert(Article), VALUES | {"workspace_id": two.bob.workspace_id}),
            lambda two: (insert(Article), [VALUES | {"workspace_id": two.bob.workspace_id}]),
            lambda two: (insert(Article).values(VALUES | {"workspace_id": two.bob.workspace_id}), None),
            lambda _two: (insert_or_skip(Article).values(VALUES).on_conflict_do_nothing(), None),
            lambda two: (update(Article), [{"id": two.foreign.id, "title": "Mine"}]),
            lambda two: (update(Article).values(workspace_id=two.bob.workspace_id), None),
            lambda two: (update(Article).values({"workspace_id": two.bob.workspace_id}), None),
            lambda two: (update(Article).values({Article.workspace_id: two.bob.workspace_id}), None),
            lambda two: (update(Article), {"workspace_id": two.bob.workspace_id}),
        ],
    )
    async def test_rows_in_bulk_are_refused(
        self, two: Two, database: Database, write: Callable[[Two], tuple[Any, Any]], *, entered: bool
    ) -> None:
        statement, parameters = write(two)
        with pytest.raises(TenantError):
            async with database.unit_of_work() as uow:
                if entered:
                    uow.enter(two.ada.workspace_id)
                await uow.session.execute(statement, parameters)
        titles = select(Article.title).order_by(Article.id)
        assert await database.reader().unscoped().all(titles) == [two.mine.title, two.foreign.title]

    async def test_unscoped_they_are_not(self, two: Two, database: Database) -> None:
        rows = [
            VALUES | {"workspace_id": person.workspace_id, "author_id": person.user.id} for person in (two.ada, two.bob)
        ]
        async with database.unit_of_work() as uow:
            with uow.unscoped():
                await uow.session.execute(insert(Article), rows)
                await uow.session.execute(update(Article), [{"id": two.foreign.id, "title": "Moved"}])
        assert len(await database.reader().within(two.bob.workspace_id).all(select(Article))) == 2


class TestUnscoped:
    @pytest.mark.parametrize("entered", [False, True])
    async def test_ends_with_its_block(self, two: Two, database: Database, *, entered: bool) -> None:
        async def expect(uow: UnitOfWork) -> None:
            if entered:
                assert await ask(uow, READS["select"]) == {two.ada.user.id}
            else:
                with pytest.raises(StatementError, match=NO_WORKSPACE):
                    await ask(uow, READS["select"])

        async with database.unit_of_work() as uow:
            if entered:
                uow.enter(two.ada.workspace_id)
            with uow.unscoped():
                assert await ask(uow, READS["select"]) == two.both
                with uow.unscoped():
                    pass
                assert await ask(uow, READS["select"]) == two.both
            await expect(uow)
            with pytest.raises(LookupError), uow.unscoped():
                raise LookupError
            await expect(uow)
            with uow.unscoped():
                uow.enter(two.bob.workspace_id)
                assert await ask(uow, READS["select"]) == {two.bob.user.id}
            await expect(uow)
