"""What a query says of rows, as conditions and an order in SQL. Its values are parameters."""

import math
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    REAL,
    ColumnElement,
    Dialect,
    Double,
    Float,
    Select,
    Text,
    TypeDecorator,
    and_,
    any_,
    bindparam,
    false,
    or_,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from app.resources.description import Entity
from app.resources.queries import MANY, SEARCH, Filter, ListQuery, Term, after_name, filter_name
from app.resources.types import as_python

_DIGITS_OF_REAL: Final = 24  # binary ones


class Conditions:
    """Of the rows of one model."""

    def __init__(self, model: type[Any], entity: Entity) -> None:
        self._model = model
        self._entity = entity

    def filtered(self, rows: Select[Any], query: ListQuery) -> Select[Any]:
        """Those of the rows that the query means, on whichever page, in no order.

        Raises `ValueError` for rows with a limit of their own.
        """
        if rows._has_row_limiting_clause:  # noqa: SLF001  # nobody else knows it
            raise ValueError("Rows that are paged have no limit: write `column.in_(…)` of a select that has it")
        conditions = (self._condition(one, number) for number, one in enumerate(query.filters))
        statement = rows.order_by(None).where(*conditions)
        if query.search:
            text = bindparam(SEARCH, type_=_Pattern)
            searched = [one.name for one in self._entity.fields if one.searchable]
            statement = statement.where(or_(*(self._column(name).icontains(text, escape=_ESCAPE) for name in searched)))
        return statement

    def behind(self, order: Sequence[Term], values: Sequence[Any]) -> ColumnElement[bool]:
        """Everything after the row with these values. As a comparison of rows where that says it, which an index
        answers from its middle on; else term by term.
        """
        columns = [self._column(term.field) for term in order]
        bound = [self._parameter(after_name(place), term.field) for place, term in enumerate(order)]
        alike = len({term.descending for term in order}) == 1
        if alike and not any(self._entity.by_name[term.field].nullable for term in order):
            row, last = tuple_(*columns), tuple_(*bound)
            return row < last if order[0].descending else row > last
        conditions: list[ColumnElement[bool]] = []
        equal: list[ColumnElement[bool]] = []
        for term, column, parameter, value in zip(order, columns, bound, values, strict=True):
            following = _follows(column, None if value is None else parameter, descending=term.descending)
            conditions.append(and_(*equal, following))
            equal.append(column.is_(None) if value is None else column == parameter)
        return and_(*self._not_before(order[0], values[0]), or_(*conditions))

    def ordering(self, order: Sequence[Term]) -> Iterator[ColumnElement[Any]]:
        """The terms of ORDER BY."""
        for term in order:
            column = self._column(term.field)
            yield column.desc() if term.descending else column.asc()

    def of_one(self, keys: Sequence[str]) -> Iterator[ColumnElement[bool]]:
        """The row with these keys, which are the names of the parameters, too."""
        for key in keys:
            yield self._column(key) == self._parameter(key, key)

    # ------------------------------------------------------------------------------------------------------ parts

    def _column(self, name: str) -> Any:
        return getattr(self._model, name)

    def _parameter(self, name: str, of: str) -> ColumnElement[Any]:
        """A value of this field."""
        column = self._column(of)
        return bindparam(name, type_=_OfFourBytes if _has_four_bytes(column.type) else column.type)

    def _condition(self, one: Filter, number: int) -> ColumnElement[bool]:  # noqa: PLR0911  # one line for each operator
        column, value = self._column(one.field), self._parameter(filter_name(number), one.field)
        if one.operator in MANY:
            listed = [self._parameter(filter_name(number, place), one.field) for place in range(len(one.value))]
        match one.operator:
            case "eq":
                return column == value  # type: ignore[no-any-return]
            case "ne":  # what has no value is not equal to any
                return column.is_distinct_from(value)  # type: ignore[no-any-return]
            case "in":
                return column.in_(listed)  # type: ignore[no-any-return]
            case "nin":
                return or_(column.is_(None), column.not_in(listed))
            case "isnull":
                return column.is_(None) if one.value else column.is_not(None)  # type: ignore[no-any-return]
            case "contains" if self._entity.by_name[one.field].type.kind == "array":
                return bindparam(filter_name(number), type_=column.type.item_type) == any_(column)
            case "contains" | "icontains" | "startswith" | "endswith":
                written = as_python(self._entity.by_name[one.field].type, column)
                text = bindparam(filter_name(number), type_=_Pattern)
                return getattr(written, one.operator)(text, escape=_ESCAPE)  # type: ignore[no-any-return]
        return _COMPARISONS[one.operator](column, value)  # type: ignore[no-any-return]

    def _not_before(self, term: Term, value: Any) -> Iterator[ColumnElement[bool]]:
        """The same said of the first term alone, where that can be: an index does not begin at its beginning then."""
        column = self._column(term.field)
        if value is None or (not term.descending and self._entity.by_name[term.field].nullable):
            return
        bound = self._parameter(after_name(0), term.field)
        yield column <= bound if term.descending else column >= bound


_COMPARISONS: Final[dict[str, Any]] = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}
_ESCAPE: Final = "/"


class _Pattern(TypeDecorator[str]):
    """A part of a LIKE pattern in which `%` and `_` are characters like others."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # SQLAlchemy's
        return value and re.sub(f"([%_{_ESCAPE}])", rf"{_ESCAPE}\1", value)


class _OfFourBytes(TypeDecorator[float]):
    """The float of four bytes that is the nearest: hardly any of eight is equal to one.

    PostgreSQL compares the two, and would refuse to convert what is far.
    """

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002  # SQLAlchemy's
        if value is None:
            return None
        try:
            return float(struct.unpack("f", struct.pack("f", value))[0])
        except OverflowError:
            return math.copysign(math.inf, value)


def _has_four_bytes(of: TypeEngine[Any]) -> bool:
    return isinstance(of, REAL) or (isinstance(of, Float) and (of.precision or 53) <= _DIGITS_OF_REAL)


def _follows(column: Any, value: Any, *, descending: bool) -> ColumnElement[bool]:
    """PostgreSQL sorts what has no value as if it were greater than everything."""
    if value is None:
        return column.is_not(None) if descending else false()
    return column < value if descending else or_(column > value, column.is_(None))
