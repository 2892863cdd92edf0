"""From what is asked to SQL: one statement for a page, whatever it includes, in which PostgreSQL writes the JSON."""

import math
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from sqlalchemy import (
    REAL,
    ColumnElement,
    Double,
    Float,
    Select,
    Text,
    and_,
    any_,
    false,
    func,
    literal,
    null,
    or_,
    tuple_,
)

from app.repositories.base import version_of
from app.resources.catalog import Catalog
from app.resources.description import Entity
from app.resources.json_rows import RowsAsJson
from app.resources.queries import Filter, ListQuery, Shape, Term
from app.resources.types import as_python

_DIGITS_OF_REAL: Final = 24  # binary ones
Conditions = dict[str, Any]


class Statements:
    """The statements for one model of a catalog.

    The first column of a row is `body`, the text of its JSON. With `whole` it is the row itself, for Pydantic to write:
    the model for a schema `by_hand`, which may want more than columns, else the fields of the entity in their order.
    `included` is the JSON of what it leads to.
    """

    def __init__(self, model: type[Any], entity: Entity, catalog: Catalog, *, by_hand: bool) -> None:
        self._model = model
        self._entity = entity
        self._by_hand = by_hand
        # What is asked again and again is put together once. Clients choose the shapes, so not all of it is kept.
        self._row = lru_cache(maxsize=100)(partial(RowsAsJson(catalog).row, model, entity))
        self._listed = lru_cache(maxsize=100)(self._columns_and_ordering)

    def page(self, rows: Select[Any], query: ListQuery, *, whole: bool) -> Select[Any]:
        """A page of rows, each ending in the values that they are sorted by; one more than asked for, if there is."""
        statement = self.filtered(rows, query)
        if query.after is not None:
            statement = statement.where(self._behind(query.order, query.after))
        columns, ordering = self._listed(query.shape, query.order, whole=whole)
        return (
            statement.with_only_columns(*columns, maintain_column_froms=True)
            .order_by(*ordering)
            .offset(query.skip)
            .limit(query.limit + 1)
        )

    def filtered(self, rows: Select[Any], query: ListQuery) -> Select[Any]:
        """All the rows that the query means, on whichever page."""
        statement = rows.where(*(self._condition(one) for one in query.filters))
        if query.search:
            searched = [one.name for one in self._entity.fields if one.searchable]
            statement = statement.where(
                or_(*(self._column(name).icontains(query.search, autoescape=True) for name in searched))
            )
        return statement

    def item(self, rows: Select[Any], shape: Shape, *, whole: bool) -> Select[Any]:
        """The rows, with their `version` where they have one."""
        version = version_of(self._entity.table) if self._entity.versioned else null()
        return self._only(rows, shape, whole=whole).add_columns(version.label("version"))

    def count(self, rows: Select[Any], query: ListQuery) -> Select[Any]:
        """How many rows the query means."""
        return self.filtered(rows, query).with_only_columns(func.count(), maintain_column_froms=True)

    def every(self, rows: Select[Any], query: ListQuery) -> Select[Any]:
        """All that the query means, and nothing of it: for the planner to estimate how many they are."""
        return self.filtered(rows, query).with_only_columns(literal(1), maintain_column_froms=True)

    def _only(self, rows: Select[Any], shape: Shape, *, whole: bool) -> Select[Any]:
        return rows.with_only_columns(*self._columns(shape, whole=whole), maintain_column_froms=True)

    def _columns(self, shape: Shape, *, whole: bool) -> list[Any]:
        if not whole:
            return [self._row(shape).cast(Text).label("body")]
        included = self._row(Shape((), shape.include)) if shape.include else null()
        columns = [self._model] if self._by_hand else [self._shown(one.name) for one in self._entity.fields]
        return [*columns, included.cast(Text).label("included")]

    def _columns_and_ordering(
        self, shape: Shape, order: tuple[Term, ...], *, whole: bool
    ) -> tuple[list[Any], list[ColumnElement[Any]]]:
        columns = self._columns(shape, whole=whole)
        return [*columns, *(self._shown(term.field) for term in order)], list(self._ordering(order))

    # ------------------------------------------------------------------------------------------------------ parts

    def _column(self, name: str) -> Any:
        return getattr(self._model, name)

    def _shown(self, name: str) -> ColumnElement[Any]:
        return as_python(self._entity.by_name[name].type, self._column(name)).label(None)

    def _condition(self, one: Filter) -> ColumnElement[bool]:  # noqa: PLR0911  # one line for each operator
        column, value = self._column(one.field), _bound(self._column(one.field), one.value)
        match one.operator:
            case "eq":
                return column == value  # type: ignore[no-any-return]
            case "ne":  # what has no value is not equal to any
                return column.is_distinct_from(value)  # type: ignore[no-any-return]
            case "in":
                return column.in_(value)  # type: ignore[no-any-return]
            case "nin":
                return or_(column.is_(None), column.not_in(value))
            case "isnull":
                return column.is_(None) if value else column.is_not(None)  # type: ignore[no-any-return]
            case "contains" if self._entity.by_name[one.field].type.kind == "array":
                return literal(value, column.type.item_type) == any_(column)
            case "contains" | "icontains" | "startswith" | "endswith":
                written = as_python(self._entity.by_name[one.field].type, column)
                return getattr(written, one.operator)(value, autoescape=True)  # type: ignore[no-any-return]
        return _COMPARISONS[one.operator](column, value)  # type: ignore[no-any-return]

    def _ordering(self, order: Sequence[Term]) -> Iterator[ColumnElement[Any]]:
        for term in order:
            column = self._column(term.field)
            yield column.desc() if term.descending else column.asc()

    def _behind(self, order: Sequence[Term], values: Sequence[Any]) -> ColumnElement[bool]:
        """Everything after the row with these values. As a comparison of rows where that says it, which an index
        answers from its middle on; else term by term.
        """
        columns = [self._column(term.field) for term in order]
        alike = len({term.descending for term in order}) == 1
        if alike and not any(self._entity.by_name[term.field].nullable for term in order):
            bound = tuple_(*(_bound_one(column, value) for value, column in zip(values, columns, strict=True)))
            row = tuple_(*columns)
            return row < bound if order[0].descending else row > bound
        conditions: list[ColumnElement[bool]] = []
        equal: list[ColumnElement[bool]] = []
        for term, column, value in zip(order, columns, values, strict=True):
            conditions.append(and_(*equal, _follows(column, value, descending=term.descending)))
            equal.append(column.is_not_distinct_from(_bound_one(column, value)))
        return or_(*conditions)


_COMPARISONS: Final[dict[str, Any]] = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}


def _bound(column: Any, value: Any) -> Any:
    """The value, or each of a list, as the column holds it."""
    if not isinstance(column.type, Float) or isinstance(value, bool):
        return value
    return [_bound_one(column, one) for one in value] if isinstance(value, list) else _bound_one(column, value)


def _bound_one(column: Any, value: Any) -> ColumnElement[Any]:
    of = column.type
    four_bytes = isinstance(of, REAL) or (isinstance(of, Float) and (of.precision or 53) <= _DIGITS_OF_REAL)
    if four_bytes and value is not None:
        return literal(_of_four_bytes(value), Double)  # PostgreSQL compares the two, and refuses to convert what is far
    return literal(value, of)


def _of_four_bytes(value: float) -> float:
    """The float of four bytes that is the nearest: hardly any of eight is equal to one."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _follows(column: Any, value: Any, *, descending: bool) -> ColumnElement[bool]:
    """PostgreSQL sorts what has no value as if it were greater than everything."""
    if value is None:
        return column.is_not(None) if descending else false()
    bound = _bound_one(column, value)
    return column < bound if descending else or_(column > bound, column.is_(None))
