"""The read path: a typed query becomes a statement that is compiled once for its form, whose answer is JSON as text."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlalchemy import Row, Select, and_, case, select, tuple_

from app.database.prepared import Prepared
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.resources.catalog import Catalog
from app.resources.description import Entity
from app.resources.queries import ListQuery, Shape
from app.resources.schemas import is_plain
from app.resources.statements import Statements
from app.resources.types import as_python, needs_python


class Page(NamedTuple):
    """Rows as JSON, and what the last of them is sorted by where there are more."""

    bodies: list[str]
    last: Sequence[Any] | None


class JsonRow(NamedTuple):
    """A row as JSON, with its version if it has one, and its keys where they are wanted."""

    body: str
    version: str | None
    keys: Sequence[Any] = ()

    @property
    def etag(self) -> dict[str, str]:
        return {} if self.version is None else {"ETag": f'"{self.version}"'}


class JsonReader:
    """Reads the rows of one model as JSON.

    PostgreSQL writes it where the schema is made of columns; where it has more, or a column that only Python can write,
    Pydantic does.
    """

    def __init__(
        self, model: type[Any], entity: Entity, catalog: Catalog, schema_by_hand: type[BaseModel] | None = None
    ) -> None:
        self._model = model
        self._entity = entity
        self._catalog = catalog
        self._schema_by_hand = schema_by_hand
        self._statements = Statements(model, entity, catalog, by_hand=schema_by_hand is not None)
        has_more = schema_by_hand is not None and not is_plain(schema_by_hand, entity)
        self._only_python = has_more or any(needs_python(field.type) for field in entity.fields)

    async def page(self, reader: Reader, rows: Select[Any], query: ListQuery, values: Mapping[str, Any]) -> Page:
        """A page of these rows. `values` are those of the parameters that the rows have of their own."""
        if self._only_python:
            statement = self._statements.whole_page(rows, query)
            found = await reader.rows(statement, {**values, **query.values})
            bodies = [self._by_schema(row, query.shape) for row in found[: query.limit]]
            last = found[query.limit - 1][-len(query.order) :] if len(found) > query.limit else None
            return Page(bodies, last)
        page, own = self._statements.page(rows, query)
        ((bodies, *last),) = await reader.fetch(page, {**own, **values})
        if bodies is None or len(bodies) <= query.limit:
            return Page(bodies or [], None)
        return Page(bodies[: query.limit], last)

    async def item(
        self, reader: Reader, rows: Select[Any], shape: Shape, values: Mapping[str, Any]
    ) -> "JsonRow | None":
        """The only row of these, without its keys."""
        if self._only_python:
            found = await reader.rows(self._statements.whole_item(rows, shape), values)
            return JsonRow(self._by_schema(found[0], shape), found[0].version) if found else None
        item, own = self._statements.item(rows, shape)
        written = await reader.fetch(item, {**own, **values})
        return JsonRow(*written[0]) if written else None

    async def count(self, reader: Reader, rows: Select[Any], query: ListQuery, values: Mapping[str, Any]) -> int:
        """How many rows the query means: exactly, or about as many as the planner thinks."""
        if query.count == "estimated":
            every, own = self._statements.every(rows, query)
            return await reader.estimate(every, {**own, **values})
        count, own = self._statements.count(rows, query)
        ((counted,),) = await reader.fetch(count, {**own, **values})
        return int(counted)

    async def written(self, uow: UnitOfWork, entities: Sequence[Any]) -> list["JsonRow"]:
        """The rows as they are in this transaction, in this order.

        What is equal is for PostgreSQL to say: to Python an enum is not its name, nor is a CHAR that was padded.
        """
        names = [key.field for key in self._entity.keys]
        values = [tuple(getattr(entity, name) for name in names) for entity in entities]
        if len(values) == 1 and not self._only_python:
            ((body, version, *keys),) = await uow.fetch(self._one, dict(zip(names, values[0], strict=True)))
            return [JsonRow(body, version, keys)]
        rows = await uow.session.execute(self._these(names, values), execution_options={"populate_existing": True})
        whole, keys = self._whole, len(names)
        return [
            JsonRow(self._by_schema(row, whole) if self._only_python else row.body, row.version, row[-keys:])
            for row in rows
        ]

    # ------------------------------------------------------------------------------------------------------ parts

    @cached_property
    def _schema(self) -> type[BaseModel]:
        return self._schema_by_hand or self._catalog.read_schema(self._entity)

    @cached_property
    def _one(self) -> Prepared:
        """The row with these keys."""
        return self._statements.one([key.field for key in self._entity.keys], self._whole)

    @cached_property
    def _whole(self) -> Shape:
        return Shape(tuple(one.name for one in self._entity.fields))

    def _by_schema(self, row: Row[Any], shape: Shape) -> str:
        """The row as JSON by the schema, with what is included beside it."""
        every = shape.fields == self._whole.fields
        fields = dict(zip(self._whole.fields, row, strict=False))  # there is more behind them
        shown = self._schema.model_validate(row[0] if self._schema_by_hand else fields)
        text = shown.model_dump_json(include=None if every else set(shape.fields))
        if not shape.include:
            return text
        included = json.loads(row.included)
        return json.dumps(json.loads(text) | included, ensure_ascii=False, separators=(",", ":"))

    def _these(self, names: Sequence[str], values: Sequence[tuple[Any, ...]]) -> Select[Any]:
        """The rows with these keys, in their order, each ending in them."""
        keys = [getattr(self._model, name) for name in names]
        wanted = select(self._model).where(
            tuple_(*keys).in_(values) if len(keys) > 1 else keys[0].in_(v for (v,) in values)
        )
        these = (and_(*(key == part for key, part in zip(keys, value, strict=True))) for value in values)
        wanted = wanted.order_by(case(*((this, place) for place, this in enumerate(these))))
        shown = [as_python(key.type, column) for key, column in zip(self._entity.keys, keys, strict=True)]
        read = self._statements.whole_item if self._only_python else self._statements.written
        return read(wanted, self._whole).add_columns(*shown)
