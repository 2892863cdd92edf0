from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Bundle

from app.database import Reader
from app.models.base import Base
from app.schemas.page import PageQuery

Model = TypeVar("Model", bound=Base)
Item = TypeVar("Item")


class Repository(Generic[Model]):
    """The rows of one model, inside a unit of work. Everything is flushed: what the database computes is there."""

    def __init__(self, model: type[Model], session: AsyncSession) -> None:
        self._model = model
        self._session = session

    async def one_or_none(self, statement: Select[Model], *, for_update: bool = False) -> Model | None:
        """The only row of the statement; with `for_update` nobody else changes it until this transaction ends."""
        if for_update:
            statement = statement.with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    async def add(self, entity: Model) -> Model:
        """Insert the row."""
        self._session.add(entity)
        await self._session.flush()
        return entity

    async def update(self, entity: Model, changes: Mapping[str, Any]) -> Model:
        """Change the named fields of the row.

        Raises `AttributeError` for a field that the model does not have.
        """
        for field, value in changes.items():
            if field not in self._model.__mapper__.column_attrs:
                raise AttributeError(f"{self._model.__name__} has no column {field!r}")
            setattr(entity, field, value)
        await self._session.flush()
        return entity

    async def delete(self, entity: Model) -> None:
        """Delete the row, and what the database deletes with it."""
        await self._session.delete(entity)
        await self._session.flush()


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A part of a list, and whether there is more behind it."""

    items: Sequence[Item]
    has_more: bool


async def read_page(
    reader: Reader, statement: Select[Item], source: type[Base] | Bundle[Any], query: PageQuery
) -> Page[Item]:
    """The part of the list that the query asks for. It is sorted by columns of the model, or of the bundle where a
    list shows columns of several.

    One row more is read than asked for: whether there is a next page is known without counting the table.
    """
    statement = statement.order_by(*ordering(source, query.sort)).offset(query.skip).limit(query.limit + 1)
    rows = await reader.all(statement)
    return Page(items=rows[: query.limit], has_more=len(rows) > query.limit)


def ordering(source: type[Base] | Bundle[Any], sort: str) -> list[ColumnElement[Any]]:
    """The terms of ORDER BY for a sort such as `-created_at,title`.

    The key comes last and goes the way of the first term: without a total order rows appear on two pages or on none.
    """
    columns = source.columns if isinstance(source, Bundle) else source.__mapper__.columns
    names = sort.split(",")
    if "id" not in [name.removeprefix("-") for name in names]:
        names.append("-id" if names[0].startswith("-") else "id")
    return [columns[name[1:]].desc() if name.startswith("-") else columns[name].asc() for name in names]
