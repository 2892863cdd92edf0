"""From what is asked to SQL: one statement for a page, whatever it includes, in which PostgreSQL writes the JSON.

Values are never part of a statement, so that it is put together and compiled once for all queries of the same form.
"""

import math
import re
import struct
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    REAL,
    BigInteger,
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
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from app.database.prepared import Prepared, has_fixed_values, parametrized, parted
from app.repositories.base import version_of
from app.resources.catalog import Catalog
from app.resources.description import Entity
from app.resources.json_rows import RowsAsJson, as_object
from app.resources.queries import MANY, SEARCH, SKIP, Filter, ListQuery, Shape, Term, after_name, filter_name
from app.resources.types import as_python

# Clients choose the forms, so not all of them are kept.
_MOST_KEPT: Final = 200
_MOST_FOUND: Final = 50
_DIGITS_OF_REAL: Final = 24  # binary ones

Asked = tuple[Prepared, dict[str, Any]]


@dataclass(frozen=True)
class _Form:
    """What a statement is known by, and how it is made."""

    key: Hashable
    make: Callable[[], Select[Any]] = field(compare=False)
    finish: Callable[[str], str] | None = field(compare=False, default=None)


class Statements:
    """The statements for one model of a catalog, each with its values.

    `rows` are the rows that may be seen: a select of the model. It may be built anew for each request, or once with a
    `bindparam` for whatever differs.
    """

    def __init__(self, model: type[Any], entity: Entity, catalog: Catalog, *, by_hand: bool) -> None:
        self._model = model
        self._entity = entity
        self._by_hand = by_hand
        self._as_json = RowsAsJson(catalog)
        self._kept = lru_cache(maxsize=_MOST_KEPT)(_made)
        self._found = lru_cache(maxsize=_MOST_FOUND)(_find)

    def page(self, rows: Select[Any], query: ListQuery) -> Asked:
        """A page in one row: the JSON of its rows as an array, one more than asked for if there is one; then what the
        last of those asked for is sorted by.
        """
        return self._found_once(self._page_asked, rows, query)

    def item(self, rows: Select[Any], shape: Shape) -> Asked:
        """Rows as JSON, with their `version` where they have one."""
        return self._found_once(self._item_asked, rows, shape)

    def count(self, rows: Select[Any], query: ListQuery) -> Asked:
        """How many rows the query means."""

        def make() -> Select[Any]:
            return self._only(self._filtered(parametrized(rows), query), [func.count()])

        return self._asked(rows, ("count", query.condition), query.values, make)

    def every(self, rows: Select[Any], query: ListQuery) -> Asked:
        """All that the query means, and nothing of it: for the planner to estimate how many they are."""

        def make() -> Select[Any]:
            return self._only(self._filtered(parametrized(rows), query), [literal(1)])

        return self._asked(rows, ("every", query.condition), query.values, make)

    def one(self, keys: Sequence[str], shape: Shape) -> Prepared:
        """The row with these keys, as `item` has it; then the keys, as they are shown. The values have their names."""

        def make() -> Select[Any]:
            row = select(self._model).where(*(self._column(key) == self._parameter(key, key) for key in keys))
            return self._only(row, [self._json(row, shape), self._version, *(self._shown(key) for key in keys)])

        return Prepared(make)

    # ------------------------------------------------------------------------------------- for Pydantic to write

    def whole_page(self, rows: Select[Any], query: ListQuery) -> Select[Any]:
        """A page as `whole_item` has it, each row ending in what it is sorted by. The values are those of the query."""
        return self._page(rows, query, self._whole(query.shape))

    def whole_item(self, rows: Select[Any], shape: Shape) -> Select[Any]:
        """The rows themselves, with their `version`: the model for a schema by hand, which may want more than columns,
        else the fields of the entity in their order. `included` is the JSON of what a row leads to.
        """
        return self._only(rows, [*self._whole(shape), self._version])

    def written(self, rows: Select[Any], shape: Shape) -> Select[Any]:
        """The rows as JSON in `body`, with their `version`."""
        body = self._as_json.row(self._model, self._entity, shape)
        return self._only(rows, [_body(body), self._version])

    # ------------------------------------------------------------------------------------------------------ parts

    def _asked(
        self,
        rows: Select[Any],
        form: Hashable,
        values: Mapping[str, Any],
        make: Callable[[], Select[Any]],
        finish: Callable[[str], str] | None = None,
    ) -> Asked:
        key, own = parted(rows)
        return self._kept(_Form((form, key), make, finish)), {**own, **values}

    def _found_once(self, find: Callable[[Select[Any], Any], Asked], rows: Select[Any], asked: object) -> Asked:
        """Most requests are for the same rows and the same query, and not only for equal ones: these are found by what
        they are, which takes a tenth of the time.
        """
        return (self._found if has_fixed_values(rows) else _find)(find, rows, asked)

    def _page_asked(self, rows: Select[Any], query: ListQuery) -> Asked:
        def make() -> Select[Any]:
            return self._page(parametrized(rows), query, [self._json(rows, query.shape)])

        def finish(sql: str) -> str:
            return _in_one_row(sql, query.limit, len(query.order))

        return self._asked(rows, ("page", query.form), query.values, make, finish)

    def _item_asked(self, rows: Select[Any], shape: Shape) -> Asked:
        def make() -> Select[Any]:
            return self._only(parametrized(rows), [self._json(rows, shape), self._version])

        return self._asked(rows, ("item", shape.form), {}, make)

    def _page(self, rows: Select[Any], query: ListQuery, columns: list[Any]) -> Select[Any]:
        statement = self._filtered(rows, query)
        if query.after is not None:
            statement = statement.where(self._behind(query.order, query.after))
        sorted_by = [self._shown(term.field) for term in query.order]
        return (
            self._only(statement, [*columns, *sorted_by])
            .order_by(*self._ordering(query.order))
            .offset(None if query.skip is None else bindparam(SKIP, type_=BigInteger))
            .limit(literal_column(str(query.limit + 1)))
        )

    def _filtered(self, rows: Select[Any], query: ListQuery) -> Select[Any]:
        """All the rows that the query means, on whichever page."""
        statement = rows.where(*(self._condition(one, number) for number, one in enumerate(query.filters)))
        if query.search:
            text = bindparam(SEARCH, type_=_Pattern)
            searched = [one.name for one in self._entity.fields if one.searchable]
            statement = statement.where(or_(*(self._column(name).icontains(text, escape=_ESCAPE) for name in searched)))
        return statement

    def _only(self, rows: Select[Any], columns: list[Any]) -> Select[Any]:
        return rows.with_only_columns(*columns, maintain_column_froms=True)

    def _json(self, rows: Select[Any], shape: Shape) -> ColumnElement[Any]:
        """For a statement that is prepared: SQLAlchemy would warn of tables that nothing joins."""
        if rows._group_by_clauses:  # noqa: SLF001  # nobody else knows it: then nothing may stand beside the rows
            return _body(self._as_json.row(self._model, self._entity, shape))
        return _body(as_object(self._as_json.item(self._model, self._entity, shape)))

    @property
    def _version(self) -> ColumnElement[Any]:
        return (version_of(self._entity.table) if self._entity.versioned else null()).label("version")

    def _whole(self, shape: Shape) -> list[Any]:
        included = self._as_json.row(self._model, self._entity, Shape((), shape.include)) if shape.include else null()
        columns = [self._model] if self._by_hand else [self._shown(one.name) for one in self._entity.fields]
        return [*columns, included.cast(Text).label("included")]

    def _column(self, name: str) -> Any:
        return getattr(self._model, name)

    def _shown(self, name: str) -> ColumnElement[Any]:
        return as_python(self._entity.by_name[name].type, self._column(name)).label(None)

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

    def _ordering(self, order: Sequence[Term]) -> Iterator[ColumnElement[Any]]:
        for term in order:
            column = self._column(term.field)
            yield column.desc() if term.descending else column.asc()

    def _behind(self, order: Sequence[Term], values: Sequence[Any]) -> ColumnElement[bool]:
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

    def _not_before(self, term: Term, value: Any) -> Iterator[ColumnElement[bool]]:
        """The same said of the first term alone, where that can be: an index does not begin at its beginning then."""
        column = self._column(term.field)
        if value is None or (not term.descending and self._entity.by_name[term.field].nullable):
            return
        bound = self._parameter(after_name(0), term.field)
        yield column <= bound if term.descending else column >= bound


def _body(row: ColumnElement[Any]) -> ColumnElement[Any]:
    return row.cast(Text).label("body")


def _find(find: Callable[[Select[Any], Any], Asked], rows: Select[Any], asked: object) -> Asked:
    return find(rows, asked)


def _made(form: _Form) -> Prepared:
    return Prepared(form.make, form.finish)


def _in_one_row(sql: str, limit: int, terms: int) -> str:
    """A page with so many terms in its order as one row, which costs the driver less than many."""
    names = [f"term_{number}" for number in range(terms)]
    last = "".join(f", (array_agg(page.{name}))[{limit}]" for name in names)
    return f"SELECT array_agg(page.body){last} FROM ({sql}) AS page ({', '.join(['body', *names])})"  # noqa: S608  # no value is part of it


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
