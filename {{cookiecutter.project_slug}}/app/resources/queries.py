"""What a client asks of a list, read from the query string once. Whatever nobody knows is told by name."""

import base64
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from pydantic_core import to_json

from app.database.prepared import Key
from app.resources.catalog import Catalog
from app.resources.description import Entity, Field
from app.resources.types import operators
from app.resources.values import text_of, told, value_of
from app.schemas.page import MAX_OFFSET

DEFAULT_LIMIT: Final = 25
MAX_LIMIT: Final = 100
# Of one `in`: enough for what somebody has ticked, and no way to make a statement of any size.
MAX_VALUES: Final = 100
INCLUDE_DEPTH: Final = 2
MANY: Final = {"in", "nin"}
# What parameters are called in SQL: like nothing that a select by hand calls its own.
SKIP: Final = "asked_skip"
SEARCH: Final = "asked_search"


@dataclass(frozen=True)
class Filter:
    """A condition on one field. `value` is a list for `in` and `nin`."""

    field: str
    operator: str
    value: Any

    @property
    def form(self) -> Hashable:
        """What decides how it is said in SQL."""
        if self.operator in MANY:
            return self.field, self.operator, len(self.value)
        return self.field, self.operator, self.value if self.operator == "isnull" else None

    def values(self, number: int) -> dict[str, Any]:
        """The values of its parameters, if it is this one of the filters."""
        if self.operator in MANY:
            return {filter_name(number, place): value for place, value in enumerate(self.value)}
        return {filter_name(number): self.value}


@dataclass(frozen=True)
class Term:
    """A part of an order."""

    field: str
    descending: bool


@dataclass(frozen=True, eq=False)  # the same is one object, which is seen at once; else `form` tells
class Shape:
    """Which fields of a row are wanted, and what they lead to: `{"author": Shape(…)}`."""

    fields: tuple[str, ...]
    include: dict[str, "Shape"] = field(default_factory=dict)

    @cached_property
    def form(self) -> Hashable:
        """What decides how it is said in SQL."""
        return Key(self.fields, frozenset((name, shape.form) for name, shape in self.include.items()))


@dataclass(frozen=True, eq=False)  # as above
class ListQuery:
    """Which part of a list, in which order, and how much of each row.

    `form` is what decides how it is said in SQL; all else are `values`, which the statement has parameters for. The
    limit is part of the form: PostgreSQL plans a statement anew each time that has a parameter there.
    """

    shape: Shape
    order: tuple[Term, ...]
    filters: tuple[Filter, ...] = ()
    search: str = ""
    limit: int = DEFAULT_LIMIT
    skip: int | None = None
    after: tuple[Any, ...] | None = None
    count: str | None = None

    @cached_property
    def sort(self) -> str:
        """The order, as a query string says it."""
        return _written(self.order)

    @cached_property
    def form(self) -> Hashable:
        """Queries of the same form differ in values alone."""
        empty = None if self.after is None else tuple(value is None for value in self.after)
        return Key(self.shape.form, self.order, self.limit, self.skip is None, empty, self.condition)

    @cached_property
    def condition(self) -> Hashable:
        """That part of the form which says which rows are meant."""
        return Key(bool(self.search), *(one.form for one in self.filters))

    @cached_property
    def values(self) -> dict[str, Any]:
        """The values of the parameters."""
        values: dict[str, Any] = {SKIP: self.skip, SEARCH: self.search}
        for number, one in enumerate(self.filters):
            values.update(one.values(number))
        for number, value in enumerate(self.after or ()):
            values[after_name(number)] = value
        return values


def filter_name(number: int, place: int = 0) -> str:
    """What the parameter of a filter is called in SQL."""
    return f"asked_filter_{number}_{place}"


def after_name(number: int) -> str:
    """The same for a value that a page begins behind."""
    return f"asked_after_{number}"


class QueryError(Exception):
    """What is wrong with the query string: a message for each parameter."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(problems)
        self.problems = problems


class QueryReader:
    """Reads query strings for one entity of a catalog."""

    def __init__(self, entity: Entity, catalog: Catalog) -> None:
        self._entity = entity
        self._catalog = catalog
        self._filterable = {one.name: one for one in entity.fields if one.filterable}
        self._sortable = [one.name for one in entity.fields if one.sortable]

    def list_query(self, parameters: Iterable[tuple[str, str]]) -> ListQuery:
        """What these parameters, in the order of the query string, ask for. Raises `QueryError`."""
        given = _Given(parameters)
        sort = given.take("sort", self._order, self._total(self._entity.sort))
        limit = given.take("limit", lambda text: _whole(text, 1, MAX_LIMIT), DEFAULT_LIMIT)
        skip = given.take("skip", lambda text: _whole(text, 0, MAX_OFFSET), None)
        after = given.take("cursor", lambda text: self._after(text, sort), None)
        if skip is not None and after is not None:
            given.problems["cursor"] = "goes without skip"
        count = given.take("count", lambda text: _one_of(text, ("exact", "estimated")), None)
        search = given.take("q", _plain, "") if any(one.searchable for one in self._entity.fields) else ""
        shape = self._shape(given)
        filters = [self._filter(name, given) for name in given.names() if self._parted(name)[0] in self._filterable]
        given.finish()
        return ListQuery(shape, sort, tuple(one for one in filters if one), search, limit, skip, after, count)

    def item_query(self, parameters: Iterable[tuple[str, str]]) -> Shape:
        """The same for a single row. Raises `QueryError`."""
        given = _Given(parameters)
        shape = self._shape(given)
        given.finish()
        return shape

    def cursor(self, query: ListQuery, values: Sequence[Any]) -> str:
        """Where the list goes on after the row with these values of what it is sorted by."""
        texts = [
            None if value is None else text_of(self._entity.by_name[term.field].type, value)
            for term, value in zip(query.order, values, strict=True)
        ]
        written = to_json([self._entity.name, query.sort, texts])
        return base64.urlsafe_b64encode(written).decode().rstrip("=")

    # ------------------------------------------------------------------------------------------------------ parts

    def _order(self, text: str) -> tuple[Term, ...]:
        for name in text.split(","):
            if name.removeprefix("-") not in self._sortable:
                raise ValueError(f"cannot sort by {name.removeprefix('-')!r}, only by {', '.join(self._sortable)}")
        return self._total(text)

    def _total(self, text: str) -> tuple[Term, ...]:
        terms = [Term(part.removeprefix("-"), part.startswith("-")) for part in text.split(",")]
        # The key comes last and goes the way of the first term: without a total order rows appear on two pages or none.
        named = {term.field for term in terms}
        rest = [Term(key.field, terms[0].descending) for key in self._entity.keys if key.field not in named]
        return (*terms, *rest)

    def _after(self, text: str, order: Sequence[Term]) -> tuple[Any, ...]:
        try:
            name, written, texts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if [name, written] == [self._entity.name, _written(order)] and len(texts) == len(order):
                return tuple(self._value(term, value) for term, value in zip(order, texts, strict=True))
        except (ValueError, TypeError, RecursionError):
            pass
        raise ValueError("is not one that this list has given in this order")

    def _value(self, term: Term, text: str | None) -> Any:
        one = self._entity.by_name[term.field]
        if text is None and one.nullable:
            return None
        if not isinstance(text, str):
            raise TypeError(text)
        return value_of(one.type, text)

    def _parted(self, name: str) -> tuple[str, str]:
        """The field and the operator. A field may have underscores of its own: `select_` makes `select___isnull`."""
        field_name, _, operator = (name, "", "") if name in self._filterable else name.rpartition("__")
        return field_name, operator

    def _filter(self, name: str, given: "_Given") -> Filter | None:
        field_name, operator = self._parted(name)
        one = self._filterable[field_name]
        known = operators(one.type, nullable=one.nullable)
        if name.endswith("__") or (operator and operator not in known):
            given.problems[name] = f"{field_name} takes {', '.join(known) or 'no operator'} after two underscores"
            given.drop(name)
            return None
        if not operator and one.type.kind == "array":
            return None
        values = given.take_all(name) if operator in MANY else [given.take(name, str, "")]
        try:
            return Filter(field_name, operator or "eq", _filter_value(one, operator, values))
        except ValueError as error:
            given.problems[name] = told(error)
        return None

    def _shape(self, given: "_Given") -> Shape:
        every = tuple(one.name for one in self._entity.fields)
        names = given.take("fields", lambda text: _names(text, every), every)
        include = given.take("include", lambda text: self._include(text.split(",")), {})
        return Shape(names, include)

    def _include(self, paths: Iterable[str]) -> dict[str, Shape]:
        tree: dict[str, Any] = {}
        for path in paths:
            steps = path.split(".")
            if len(steps) > INCLUDE_DEPTH:
                raise ValueError(f"{path!r} goes deeper than {INCLUDE_DEPTH}")
            branch = tree
            for step in steps:
                branch = branch.setdefault(step, {})
        return self._shapes(self._entity, tree)

    def _shapes(self, entity: Entity, tree: dict[str, Any]) -> dict[str, Shape]:
        included = [relation.name for relation in entity.relations if relation.included]
        shapes = {}
        for name, below in tree.items():
            if name not in included:
                raise ValueError(f"{entity.name} has no {name!r} to include, only {', '.join(included) or 'nothing'}")
            target = self._catalog.target(entity, name)
            shapes[name] = Shape(self._catalog.names_shown(target), self._shapes(target, below))
        return shapes


class _Given:
    """The parameters that nobody has taken yet, and what is wrong with those that were."""

    def __init__(self, parameters: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parameters:
            self._values.setdefault(name, []).append(value)
        self.problems: dict[str, str] = {}

    def names(self) -> list[str]:
        return list(self._values)

    def drop(self, name: str) -> None:
        del self._values[name]

    def take_all(self, name: str) -> list[str]:
        return self._values.pop(name)

    def take(self, name: str, read: Any, default: Any) -> Any:
        if name not in self._values:
            return default
        values = self._values.pop(name)
        try:
            if len(values) > 1:
                raise ValueError("is given more than once")  # noqa: TRY301  # all that can be wrong is told alike
            return read(values[0])
        except ValueError as error:
            self.problems[name] = str(error)
            return default

    def finish(self) -> None:
        """Raises `QueryError` if anything was wrong, or is left over."""
        unknown = dict.fromkeys(self._values, "is not a parameter of this list")
        if problems := self.problems | unknown:
            raise QueryError(problems)


def _filter_value(one: Field, operator: str, values: list[str]) -> Any:
    if operator == "isnull":
        return {"true": True, "false": False}[_one_of(values[0], ("true", "false"))]
    if operator not in MANY:
        return value_of(one.type, values[0])
    parts = [part for value in values for part in value.split(",")]
    if len(parts) > MAX_VALUES:
        raise ValueError(f"takes {MAX_VALUES} values at most")
    return [value_of(one.type, part) for part in parts]


def _written(order: Sequence[Term]) -> str:
    return ",".join(f"-{term.field}" if term.descending else term.field for term in order)


def _whole(text: str, least: int, most: int) -> int:
    # Not more digits than the greatest has: int() of a million digits takes a while.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)


def _one_of(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise ValueError(f"must be {' or '.join(choices)}")
    return text


def _names(text: str, known: Sequence[str]) -> tuple[str, ...]:
    names = text.split(",")
    for name in names:
        if name not in known:
            raise ValueError(f"there is no field {name!r}, only {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _plain(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text
