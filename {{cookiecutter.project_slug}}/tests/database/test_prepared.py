"""Statements that are compiled once: what is shared between callers, and that their values are not."""

from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    any_,
    bindparam,
    case,
    column,
    func,
    join,
    literal,
    select,
    text,
    true,
    tuple_,
    values,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, Range
from sqlalchemy.orm import selectinload, with_loader_criteria

from app.database.database import Database
from app.database.prepared import Prepared
from app.database.tenancy import TenantError
from app.errors import NotFound
from app.models.article import Article
from app.models.user import User
from app.resources.catalog import catalog_of
from app.resources.collection import _find
from app.resources.query_reader import QueryReader
from app.resources.statements import Statements
from tests.people import People
from tests.tenancy.two import Two

TITLES = [("sort", "id"), ("fields", "title")]
CATALOG = catalog_of(Article)
ENTITY = CATALOG.entity_of(Article)
QUERIES = QueryReader(ENTITY, CATALOG)


@pytest.fixture
async def two(people: People) -> Two:
    ada, bob = await people.join(), await people.join()
    return Two(ada, bob, await people.write(ada, title="Ada's"), await people.write(bob, title="Bob's"))


@pytest.fixture
def statements() -> Statements:
    """New ones, which have compiled nothing yet."""
    return Statements(Article, ENTITY, CATALOG, by_hand=False)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL of every statement that is compiled."""
    seen: list[str] = []
    compile_it = Prepared._compile

    def record(self: Prepared, criteria: Any) -> Any:
        made = compile_it(self, criteria)
        seen.append(made.sql)
        return made

    monkeypatch.setattr(Prepared, "_compile", record)
    return seen


async def bodies(database: Database, statements: Statements, rows: Select[Any], *asked: tuple[str, str]) -> list[str]:
    """What a page of these rows says."""
    query = QUERIES.list_query([*TITLES, *asked])
    ((found, *_),) = await database.reader().unscoped().fetch(*statements.page(rows, query))
    return [body[len('{"title":"') : -len('"}')] for body in found or []]


class TestPrepared:
    async def test_a_value_that_is_missing_is_a_mistake_each_time(self, database: Database) -> None:
        prepared = Prepared(select(User.id).where(User.id == bindparam("id")))
        for _ in range(2):
            with pytest.raises(KeyError, match="id"):
                await database.reader().fetch(prepared, {})
        assert await database.reader().fetch(prepared, {"id": 1, "more": "than it takes"}) == []

    async def test_a_list_is_a_value_for_any_and_none_for_in(self, database: Database, two: Two) -> None:
        ids = bindparam("ids", type_=ARRAY(BigInteger))
        prepared = Prepared(select(Article.id).where(Article.id == any_(ids)).order_by(Article.id))
        for wanted in ([two.mine.id], [two.mine.id, two.foreign.id], []):
            found = await database.reader().unscoped().fetch(prepared, {"ids": wanted})
            assert [row["id"] for row in found] == wanted
        refusals: list[Any] = [bindparam("ids", expanding=True), bindparam("ids", [1], expanding=True)]
        for refused in refusals:
            with pytest.raises(ValueError, match=r"ids.*any_"):
                Prepared(select(Article.id).where(Article.id.in_(refused)))

    async def test_a_default_is_taken_where_there_is_no_value(self, database: Database) -> None:
        prepared = Prepared(select(literal(1) + bindparam("more", value=10)))
        ((default,),) = await database.reader().fetch(prepared, {})
        ((given,),) = await database.reader().fetch(prepared, {"more": 20})
        assert (default, given) == (11, 21)

    async def test_a_range_is_a_value(self, database: Database) -> None:
        prepared = Prepared(select(bindparam("within", type_=INT4RANGE).contains(3)))
        for within, contained in ((Range(1, 5), True), (Range(5, 9), False)):
            assert await database.reader().fetch(prepared, {"within": within}) == [(contained,)]

    async def test_without_a_workspace_it_is_refused_each_time(self, database: Database, two: Two) -> None:
        prepared = Prepared(select(Article.id))
        for _ in range(3):
            with pytest.raises(TenantError):
                await database.reader().fetch(prepared, {})
        within = database.reader().within(two.ada.workspace_id)
        assert [row["id"] for row in await within.fetch(prepared, {})] == [two.mine.id]
        with pytest.raises(TenantError):
            await database.reader().fetch(prepared, {})

    async def test_each_workspace_sees_its_own(self, database: Database, two: Two, compiled: list[str]) -> None:
        prepared = Prepared(select(Article.id).order_by(Article.id))
        seen = [
            [row["id"] for row in await database.reader().within(person.workspace_id).fetch(prepared, {})]
            for person in (two.ada, two.bob, two.ada)
        ]
        assert seen == [[two.mine.id], [two.foreign.id], [two.mine.id]]
        every = await database.reader().unscoped().fetch(prepared, {})
        assert [row["id"] for row in every] == [two.mine.id, two.foreign.id]
        assert len(compiled) == 2, "once for all workspaces, and once for whoever sees every one"

    async def test_of_a_workspace_no_value_of_the_caller_makes_another(self, database: Database, two: Two) -> None:
        prepared = Prepared(select(Article.id))
        values = {"bound_workspace_id": two.bob.workspace_id}
        within = database.reader().within(two.ada.workspace_id)
        assert [row["id"] for row in await within.fetch(prepared, values)] == [two.mine.id]


class TestStatements:
    """Rows as a route by hand gives them: a select that is built anew for each request."""

    async def test_the_same_shape_is_compiled_once_and_each_sees_his_own(
        self, database: Database, two: Two, statements: Statements, compiled: list[str]
    ) -> None:
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's")) * 3:
            rows = select(Article).where(Article.author_id == person.user.id)
            assert await bodies(database, statements, rows) == [title]
        assert len(compiled) == 1

    async def test_a_named_value_is_the_callers_too(self, database: Database, two: Two, statements: Statements) -> None:
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's")):
            rows = select(Article).where(Article.author_id == bindparam("author", person.user.id))
            assert await bodies(database, statements, rows) == [title]
        with pytest.raises(KeyError, match="author"):
            await bodies(database, statements, select(Article).where(Article.author_id == bindparam("author")))

    async def test_so_is_one_that_was_given_later(self, database: Database, two: Two, statements: Statements) -> None:
        rows = select(Article).where(Article.author_id == bindparam("author"))
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's")):
            given = rows.params(author=person.user.id)
            assert await bodies(database, statements, given) == [title]
            assert await bodies(database, statements, given.where(Article.title.in_([title, "x"]))) == [title]

    async def test_and_those_of_parts_within_parts(
        self, database: Database, two: Two, statements: Statements, compiled: list[str]
    ) -> None:
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's")):
            his = select(User.id).where(User.username == person.user.username)
            cte = his.cte()
            conditions: list[Any] = [
                Article.author_id.in_(his),
                Article.author_id.in_(his.order_by(User.id).limit(1).offset(0)),
                his.where(User.id == Article.author_id).exists(),
                Article.author_id == his.scalar_subquery(),
                Article.author_id.in_(select(cte.c.id)),
                Article.author == person.user,
                Article.author.has(User.id == person.user.id),
                func.coalesce(Article.author_id, 0) == person.user.id,
                Article.author_id == any_(literal([person.user.id], ARRAY(BigInteger))),
                case((Article.author_id == person.user.id, 1), else_=0) == 1,
                Article.title.startswith(title[:2]),
                text("articles.author_id = :author").bindparams(author=person.user.id),
            ]
            for condition in conditions:
                assert await bodies(database, statements, select(Article).where(condition)) == [title], str(condition)
        assert len(compiled) == len(conditions), "each for both"

    async def test_what_is_written_into_the_sql_is_no_ones_but_his(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's")) * 2:
            author: Any = bindparam("author", person.user.id, literal_execute=True)
            for condition in (
                Article.author_id == author,
                tuple_(Article.author_id, Article.title).in_([(person.user.id, title), (0, "")]),
            ):
                assert await bodies(database, statements, select(Article).where(condition)) == [title], str(condition)

    async def test_nor_is_what_sqlalchemy_copies_with_no_statement(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's")) * 2:
            his, ids = person.user.id, literal([person.user.id], ARRAY(BigInteger))
            author: Any = bindparam("author", literal_execute=True, type_=BigInteger)
            within = select(Article.id).options(with_loader_criteria(Article, Article.author_id == his)).subquery()
            twice = literal(his, BigInteger)  # one object, in two places
            for rows in (
                select(Article).join(Article.author.and_(User.id == his)),
                select(Article).join(Article.author.and_(User.id == twice)).where(twice > 0),
                select(Article).where(Article.author_id >= twice).join(Article.author.and_(User.id <= twice)),
                select(Article).join(Article.author.and_(User.id == any_(ids))),
                select(Article).join(Article.author.and_(User.id == bindparam("author"))).params(author=his),
                select(Article).where(Article.author_id == author).params(author=his),
                select(Article).where(Article.author_id == bindparam(None, his)),
                select(Article).options(with_loader_criteria(Article, Article.author_id == his)),
                select(Article).join(within, within.c.id == Article.id).where(Article.author_id == his),
            ):
                assert await bodies(database, statements, rows) == [title], str(rows)

    async def test_lists_by_hand_may_be_of_any_length(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        ada, bob = two.ada.user.id, two.bob.user.id
        for _ in range(2):
            for authors, titles in (
                ([ada], ["Ada's"]),
                ([bob], ["Bob's"]),
                ([ada, bob], ["Ada's", "Bob's"]),
                ([], []),
                ([bob, ada], ["Ada's", "Bob's"]),
            ):
                rows = select(Article).where(Article.author_id.in_(authors))
                assert await bodies(database, statements, rows) == titles
                both = rows.where(Article.id == two.mine.id, Article.title.in_(["Ada's", "x"]))
                assert await bodies(database, statements, both) == [title for title in titles if title == "Ada's"]

    async def test_equal_values_that_are_not_the_same_are_no_ones_but_his(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        yes = func.to_jsonb(true(), type_=JSONB)
        for value, title in ((True, ["Ada's"]), (1, []), (1.0, []), (True, ["Ada's"])):
            given: Any = bindparam(None, [value], type_=JSONB, expanding=True, unique=True)
            rows = select(Article).where(Article.id == two.mine.id, yes.in_(given))
            assert await bodies(database, statements, rows) == title, value

    async def test_what_sqlalchemy_keeps_no_sql_of_asks_for_its_values_each_time(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        listed = values(column("id", BigInteger), name="listed").data([(two.mine.id,), (two.foreign.id,)])
        both = select(Article).where(Article.id.in_(select(listed.c.id)))
        wanted = two.mine.id
        by_function = both.where(Article.id == bindparam("wanted", callable_=lambda: wanted))
        for article in (two.mine, two.foreign, two.mine):
            wanted = article.id
            assert await bodies(database, statements, by_function) == [article.title]
            given = both.where(Article.id == bindparam("wanted")).params(wanted=wanted)
            assert await bodies(database, statements, given) == [article.title]

    async def test_nor_is_what_a_function_says_where_no_copy_gets(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        wanted = 0
        his = User.id == bindparam(None, callable_=lambda: wanted, type_=BigInteger)
        rows = select(Article).join(Article.author.and_(his))
        for person, title in ((two.ada, "Ada's"), (two.bob, "Bob's"), (two.ada, "Ada's")):
            wanted = person.user.id
            assert await bodies(database, statements, rows) == [title]

    async def test_nor_is_a_separator(self, database: Database, two: Two, statements: Statements) -> None:
        for separator, of_all in ((" and ", "Ada's and Ada's"), (", ", "Ada's, Ada's"), (" and ", "Ada's and Ada's")):
            twice = select(func.aggregate_strings(literal("Ada's"), separator)).select_from(User).scalar_subquery()
            rows = select(Article).where(twice == of_all)
            assert await bodies(database, statements, rows) == [two.mine.title, two.foreign.title]

    async def test_what_clients_ask_shares_no_values_either(
        self, database: Database, statements: Statements, compiled: list[str], two: Two
    ) -> None:
        assert two.mine.id < two.foreign.id
        rows = select(Article)
        for asked, titles in (
            (("title", "Ada's"), ["Ada's"]),
            (("title", "Bob's"), ["Bob's"]),
            (("q", "ada"), ["Ada's"]),
            (("q", "bob"), ["Bob's"]),
            (("title__in", "Ada's,Bob's"), ["Ada's", "Bob's"]),
            (("title__in", "x,Bob's"), ["Bob's"]),
            (("skip", "0"), ["Ada's", "Bob's"]),
            (("skip", "1"), ["Bob's"]),
        ):
            assert await bodies(database, statements, rows, asked) == titles
        assert len(compiled) == 4

    async def test_what_clients_choose_is_not_kept_for_ever(self, statements: Statements) -> None:
        for number in range(1_000):
            asked = [("title__in", ",".join("x" * (number // 10 + 1))), ("limit", str(number % 10 + 1)), *TITLES]
            statements.page(select(Article), QUERIES.list_query(asked))
        kept = statements._kept.cache_info()
        assert kept.maxsize is not None
        assert kept.misses == 1_000
        assert kept.currsize == kept.maxsize

    async def test_of_rows_that_are_counted_each_workspace_sees_its_own(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        both = select(Article).join(User, true())
        for rows in (both.distinct(), both.group_by(Article.id), select(Article)):
            count, values = statements.count(rows, QUERIES.list_query([]))
            for person in (two.ada, two.bob):
                within = database.reader().within(person.workspace_id)
                assert await within.fetch(count, values) == [(1,)]
            with pytest.raises(TenantError):
                await database.reader().fetch(count, values)

    async def test_of_rows_that_stand_in_a_join_each_workspace_sees_its_own(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        within = database.reader().within(two.ada.workspace_id)
        joined = join(User, Article, Article.author_id == User.id)
        rows = select(Article).select_from(joined)
        query = QUERIES.list_query(TITLES)
        for asked, found in (
            (statements.item(rows, query.shape), '{"title":"Ada\'s"}'),
            (statements.count(rows, query), 1),
            (statements.every(rows, query), 1),
        ):
            assert [row[0] for row in await within.fetch(*asked)] == [found]
            with pytest.raises(TenantError):
                await database.reader().fetch(*asked)
        with pytest.raises(NotFound):
            await _find(within, rows.where(Article.id == two.foreign.id), {})

    async def test_of_rows_that_are_counted_in_a_subquery_the_criteria_hold(
        self, database: Database, two: Two, statements: Statements
    ) -> None:
        for author, counted in ((two.ada.user.id, 1), (0, 0), (two.bob.user.id, 1)):
            rows = select(Article).options(with_loader_criteria(Article, Article.author_id == author)).distinct()
            rows = rows.options(selectinload(Article.author))  # not for what is counted
            count = statements.count(rows, QUERIES.list_query([]))
            assert await database.reader().unscoped().fetch(*count) == [(counted,)]
