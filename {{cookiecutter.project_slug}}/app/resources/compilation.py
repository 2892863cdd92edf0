"""From a mapped class to its description. What cannot be served right is refused here, when the application starts."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, cached_property
from operator import eq
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Column, FromClause, Identity, Table, inspect
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty
from sqlalchemy.sql.elements import BooleanClauseList
from sqlalchemy.sql.schema import Sequence

from app.models.base import Timestamped, WorkspaceScoped
from app.models.resource import Access, Resource, owner_column, resource_of, snake, title_of
from app.resources.description import Entity, Field, Key, Relation, Taken, Type
from app.resources.mapping import autoincremented, has_default, inverse_of, is_binary, is_linked, kind_of
from app.resources.types import KINDS, needs_python, type_of

# As a word of the name: `token_hash` is a secret, `hashtag` is none.
SECRET: Final = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secret|token|hash(ed)?|salt|otp|(api|private)_?key|credential)s?(_|$)",
    re.IGNORECASE,
)
_OF_TIMESTAMPED: Final = {"created_at", "updated_at"}


class ResourceError(Exception):
    """A model cannot be served as it is. The message says which, why, and what to do."""


@cache
def describe(model: type[Any]) -> Entity:
    """The model as an API. Raises `ResourceError`."""
    return _compiler(model).entity()  # type: ignore[arg-type]  # a class is hashable


@cache
def _compiler(model: type[Any]) -> "_Compiler":
    """One for each model: others ask it what they may show of it."""
    return _Compiler(model)


class _Compiler:
    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.mapper: Mapper[Any] = inspect(model)
        self.resource = resource_of(model) or Resource(routes=False)
        self.name = self.resource.name or model.__name__

    def entity(self) -> Entity:
        self._refuse_inheritance()
        self._refuse_unknown_names()
        fields = self.fields
        self._refuse_hidden_names({field.name: field for field in fields})
        keys = self._keys()
        read, write = self.access
        relations = tuple(self._relations(read))
        self._refuse_parent({relation.name: relation for relation in relations})
        table = self.mapper.local_table
        name = _table_name(table)
        path = self.resource.path.strip("/") or name.replace("_", "-")
        return Entity(
            name=self.name,
            title=title_of(self.model),
            plural=path.replace("-", "_").replace("/", "_"),
            path=f"/{path}",
            description=_first_paragraph(self.model),
            table=name,
            scoped=issubclass(self.model, WorkspaceScoped),
            owner=owner_column(self.model),
            read=read,
            write=write,
            sort=self._sort,
            keys=keys,
            fields=fields,
            relations=relations,
            parent=self.resource.parent or None,
            routes=self.resource.routes,
            versioned=not self._is_view,
        )

    # ------------------------------------------------------------------------------------------------ refusals

    def _refuse(self, reason: str) -> ResourceError:
        return ResourceError(f"{self.model.__name__} cannot be served: {reason}")

    def _refuse_inheritance(self) -> None:
        if self.mapper.inherits or self.mapper.polymorphic_on is not None or self.mapper.concrete:
            raise self._refuse("it is part of a table inheritance. Serve it by hand, or map each table by itself")

    def _refuse_unknown_names(self) -> None:
        columns, relations = set(self.mapper.column_attrs.keys()), set(self.mapper.relationships.keys())
        declared = self.resource
        known = {
            "fields": columns,
            "hidden": columns | relations,
            "read_only": columns,
            "searchable": columns,
            "sortable": columns,
            "owner": columns,
            "parent": relations,
            "sort": columns,
        }
        said = {
            "sort": _names_of(declared.sort),
            "owner": [declared.owner] if declared.owner else [],
            "parent": [declared.parent] if declared.parent else [],
        }
        for option, names in known.items():
            for name in said.get(option, getattr(declared, option) or ()):
                if name not in names:
                    raise self._refuse(f"{option} names {name!r}, which it does not have")

    def _refuse_hidden_names(self, shown: dict[str, Field]) -> None:
        for name in self._key_names:
            if name not in shown:
                raise self._refuse(f"its key {name} is hidden, but its rows are named by it: show it")
        sort = _names_of(self._sort)
        for option, names in (("searchable", self.resource.searchable), ("sort", sort)):
            for name in names:
                if name not in shown:
                    raise self._refuse(f"{option} names {name}, which is hidden")
        for name in sort:
            if not shown[name].sortable:
                raise self._refuse(f"sort names {name}, which has no order")

    def _refuse_parent(self, shown: dict[str, Relation]) -> None:
        parent = self.resource.parent
        if parent and parent not in shown:
            raise self._refuse(
                f"its parent {parent} is not served, or not for all who may read its rows: give both the same read"
            )
        if parent and shown[parent].kind.many:
            raise self._refuse(f"its parent {parent} is a list: a row lies under one")

    # ------------------------------------------------------------------------------------------------- columns

    def _attributes(self) -> Iterator[tuple[str, Column[Any]]]:
        for attribute in self.mapper.column_attrs:
            column = attribute.columns[0]
            if isinstance(attribute, ColumnProperty) and isinstance(column, Column):
                yield attribute.key, column

    def _is_shown(self, name: str, column: Column[Any]) -> bool:
        if self.resource.fields:
            return name in self.resource.fields
        if name in self.resource.hidden or SECRET.search(name) or SECRET.search(column.name):
            return False
        if name == "workspace_id" and issubclass(self.model, WorkspaceScoped):
            return False
        return not is_binary(column)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return tuple(self._fields())

    def _fields(self) -> Iterator[Field]:
        for name, column in self._attributes():
            if not self._is_shown(name, column):
                if self._must_be_sent(name, column) and self._is_written():
                    raise self._refuse(f"{name} is hidden, NOT NULL and without a default, so no row could be made")
                continue
            if name.startswith("_") or (name.startswith("model_") and hasattr(BaseModel, name)):
                raise self._refuse(f"{name} cannot be the name of a field: map the column under another, or hide it")
            of = self._type(name, column)
            taken = self._taken(name, column)
            yield Field(
                name=name,
                type=of,
                nullable=bool(column.nullable),
                created=taken,
                updated=taken is not Taken.never and not column.primary_key,
                filterable=of.kind != "json",
                sortable=KINDS[of.kind].sorts and (self._may_sort_by(name) or name in _names_of(self._sort)),
                searchable=name in self.resource.searchable,
            )

    def _type(self, name: str, column: Column[Any]) -> Type:
        found = type_of(column.type)
        if found is None:
            raise self._refuse(
                f"{name} is a {column.type!r}, which has no form in JSON here: hide it, hidden=({name!r},)"
            )
        if name in self.resource.searchable and found.kind != "string":
            raise self._refuse(f"searchable names {name}, which is no text")
        # The path of a row without a name would be that of the list.
        return replace(found, least=1) if found.kind == "string" and column.primary_key else found

    def _taken(self, name: str, column: Column[Any]) -> Taken:
        if self._is_made_by_server(name, column):
            return Taken.never
        return Taken.required if self._must_be_sent(name, column) else Taken.optional

    def _is_made_by_server(self, name: str, column: Column[Any]) -> bool:
        if name in self.resource.read_only or name == owner_column(self.model) or name in self._of_parent():
            return True
        if issubclass(self.model, Timestamped) and name in _OF_TIMESTAMPED:
            return True
        if column.computed is not None or column.onupdate is not None or column.server_onupdate is not None:
            return True
        if isinstance(column.identity, Identity) or isinstance(column.default, Sequence):
            return True
        return bool(column.primary_key) and (has_default(column) or column is autoincremented(column))

    def _must_be_sent(self, name: str, column: Column[Any]) -> bool:
        if name == "workspace_id" and issubclass(self.model, WorkspaceScoped):
            return False
        return not (self._is_made_by_server(name, column) or column.nullable or has_default(column))

    def _is_written(self) -> bool:
        return self.resource.routes and self.access[1] is not Access.nobody

    def _keys(self) -> tuple[Key, ...]:
        names = self._key_names
        entity = snake(self.name)
        keys = []
        key_columns: tuple[Any, ...] = self.mapper.primary_key
        for name, column in zip(names, key_columns, strict=True):
            of = self._type(name, column)
            if of.kind in {"json", "array", "interval"}:
                raise self._refuse(f"its key {name} is a {of.kind}, which does not fit into a path")
            if of.kind == "bigint" and column is autoincremented(column):
                of = Type("id")
            alone = len(names) == 1 and not name.startswith(f"{entity}_")
            keys.append(Key(field=name, parameter=f"{entity}_{name}" if alone else name, type=of))
        return tuple(keys)

    # -------------------------------------------------------------------------------------------------- access

    @property
    def _is_view(self) -> bool:
        return bool(isinstance(self.mapper.local_table, Table) and self.mapper.local_table.info.get("view"))

    @cached_property
    def access(self) -> tuple[Access, Access]:
        scoped, owned = issubclass(self.model, WorkspaceScoped), owner_column(self.model) is not None
        read = self.resource.read or (Access.viewer if scoped else Access.user)
        write = self.resource.write or (Access.member if scoped else Access.user if owned else Access.superuser)
        if self._is_view:
            if self.resource.write not in {None, Access.nobody}:
                raise self._refuse(f"write is {write}, but it is a view: its rows have no version of their own")
            write = Access.nobody
        if not self.resource.routes:
            return read, write
        if not write.includes(read):
            raise self._refuse(f"{write} may write what only {read} may read")
        if owned and not scoped and read is Access.anyone:
            raise self._refuse("read is anyone, but its rows are their owners': say user")
        for option, access in (("read", read), ("write", write)):
            if scoped and access.role is None and access is not Access.nobody:
                raise self._refuse(f"{option} is {access}, but its rows are a workspace's: say a role")
            if not scoped and access.role is not None:
                raise self._refuse(
                    f"{option} is {access}, a role in a workspace, but its rows are everybody's: say anyone, user, "
                    "superuser or nobody, or make the model WorkspaceScoped"
                )
        return read, write

    @cached_property
    def _sort(self) -> str:
        """The order of a list that nobody sorts. By its fields everybody may sort."""
        if self.resource.sort:
            return self.resource.sort
        made = dict(self._attributes()).get("created_at")
        known = issubclass(self.model, Timestamped) and made is not None and self._is_shown("created_at", made)
        if known and self._may_sort_by("created_at"):
            return "-created_at"
        return ",".join(self._key_names)

    def _may_sort_by(self, name: str) -> bool:
        return self.resource.sortable is None or name in self.resource.sortable

    @cached_property
    def _key_names(self) -> list[str]:
        attributes: dict[Any, str] = {column: name for name, column in self._attributes()}
        return [attributes[column] for column in self.mapper.primary_key]

    # ----------------------------------------------------------------------------------------------- relations

    def _of_parent(self) -> set[str]:
        """The columns that the parent in the path gives."""
        if not self.resource.parent:
            return set()
        relation = self.mapper.relationships[self.resource.parent]
        return {self.mapper.get_property_by_column(column).key for column in relation.local_columns} - {"workspace_id"}

    def _relations(self, read: Access) -> Iterator[Relation]:
        for relation in sorted(self.mapper.relationships, key=lambda one: one.key):
            target = relation.mapper.class_
            declared = resource_of(target)
            if declared is None or relation.key in self.resource.hidden:
                continue
            self._refuse_custom_join(relation)
            shown = _compiler(target)  # type: ignore[arg-type]  # as above
            if not self._may_show(shown, read):
                continue
            yield Relation(
                name=relation.key,
                kind=kind_of(relation),
                target=shown.name,
                nullable=any(column.nullable for column in relation.local_columns),
                included=not any(needs_python(field.type) for field in shown.fields),
                linked=is_linked(relation),
                inverse=inverse_of(relation),
            )

    def _may_show(self, target: "_Compiler", read: Access) -> bool:
        """Who reads this row must not get to see what he could not read by itself.

        Rows of a workspace are shown beside rows of that workspace, where the session is bound to it; private rows
        never.
        """
        if not read.includes(target.access[0]):
            return False
        if issubclass(target.model, WorkspaceScoped):
            return issubclass(self.model, WorkspaceScoped) and read.role is not None
        return owner_column(target.model) is None

    def _refuse_custom_join(self, relation: RelationshipProperty[Any]) -> None:
        conditions = [
            condition
            for join in (relation.primaryjoin, relation.secondaryjoin)
            if join is not None
            for condition in (join.clauses if isinstance(join, BooleanClauseList) else [join])
        ]
        keys = [*relation.synchronize_pairs, *(relation.secondary_synchronize_pairs or ())]
        equal = all(getattr(condition, "operator", None) is eq for condition in conditions)
        if not equal or len(conditions) != len(keys):
            raise self._refuse(f"{relation.key} joins by more than keys: hide it, hidden=({relation.key!r},)")


def _names_of(sort: str) -> list[str]:
    return [part.removeprefix("-") for part in sort.split(",") if part]


def _first_paragraph(model: type[Any]) -> str:
    written = vars(model).get("__doc__") or ""
    return " ".join(written.strip().split("\n\n")[0].split())


def _table_name(table: FromClause) -> str:
    if not isinstance(table, Table):
        raise ResourceError(f"{table} cannot be served: it is no table and no view, but a statement")
    return str(table.name)
