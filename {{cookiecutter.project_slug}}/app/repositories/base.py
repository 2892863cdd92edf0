from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, Text, delete, literal, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Bundle

from app.database.driver_errors import translated
from app.database.reader import Reader
from app.errors import Stale
from app.models.base import Declarative
from app.schemas.page import PageQuery

Model = TypeVar("Model", bound=Declarative)
Item = TypeVar("Item")
# Of which one has to be the row's; None takes any.
Versions = Collection[str] | None


class Repository(Generic[Model]):
    """The rows of one model, inside a unit of work. Everything is flushed: what the database computes is there."""

    def __init__(self, model: type[Model], session: AsyncSession) -> None:
        self._model = model
        self._session = session

    async def get(self, key: object, *, for_update: bool = False) -> Model | None:
        """The row with this key: a tuple where it has several parts."""
        parts = key if isinstance(key, tuple) else (key,)
        columns = self._model.__mapper__.primary_key
        named = [column == part for column, part in zip(columns, parts, strict=True)]
        return await self.one_or_none(select(self._model).where(*named), for_update=for_update)

    async def one_or_none(self, statement: Select[Model], *, for_update: bool = False) -> Model | None:
        """The only row of the statement; with `for_update` nobody else changes it until this transaction ends.

        What the row leads to is loaded with it, if the statement says so: `.options(selectinload(User.articles))`.
        """
        if for_update:
            statement = statement.with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    async def add(self, entity: Model) -> Model:
        """Insert the row."""
        self._session.add(entity)
        await self._flush()
        return entity

    async def add_all(self, entities: Sequence[Model]) -> Sequence[Model]:
        """Insert the rows, by one statement."""
        self._session.add_all(entities)
        await self._flush()
        return entities

    async def expect(self, entity: Model, versions: Versions) -> None:
        """Raises `Stale` unless the row, which is locked, is in one of these versions; None takes any."""
        if versions is not None and await self._session.scalar(_version_of(entity)) not in versions:
            raise Stale("This has changed since you read it; read it again")

    async def update(self, entity: Model, changes: Mapping[str, Any]) -> Model:
        """Change the named fields of the row.

        Raises `AttributeError` for a field that the model does not have.
        """
        for field, value in changes.items():
            if field not in self._model.__mapper__.column_attrs:
                raise AttributeError(f"{self._model.__name__} has no column {field!r}")
            setattr(entity, field, value)
        await self._flush()
        return entity

    async def _flush(self) -> None:
        with translated(_field_names(self._model)):
            await self._session.flush()

    async def delete(self, entity: Model) -> None:
        """Delete the row, and what the database deletes with it.

        The ORM would first empty what refers to the row, or stumble over it: whether others go along is for the
        database to say.
        """
        await self._session.execute(
            delete(self._model).where(*_is(entity)), execution_options={"synchronize_session": False}
        )
        self._session.expunge(entity)

    async def link(self, entity: Model, relation: str, other: Declarative) -> None:
        """Put the two together in the association table of a many-to-many relationship. Again, and nothing happens."""
        table, values = _association(entity, relation, other)
        await self._session.execute(insert(table).values(values).on_conflict_do_nothing())

    async def unlink(self, entity: Model, relation: str, other: Declarative) -> bool:
        """Take them apart; whether they were together."""
        table, values = _association(entity, relation, other)
        of_both = [table.c[name] == value for name, value in values.items()]
        result = await self._session.execute(delete(table).where(*of_both).returning(literal(1)))
        return result.first() is not None


@cache
def _field_names(model: type[Declarative]) -> dict[str, str]:
    """What the model calls its columns."""
    return {column.name: name for name, column in model.__mapper__.columns.items()}


def version_of(table: str) -> ColumnElement[str]:
    """What changes with each change of a row: PostgreSQL's number of the transaction that wrote it."""
    return literal_column(f'"{table}".xmin').cast(Text)


def _version_of(entity: Declarative) -> Select[str]:
    table = entity.__mapper__.local_table.description
    return select(version_of(str(table))).select_from(type(entity)).where(*_is(entity))


def _is(entity: Declarative) -> list[ColumnElement[bool]]:
    """The condition that holds for this row alone."""
    mapper = entity.__mapper__
    values = mapper.primary_key_from_instance(entity)
    return [column == value for column, value in zip(mapper.primary_key, values, strict=True)]


def _association(entity: Declarative, relation: str, other: Declarative) -> tuple[Any, dict[str, Any]]:
    """The association table, and the row of it that links the two: made of theirs, the workspace included."""
    found = entity.__mapper__.relationships[relation]
    links = [(entity, *pair) for pair in found.synchronize_pairs]
    links += [(other, *pair) for pair in found.secondary_synchronize_pairs or ()]
    values = {
        str(there.key): getattr(row, row.__mapper__.get_property_by_column(here).key) for row, here, there in links
    }
    return found.secondary, values


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A part of a list, and whether there is more behind it."""

    items: Sequence[Item]
    has_more: bool


async def read_page(
    reader: Reader, statement: Select[Item], source: type[Declarative] | Bundle[Any], query: PageQuery
) -> Page[Item]:
    """The part of the list that the query asks for. It is sorted by columns of the model, or of the bundle where a
    list shows columns of several.

    One row more is read than asked for: whether there is a next page is known without counting the table.
    """
    statement = statement.order_by(*ordering(source, query.sort)).offset(query.skip).limit(query.limit + 1)
    rows = await reader.all(statement)
    return Page(items=rows[: query.limit], has_more=len(rows) > query.limit)


def ordering(source: type[Declarative] | Bundle[Any], sort: str) -> list[ColumnElement[Any]]:
    """The terms of ORDER BY for a sort such as `-created_at,title`.

    The key comes last and goes the way of the first term: without a total order rows appear on two pages or on none.
    """
    columns = source.columns if isinstance(source, Bundle) else source.__mapper__.columns
    names = sort.split(",")
    if "id" not in [name.removeprefix("-") for name in names]:
        names.append("-id" if names[0].startswith("-") else "id")
    return [columns[name[1:]].desc() if name.startswith("-") else columns[name].asc() for name in names]
