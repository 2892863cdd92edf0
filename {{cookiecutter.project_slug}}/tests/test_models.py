"""What every model has in common."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from sqlalchemy import ForeignKey, MetaData, func, select
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, defer, lazyload, mapped_column, registry

from app.database.database import Database
from app.errors import Invalid
from app.models.article import Article
from app.models.base import NAMING_CONVENTION, Declarative
from app.models.session import UserSession
from app.models.user import User
from app.repositories.base import Repository
from tests.people import HASH, People

NAIVE = datetime(2026, 1, 1, 12)  # noqa: DTZ001  # the mistake


class Separate(Declarative):
    """Models beside the application's own."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    _sa_registry = registry(metadata=metadata, type_annotation_map=Declarative.type_annotation_map)


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine by another clock than that of the database server."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def user() -> User:
    return User(email="ada@example.com", username="ada", hashed_password=HASH)


@pytest.mark.usefixtures("far_away")
class TestTimes:
    async def test_are_the_servers(self, database: Database) -> None:
        async with database.unit_of_work() as uow:
            ada = await Repository(User, uow.session).add(user())
            assert ada.created_at == ada.updated_at == await uow.session.scalar(select(func.now()))
            assert ada.created_at.utcoffset() == timedelta(0)

    async def test_from_elsewhere_are_the_same_moment(self, database: Database) -> None:
        noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        async with database.unit_of_work() as uow:
            ada = await Repository(User, uow.session).add(user())
            await Repository(User, uow.session).update(ada, {"disabled_at": noon})
        assert await database.reader().one_or_none(select(User.disabled_at)) == datetime(2026, 1, 1, 6, 30, tzinfo=UTC)

    async def test_without_a_time_zone_are_refused_before_they_are_stored(self, database: Database) -> None:
        async with database.unit_of_work() as uow:
            ada = await Repository(User, uow.session).add(user())
            with pytest.raises(Invalid, match="disabled_at must say its time zone") as caught:
                await Repository(User, uow.session).update(ada, {"disabled_at": NAIVE})
            assert caught.value.field == "disabled_at"
            with pytest.raises(Invalid, match="expires_at"):
                UserSession(user_id=ada.id, expires_at=NAIVE)
            await Repository(User, uow.session).update(ada, {"disabled_at": None})

    @pytest.mark.parametrize(
        ("moment", "status"),
        [("2026-01-01T12:00:00Z", 200), ("2026-01-01T12:00:00%2B05:30", 200), ("2026-01-01T12:00:00", 422)],
    )
    async def test_nor_is_one_without_guessed_in_a_query(
        self, client: httpx.AsyncClient, moment: str, status: int
    ) -> None:
        assert (await client.get(f"/articles?created_at__gte={moment}")).status_code == status


class TestAsyncAttributes:
    async def test_what_is_not_loaded_can_be_awaited(self, database: Database, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        statement = select(User).options(defer(User.email), lazyload(User.articles))
        async with database.unit_of_work() as uow:
            uow.enter(ada.workspace_id)
            found = (await uow.session.scalars(statement)).one()
            with pytest.raises(MissingGreenlet):
                found.email  # noqa: B018  # asking is the mistake
            assert await found.awaitable_attrs.email == ada.user.email
            assert [one.id for one in await found.awaitable_attrs.articles] == [article.id]
            uow.session.expire(found)
            assert await found.awaitable_attrs.username == ada.user.username


class Currency(Separate):
    __tablename__ = "currencies"
    code: Mapped[str] = mapped_column(primary_key=True)


class Rate(Separate):
    __tablename__ = "rates"
    code: Mapped[str] = mapped_column(ForeignKey(Currency.code), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    told_at: Mapped[datetime]


class TestOtherKeys:
    @pytest.fixture(autouse=True)
    async def tables(self, connection: AsyncConnection) -> None:
        for model in (Currency, Rate):
            await connection.run_sync(model.__table__.create)  # type: ignore[attr-defined]  # a Table

    async def test_a_model_may_have_any(self, database: Database) -> None:
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        async with database.unit_of_work() as uow:
            await Repository(Currency, uow.session).add(Currency(code="EUR"))
            rates = Repository(Rate, uow.session)
            await rates.add_all([Rate(code="EUR", day=1, told_at=noon), Rate(code="EUR", day=2, told_at=noon)])
            second = await rates.get(("EUR", 2))
            assert second is not None
            await rates.delete(second)
            with pytest.raises(ValueError, match="zip"):
                await rates.get("EUR")
        assert await database.reader().all(select(Rate.day)) == [1]

    def test_times_have_their_zone_there_too(self) -> None:
        with pytest.raises(Invalid, match="told_at must say its time zone"):
            Rate(code="EUR", day=1, told_at=NAIVE)

    def test_constraints_have_names_by_the_convention(self) -> None:
        (reference,) = Rate.__table__.foreign_key_constraints  # type: ignore[attr-defined]  # a Table
        assert reference.name == "fk_rates_code"
        assert Article.metadata.tables.keys() & {"currencies", "rates"} == set()
