"""From the columns of a model to the fields and keys that clients know."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Column, Identity
from sqlalchemy.sql.schema import Sequence

from app.models.base import Timestamped
from app.models.resource import snake
from app.resources.declaration import Declaration, names_of
from app.resources.description import Field, Key, Taken, Type
from app.resources.mapping import autoincremented, has_default
from app.resources.types import KINDS, type_of

_OF_TIMESTAMPED: Final = {"created_at", "updated_at"}


class Columns:
    """What is shown of a model's columns. Raises `ResourceError` for what cannot be. `written` are rows that clients
    make.
    """

    def __init__(self, declared: Declaration, *, written: bool) -> None:
        self._declared = declared
        self._resource = declared.resource
        self._written = written

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """In the order of the columns."""
        fields = tuple(self._fields())
        self._refuse_hidden_names({field.name: field for field in fields})
        return fields

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """What names a row in a path."""
        return tuple(self._keys())

    @cached_property
    def sort(self) -> str:
        """The order of a list that nobody sorts. By its fields everybody may sort."""
        if self._resource.sort:
            return self._resource.sort
        made = dict(self._declared.columns).get("created_at")
        timestamped = issubclass(self._declared.model, Timestamped) and self._may_sort_by("created_at")
        if timestamped and made is not None and self._declared.is_shown("created_at", made):
            return "-created_at"
        return ",".join(self._declared.key_names)

    def _may_sort_by(self, name: str) -> bool:
        return self._resource.sortable is None or name in self._resource.sortable

    # --------------------------------------------------------------------------------------------------- fields

    def _fields(self) -> Iterator[Field]:
        for name, column in self._declared.columns:
            if not self._declared.is_shown(name, column):
                if self._written and self._must_be_sent(name, column):
                    reason = f"{name} is hidden, NOT NULL and without a default, so no row could be made"
                    raise self._declared.refused(reason)
                continue
            if name.startswith("_") or (name.startswith("model_") and hasattr(BaseModel, name)):
                reason = f"{name} cannot be the name of a field: map the column under another, or hide it"
                raise self._declared.refused(reason)
            of, taken = self._type(name, column), self._taken(name, column)
            yield Field(
                name=name,
                type=of,
                nullable=bool(column.nullable),
                created=taken,
                updated=taken is not Taken.never and not column.primary_key,
                filterable=of.kind != "json",
                sortable=KINDS[of.kind].sorts and (self._may_sort_by(name) or name in names_of(self.sort)),
                searchable=name in self._resource.searchable,
            )

    def _type(self, name: str, column: Column[Any]) -> Type:
        found = type_of(column.type)
        if found is None:
            raise self._declared.refused(
                f"{name} is a {column.type!r}, which has no form in JSON here: hide it, hidden=({name!r},)"
            )
        if name in self._resource.searchable and found.kind != "string":
            raise self._declared.refused(f"searchable names {name}, which is no text")
        # The path of a row without a name would be that of the list.
        return replace(found, least=1) if found.kind == "string" and column.primary_key else found

    def _taken(self, name: str, column: Column[Any]) -> Taken:
        if self._is_made_by_server(name, column):
            return Taken.never
        return Taken.required if self._must_be_sent(name, column) else Taken.optional

    def _is_made_by_server(self, name: str, column: Column[Any]) -> bool:
        declared = self._declared
        if name in self._resource.read_only or name == declared.owner or name in declared.given_by_parent():
            return True
        if issubclass(declared.model, Timestamped) and name in _OF_TIMESTAMPED:
            return True
        if column.computed is not None or column.onupdate is not None or column.server_onupdate is not None:
            return True
        if isinstance(column.identity, Identity) or isinstance(column.default, Sequence):
            return True
        return bool(column.primary_key) and (has_default(column) or column is autoincremented(column))

    def _must_be_sent(self, name: str, column: Column[Any]) -> bool:
        if name == "workspace_id" and self._declared.scoped:
            return False
        return not (self._is_made_by_server(name, column) or column.nullable or has_default(column))

    def _refuse_hidden_names(self, shown: dict[str, Field]) -> None:
        for name in self._declared.key_names:
            if name not in shown:
                raise self._declared.refused(f"its key {name} is hidden, but its rows are named by it: show it")
        sort = names_of(self.sort)
        for option, names in (("searchable", self._resource.searchable), ("sort", sort)):
            for name in names:
                if name not in shown:
                    raise self._declared.refused(f"{option} names {name}, which is hidden")
        for name in sort:
            if not shown[name].sortable:
                raise self._declared.refused(f"sort names {name}, which has no order")

    # ----------------------------------------------------------------------------------------------------- keys

    def _keys(self) -> Iterator[Key]:
        names, entity = self._declared.key_names, snake(self._declared.name)
        columns: tuple[Any, ...] = self._declared.mapper.primary_key
        for name, column in zip(names, columns, strict=True):
            of = self._type(name, column)
            if of.kind in {"json", "array", "interval"}:
                raise self._declared.refused(f"its key {name} is a {of.kind}, which does not fit into a path")
            if of.kind == "bigint" and column is autoincremented(column):
                of = Type("id")
            alone = len(names) == 1 and not name.startswith(f"{entity}_")
            yield Key(field=name, parameter=f"{entity}_{name}" if alone else name, type=of)
