"""A model and what it says of itself. What it says of columns and relationships that it does not have is refused."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Column, Table, inspect
from sqlalchemy.orm import ColumnProperty, Mapper

from app.models.base import WorkspaceScoped
from app.models.resource import Resource, owner_column, resource_of
from app.resources.mapping import is_binary

# As a word of the name: `token_hash` is a secret, `hashtag` is none.
SECRET: Final = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secret|token|hash(ed)?|salt|otp|(api|private)_?key|credential)s?(_|$)",
    re.IGNORECASE,
)


class ResourceError(Exception):
    """A model cannot be served as it is. The message says which, why, and what to do."""


class Declaration:
    """A mapped class with its `__resource__`. Raises `ResourceError` for one that cannot be served at all."""

    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.mapper: Mapper[Any] = inspect(model)
        self.resource = resource_of(model) or Resource(routes=False)
        self.name = self.resource.name or model.__name__
        self.scoped = issubclass(model, WorkspaceScoped)
        self.owner = owner_column(model)

    def refused(self, reason: str) -> ResourceError:
        """The error that says why."""
        return ResourceError(f"{self.model.__name__} cannot be served: {reason}")

    @property
    def is_view(self) -> bool:
        """Whether it is a view, which says so in its `info`."""
        return bool(isinstance(self.mapper.local_table, Table) and self.mapper.local_table.info.get("view"))

    @property
    def columns(self) -> Iterator[tuple[str, Column[Any]]]:
        """Each with the name of its attribute."""
        for attribute in self.mapper.column_attrs:
            column = attribute.columns[0]
            if isinstance(attribute, ColumnProperty) and isinstance(column, Column):
                yield attribute.key, column

    @cached_property
    def key_names(self) -> list[str]:
        """What names a row, in the order of its primary key."""
        attributes: dict[Any, str] = {column: name for name, column in self.columns}
        return [attributes[column] for column in self.mapper.primary_key]

    def is_shown(self, name: str, column: Column[Any]) -> bool:
        """Whether clients may see it: what is named like a secret only if `fields` says so."""
        if self.resource.fields:
            return name in self.resource.fields
        if name in self.resource.hidden or SECRET.search(name) or SECRET.search(column.name):
            return False
        if name == "workspace_id" and self.scoped:
            return False
        return not is_binary(column)

    def given_by_parent(self) -> set[str]:
        """The columns that the parent in the path gives."""
        if not self.resource.parent:
            return set()
        relation = self.mapper.relationships[self.resource.parent]
        return {self.mapper.get_property_by_column(column).key for column in relation.local_columns} - {"workspace_id"}

    def refuse_inheritance(self) -> None:
        """Rows of several tables would be one resource."""
        if self.mapper.inherits or self.mapper.polymorphic_on is not None or self.mapper.concrete:
            raise self.refused("it is part of a table inheritance. Serve it by hand, or map each table by itself")

    def refuse_unknown_names(self) -> None:
        """A name that is misspelt would hide nothing."""
        columns, relations = set(self.mapper.column_attrs.keys()), set(self.mapper.relationships.keys())
        said = self.resource
        named: dict[str, tuple[Any, set[str]]] = {
            "fields": (said.fields, columns),
            "hidden": (said.hidden, columns | relations),
            "read_only": (said.read_only, columns),
            "searchable": (said.searchable, columns),
            "sortable": (said.sortable or (), columns),
            "owner": ([said.owner] if said.owner else (), columns),
            "parent": ([said.parent] if said.parent else (), relations),
            "sort": (names_of(said.sort), columns),
        }
        for option, (names, known) in named.items():
            for name in names:
                if name not in known:
                    raise self.refused(f"{option} names {name!r}, which it does not have")


def names_of(sort: str) -> list[str]:
    """The fields of an order such as `-created_at,title`."""
    return [part.removeprefix("-") for part in sort.split(",") if part]
