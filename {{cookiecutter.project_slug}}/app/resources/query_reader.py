"""Query strings, read once. Whatever nobody knows is told by name."""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic_core import to_json

from app.resources.catalog import Catalog
from app.resources.description import Entity, Field
from app.resources.given import Given, one_of, plain, some_of, whole
from app.resources.queries import DEFAULT_LIMIT, MANY, Filter, ListQuery, Shape, Term, sort_of
from app.resources.types import operators
from app.resources.values import text_of, told, value_of
from app.schemas.page import MAX_OFFSET

MAX_LIMIT: Final = 100
# Of one `in`: enough for what somebody has ticked, and no way to make a statement of any size.
MAX_VALUES: Final = 100
INCLUDE_DEPTH: Final = 2


class QueryReader:
    """Reads query strings for one entity of a catalog."""

    def __init__(self, entity: Entity, catalog: Catalog) -> None:
        self._entity = entity
        self._catalog = catalog
        self._filterable = {one.name: one for one in entity.fields if one.filterable}
        self._sortable = [one.name for one in entity.fields if one.sortable]

    def list_query(self, parameters: Iterable[tuple[str, str]]) -> ListQuery:
        """What these parameters, in the order of the query string, ask for. Raises `QueryError`."""
        given = Given(parameters)
        sort = given.take("sort", self._order, self._total(self._entity.sort))
        limit = given.take("limit", lambda text: whole(text, 1, MAX_LIMIT), DEFAULT_LIMIT)
        skip = given.take("skip", lambda text: whole(text, 0, MAX_OFFSET), None)
        after = given.take("cursor", lambda text: self._after(text, sort), None)
        if skip is not None and after is not None:
            given.problems["cursor"] = "goes without skip"
        count = given.take("count", lambda text: one_of(text, ("exact", "estimated")), None)
        search = given.take("q", plain, "") if any(one.searchable for one in self._entity.fields) else ""
        shape = self._shape(given)
        filters = [self._filter(name, given) for name in given.names() if self._parted(name)[0] in self._filterable]
        given.finish()
        return ListQuery(shape, sort, tuple(one for one in filters if one), search, limit, skip, after, count)

    def item_query(self, parameters: Iterable[tuple[str, str]]) -> Shape:
        """The same for a single row. Raises `QueryError`."""
        given = Given(parameters)
        shape = self._shape(given)
        given.finish()
        return shape

    def cursor(self, query: ListQuery, values: Sequence[Any]) -> str:
        """Where the list goes on after the row with these values of what it is sorted by."""
        texts = [
            None if value is None else text_of(self._entity.by_name[term.field].type, value)
            for term, value in zip(query.order, values, strict=True)
        ]
        place = to_json([self._entity.name, query.sort, texts])
        return base64.urlsafe_b64encode(place).decode().rstrip("=")

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
            name, sort, texts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if [name, sort] == [self._entity.name, sort_of(order)] and len(texts) == len(order):
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

    def _filter(self, name: str, given: Given) -> Filter | None:
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

    def _shape(self, given: Given) -> Shape:
        every = tuple(one.name for one in self._entity.fields)
        names = given.take("fields", lambda text: some_of(text, every), every)
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


def _filter_value(one: Field, operator: str, values: list[str]) -> Any:
    if operator == "isnull":
        return {"true": True, "false": False}[one_of(values[0], ("true", "false"))]
    if operator not in MANY:
        return value_of(one.type, values[0])
    parts = [part for value in values for part in value.split(",")]
    if len(parts) > MAX_VALUES:
        raise ValueError(f"takes {MAX_VALUES} values at most")
    return [value_of(one.type, part) for part in parts]
