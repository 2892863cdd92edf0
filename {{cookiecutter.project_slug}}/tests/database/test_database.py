"""The unit of work, on connections that really commit."""

import asyncio
import re
import socket
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Text, func, select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from app.config import ROOT, Settings
from app.database.database import Database, open_database
from app.database.prepared import Prepared
from app.database.unit_of_work import NestedUnitOfWorkError, UnitOfWork
from app.errors import Conflict, Contended, Error, Invalid, Unavailable
from app.models.article import Article
from app.models.audit_event import AuditEvent
from app.models.user import User
from app.repositories.base import Repository
from tests.people import HASH, People


@pytest.fixture
def own_database(own_app: FastAPI) -> Database:
    database: Database = own_app.state.database
    return database


def user(name: str = "ada") -> User:
    return User(email=f"{name}@example.com", username=name, hashed_password=HASH)


async def count(database: Database) -> int | None:
    return await database.reader().one_or_none(select(func.count()).select_from(User))


async def add_carl(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await Repository(User, uow.session).add(user("carl"))


class TestUnitOfWork:
    async def test_commits_everything_together(self, own_database: Database) -> None:
        async with own_database.unit_of_work() as uow:
            await Repository(User, uow.session).add(user("ada"))
            await Repository(User, uow.session).add(user("bob"))
            assert await count(own_database) == 0, "seen from outside before the commit"
        assert await count(own_database) == 2

    async def test_an_exception_leaves_nothing(self, own_database: Database) -> None:
        async def fail(uow: UnitOfWork) -> None:
            await Repository(User, uow.session).add(user())
            raise LookupError

        with pytest.raises(LookupError):
            async with own_database.unit_of_work() as uow:
                await fail(uow)
        assert await count(own_database) == 0

    @pytest.mark.parametrize("error", [Conflict("taken"), asyncio.CancelledError()])
    async def test_an_exception_is_still_told_when_nothing_can_be_rolled_back(
        self, own_database: Database, error: BaseException
    ) -> None:
        with pytest.raises(type(error)):
            async with own_database.unit_of_work() as uow:
                own = await uow.session.scalar(select(func.pg_backend_pid()))
                assert await own_database.reader().one_or_none(select(func.pg_terminate_backend(own, 10_000)))
                raise error

    async def test_an_error_of_something_else_is_not_the_databases(self, database: Database, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            async with database.unit_of_work():
                (tmp_path / "missing").read_bytes()

    async def test_runs_callbacks_after_the_commit_and_only_then(self, own_database: Database) -> None:
        seen: list[int | None] = []

        async def look() -> None:
            seen.append(await count(own_database))

        async def break_down() -> None:
            raise LookupError

        async with own_database.unit_of_work() as uow:
            uow.after_commit(break_down)
            uow.after_commit(look)
            await Repository(User, uow.session).add(user())
            assert seen == []
        assert seen == [1], "a callback that fails does not keep the next one from running"
        with pytest.raises(Conflict):
            async with own_database.unit_of_work() as uow:
                uow.after_commit(look)
                await Repository(User, uow.session).add(user())
        assert seen == [1]

    async def test_robustness_33_a_constraint_that_fails_at_commit_is_no_success(
        self, own_database: Database, own_people: People
    ) -> None:
        ada = await own_people.join()
        body = {"title": "Twice", "content": "The same title again"}
        unique = "CONSTRAINT uq_articles_title"
        async with own_database.unit_of_work() as uow:
            await uow.session.execute(
                text(f"ALTER TABLE articles ADD {unique} UNIQUE (title) DEFERRABLE INITIALLY DEFERRED")
            )
        try:
            assert (await ada.client.post("/articles", json=body)).status_code == 201
            response = await ada.client.post("/articles", json=body)
        finally:
            async with own_database.unit_of_work() as uow:
                await uow.session.execute(text(f"ALTER TABLE articles DROP {unique}"))
        assert (response.status_code, response.json()["detail"]) == (409, "title is already taken")
        assert await own_database.reader().unscoped().one_or_none(select(func.count()).select_from(Article)) == 1

    async def test_spans_repositories_in_a_script_as_in_a_request(
        self, own_settings: Settings, own_database: Database
    ) -> None:
        async def script(*, fails: bool) -> None:
            async with open_database(own_settings) as database, database.unit_of_work() as uow:
                ada = await Repository(User, uow.session).add(user())
                await Repository(AuditEvent, uow.session).add(AuditEvent(action="registered", actor_id=ada.id))
                if fails:
                    raise LookupError

        with pytest.raises(LookupError):
            await script(fails=True)
        events = select(func.count()).select_from(AuditEvent)
        assert (await count(own_database), await own_database.reader().one_or_none(events)) == (0, 0)
        await script(fails=False)
        assert (await count(own_database), await own_database.reader().one_or_none(events)) == (1, 1)

    async def test_one_inside_another_is_refused(self, own_database: Database) -> None:
        async def forgets_to_be_given_one() -> None:
            async with own_database.unit_of_work() as inner:
                await Repository(User, inner.session).add(user("bob"))

        with pytest.raises(NestedUnitOfWorkError, match=r"pass that on.*uow\.session\.begin_nested\(\)"):
            async with own_database.unit_of_work() as uow:
                await Repository(User, uow.session).add(user("ada"))
                await forgets_to_be_given_one()
        assert await count(own_database) == 0, "neither of both"
        await forgets_to_be_given_one()
        await add_carl(own_database)
        assert await count(own_database) == 2, "one after the other is as ever"

    async def test_each_task_and_each_database_has_its_own(self, own_database: Database, database: Database) -> None:
        async def add(name: str) -> None:
            async with own_database.unit_of_work() as uow:
                await Repository(User, uow.session).add(user(name))

        async with own_database.unit_of_work() as uow, database.unit_of_work() as other:
            await asyncio.gather(add("ada"), add("bob"))
            await Repository(User, uow.session).add(user("eve"))
            await Repository(User, other.session).add(user("eve"))
        assert await count(own_database) == 3

    async def test_after_the_commit_there_may_be_another(self, own_database: Database) -> None:
        async with own_database.unit_of_work() as uow:
            uow.after_commit(lambda: add_carl(own_database))
            await Repository(User, uow.session).add(user("ada"))
        assert await count(own_database) == 2

    async def test_one_that_has_ended_serves_nobody(self, own_database: Database) -> None:
        async with own_database.unit_of_work() as uow:
            pass
        with pytest.raises(InvalidRequestError, match="closed"):
            await Repository(User, uow.session).add(user())
        with pytest.raises(InvalidRequestError, match="closed"):
            await uow.fetch(Prepared(select(User.id)), {})
        async with uow:  # the same object may begin again
            await Repository(User, uow.session).add(user())
        assert await count(own_database) == 1

    async def test_a_part_that_may_fail_alone_is_a_savepoint(self, own_database: Database) -> None:
        async with own_database.unit_of_work() as uow:
            await Repository(User, uow.session).add(user("ada"))
            with pytest.raises(Conflict):
                async with uow.session.begin_nested():
                    await Repository(AuditEvent, uow.session).add(AuditEvent(action="registered"))
                    await Repository(User, uow.session).add(user("ada"))
            await Repository(User, uow.session).add(user("bob"))
        assert await count(own_database) == 2
        events = select(func.count()).select_from(AuditEvent)
        assert await own_database.reader().one_or_none(events) == 0

    async def test_an_error_that_is_caught_without_a_savepoint_is_no_success(self, own_database: Database) -> None:
        told: list[str] = []

        async def tell() -> None:
            told.append("committed")

        async def by_the_session(uow: UnitOfWork) -> None:
            await uow.session.execute(text("SELECT 1/0"))

        async def by_the_driver(uow: UnitOfWork) -> None:
            await uow.fetch(Prepared(select(text("1/0"))), {})

        for fail in (by_the_session, by_the_driver):
            with pytest.raises(DBAPIError, match="savepoint"):
                async with own_database.unit_of_work() as uow:
                    await Repository(User, uow.session).add(user())
                    uow.after_commit(tell)
                    with pytest.raises((DBAPIError, asyncpg.DivisionByZeroError)):
                        await fail(uow)
            with pytest.raises(DBAPIError, match="savepoint"):
                async with own_database.unit_of_work() as uow:
                    with pytest.raises((DBAPIError, asyncpg.DivisionByZeroError)):
                        await fail(uow)
                    await uow.keep()
            assert (await count(own_database), told) == (0, [])
        await add_carl(own_database)
        assert await count(own_database) == 1, "the connection is as good as before"

    async def test_fetches_in_its_transaction_from_the_first_statement_on(self, own_database: Database) -> None:
        transaction = Prepared(select(func.pg_current_xact_id().cast(Text)))
        async with own_database.unit_of_work() as uow:
            seen = {(await uow.fetch(transaction, {}))[0][0] for _ in range(3)}
            assert seen == {await uow.session.scalar(select(func.pg_current_xact_id().cast(Text)))}

    def test_is_the_only_one_who_commits(self) -> None:
        """The session's own context manager does it, inside of UnitOfWork."""
        sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")}

        def having(call: str) -> list[str]:
            return [path.relative_to(ROOT).as_posix() for path, source in sources.items() if call in source]

        assert having(".commit(") == ["app/database/unit_of_work.py"]
        assert having(".rollback(") == ["app/services/accounts.py"], "to a savepoint of its own"
        assert having(".begin()") == ["app/database/unit_of_work.py"]


class TestReader:
    async def test_opens_no_transaction(self, own_database: Database) -> None:
        sent: list[str] = []
        async with own_database.reads.sessions.kw["bind"].connect() as connection:  # the only one in the pool
            driver = (await connection.get_raw_connection()).driver_connection
            driver.add_query_logger(lambda record: sent.append(record.query))
        await own_database.reader().all(select(User))
        assert [query for query in sent if re.match("BEGIN|COMMIT|ROLLBACK", query)] == []
        async with own_database.unit_of_work() as uow:
            await uow.session.execute(select(User))
        assert [query for query in sent if query.startswith("BEGIN")], "so it would have been seen"

    async def test_tells_times_in_utc(self, own_database: Database) -> None:
        assert await own_database.reader().one_or_none(select(func.current_setting("TimeZone"))) == "UTC"

    async def test_holds_no_connection_between_its_statements(self, own_database: Database) -> None:
        reader = own_database.reader()
        await reader.all(select(User))
        assert own_database.reads.sessions.kw["bind"].pool.checkedout() == 0


class TestTranslatedErrors:
    async def test_a_missing_reference_names_the_field(self, database: Database, people: People) -> None:
        ada = await people.join()
        with pytest.raises(Invalid, match="author_id refers to nothing") as caught:
            async with database.unit_of_work() as uow:
                uow.enter(ada.workspace_id)
                await Repository(Article, uow.session).add(Article(title="T", content="0123456789", author_id=10**9))
        assert caught.value.field == "author_id"

    async def test_a_missing_value_names_the_field(self, database: Database, people: People) -> None:
        ada = await people.join()
        with pytest.raises(Invalid, match="title must have a value"):
            async with database.unit_of_work() as uow:
                uow.enter(ada.workspace_id)
                await Repository(Article, uow.session).add(Article(content="0123456789", author_id=ada.user.id))

    async def test_a_row_that_is_still_referred_to_stays(self, database: Database, people: People) -> None:
        ada = await people.join()
        async with database.unit_of_work() as uow:
            await uow.session.execute(text("CREATE TABLE notes (user_id bigint REFERENCES users)"))
            await uow.session.execute(text("INSERT INTO notes VALUES (:id)"), {"id": ada.user.id})
        with pytest.raises(Conflict, match="still refer"):
            async with database.unit_of_work() as uow:
                await uow.session.delete(await uow.session.get_one(User, ada.user.id))

    @pytest.mark.parametrize("value", ["nul\0", "x" * 256])
    async def test_a_value_that_does_not_fit_is_the_clients_mistake(self, database: Database, value: str) -> None:
        with pytest.raises(Invalid, match="cannot be stored"):
            async with database.unit_of_work() as uow:
                await Repository(User, uow.session).add(User(email=value, username="ada", hashed_password=HASH))

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("40001", Contended),
            ("40P01", Contended),
            ("23514", Invalid),
            ("53300", Unavailable),
            ("57014", Unavailable),
        ],
    )
    async def test_every_refusal_has_its_answer(self, database: Database, state: str, expected: type[Error]) -> None:
        with pytest.raises(expected):
            async with database.unit_of_work() as uow:
                await uow.session.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))

    async def test_an_error_that_nobody_foresaw_shows_no_values(self, database: Database) -> None:
        with pytest.raises(DBAPIError) as caught:
            async with database.unit_of_work() as uow:
                await uow.session.execute(text("SELECT :secret FROM nowhere"), {"secret": "a hash"})
        assert "nowhere" in str(caught.value)
        assert "a hash" not in str(caught.value)

    async def test_a_server_that_hangs_up_is_unavailable(self, own_database: Database) -> None:
        with pytest.raises(Unavailable):
            async with own_database.unit_of_work() as uow:
                await uow.session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert await count(own_database) == 0, "the next one gets a new connection"

    async def test_a_server_that_says_nothing_is_unavailable(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.database.connections.CONNECT_TIMEOUT", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = SecretStr(f"postgresql://ada:secret@127.0.0.1:{silent.getsockname()[1]}/blog")
            async with open_database(settings.model_copy(update={"database_url": url})) as database:
                with pytest.raises(Unavailable):
                    await count(database)


async def test_a_change_waits_for_the_one_before_it_and_sees_it(own_database: Database, own_people: People) -> None:
    ada = await own_people.join()
    bob = await own_people.join(ada.workspace_id)
    article = await own_people.write(bob)
    async with own_database.unit_of_work() as uow:
        uow.enter(ada.workspace_id)
        held = await uow.session.get_one(Article, article.id, with_for_update=True)
        held.author_id = ada.user.id
        await uow.session.flush()
        change = asyncio.create_task(bob.client.patch(f"/articles/{article.id}", json={"title": "Mine"}))
        await asyncio.wait([change], timeout=0.3)
        assert not change.done()
    assert (await change).status_code == 403, "by then it is somebody else's"
