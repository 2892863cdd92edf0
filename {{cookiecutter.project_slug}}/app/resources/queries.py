"""What a client asks of a list or a row."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from app.database.prepared import Key

DEFAULT_LIMIT: Final = 25
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
        return sort_of(self.order)

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


def sort_of(order: Iterable[Term]) -> str:
    """An order, as a query string says it."""
    return ",".join(f"-{term.field}" if term.descending else term.field for term in order)


def filter_name(number: int, place: int = 0) -> str:
    """What the parameter of a filter is called in SQL."""
    return f"asked_filter_{number}_{place}"


def after_name(number: int) -> str:
    """The same for a value that a page begins behind."""
    return f"asked_after_{number}"
