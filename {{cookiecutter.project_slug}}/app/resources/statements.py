"""From what is asked to SQL: one statement for a page, whatever it includes, in which PostgreSQL writes the JSON.

Values are never part of a statement, so that it is put together and compiled once for all queries of the same form.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    bindparam,
    func,
    inspect,
    literal,
    literal_column,
    null,
    select,
)
from sqlalchemy.orm.util import LoaderCriteriaOption

from app.database.prepared import Prepared, has_fixed_values, parametrized, parted
from app.repositories.base import version_of
from app.resources.catalog import Catalog
from app.resources.conditions import Conditions
from app.resources.description import Entity
from app.resources.json_rows import RowsAsJson, as_object
from app.resources.queries import SKIP, ListQuery, Shape
from app.resources.types import as_python

# Clients choose the forms, so not all of them are kept.
_MOST_KEPT: Final = 200
_MOST_FOUND: Final = 50

Asked = tuple[Prepared, dict[str, Any]]


@dataclass(frozen=True)
class _Form:
    """What a statement is known by, and how it is made."""

    key: Hashable
    make: Callable[[], Select[Any]] = field(compare=False)
    finish: Callable[[str], str] | None = field(compare=False, default=None)


class Statements:
    """The statements for one model of a catalog, each with its values.

    `rows` are the rows that may be seen: a select of the model, whose own order counts for nothing. It may be built
    anew for each request, or once with a `bindparam` for whatever differs.
    """

    def __init__(self, model: type[Any], entity: Entity, catalog: Catalog, *, by_hand: bool) -> None:
        self._model = model
        self._entity = entity
        self._by_hand = by_hand
        self._conditions = Conditions(model, entity)
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
            wanted = self._conditions.filtered(parametrized(rows), query)
            if wanted._group_by_clauses or wanted._distinct:  # noqa: SLF001  # each row may stand for several
                keys = [getattr(self._model, key.field) for key in self._entity.keys]
                counted = select(func.count()).select_from(self._only(wanted, keys).subquery())
                options = wanted._with_options  # noqa: SLF001  # as above; criteria in a subquery count for nothing
                return counted.options(*(one for one in options if isinstance(one, LoaderCriteriaOption)))
            return self._only(wanted, [func.count()])

        return self._asked(rows, ("count", query.condition), query.values, make)

    def every(self, rows: Select[Any], query: ListQuery) -> Asked:
        """All that the query means, and nothing of it: for the planner to estimate how many they are."""

        def make() -> Select[Any]:
            return self._only(self._conditions.filtered(parametrized(rows), query), [literal(1)])

        return self._asked(rows, ("every", query.condition), query.values, make)

    def one(self, keys: Sequence[str], shape: Shape) -> Prepared:
        """The row with these keys, as `item` has it; then the keys, as they are shown. The values have their names."""

        def make() -> Select[Any]:
            row = select(self._model).where(*self._conditions.of_one(keys))
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
        statement = self._conditions.filtered(rows, query)
        if query.after is not None:
            statement = statement.where(self._conditions.behind(query.order, query.after))
        sorted_by = [self._shown(term.field) for term in query.order]
        return (
            self._only(statement, [*columns, *sorted_by])
            .order_by(*self._conditions.ordering(query.order))
            .offset(None if query.skip is None else bindparam(SKIP, type_=BigInteger))
            .limit(literal_column(str(query.limit + 1)))
        )

    def _only(self, rows: Select[Any], columns: list[Any]) -> Select[Any]:
        return only(rows, self._model, columns)

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

    def _shown(self, name: str) -> ColumnElement[Any]:
        return as_python(self._entity.by_name[name].type, getattr(self._model, name)).label(None)


def only(rows: Select[Any], model: Any, columns: Sequence[Any]) -> Select[Any]:
    """These columns of rows of the model, or of an alias of it.

    In `select_from(join(…))` SQLAlchemy finds no model, so that criteria, as those of the workspace, would be left out:
    it has to be named in a condition.
    """
    if rows._from_obj:  # noqa: SLF001  # nobody else knows it
        mapper = inspect(model).mapper
        key = getattr(model, mapper.get_property_by_column(mapper.primary_key[0]).key)
        rows = rows.where(key.is_not(None))
    return rows.with_only_columns(*columns, maintain_column_froms=True)


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
