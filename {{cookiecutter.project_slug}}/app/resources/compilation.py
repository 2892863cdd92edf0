"""From a mapped class to its description. What cannot be served right is refused here, when the application starts."""

from collections.abc import Iterator
from functools import cache, cached_property
from operator import eq
from typing import Any

from sqlalchemy import FromClause, Table
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.sql.elements import BooleanClauseList

from app.models.resource import Access, resource_of, title_of
from app.resources.columns import Columns
from app.resources.declaration import Declaration, ResourceError
from app.resources.description import Entity, Field, Relation
from app.resources.mapping import inverse_of, is_linked, kind_of
from app.resources.rights import rights_of
from app.resources.types import needs_python


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
        self.declared = Declaration(model)

    @cached_property
    def rights(self) -> tuple[Access, Access]:
        return rights_of(self.declared)

    @cached_property
    def _columns(self) -> Columns:
        written = self.declared.resource.routes and self.rights[1] is not Access.nobody
        return Columns(self.declared, written=written)

    @property
    def fields(self) -> tuple[Field, ...]:
        return self._columns.fields

    def entity(self) -> Entity:
        declared = self.declared
        declared.refuse_inheritance()
        declared.refuse_unknown_names()
        columns = self._columns
        fields, keys = columns.fields, columns.keys
        read, write = self.rights
        relations = tuple(self._relations(read))
        self._refuse_parent({relation.name: relation for relation in relations})
        table = _table_name(declared.mapper.local_table)
        path = declared.resource.path.strip("/") or table.replace("_", "-")
        return Entity(
            name=declared.name,
            title=title_of(declared.model),
            plural=path.replace("-", "_").replace("/", "_"),
            path=f"/{path}",
            description=_first_paragraph(declared.model),
            table=table,
            scoped=declared.scoped,
            owner=declared.owner,
            read=read,
            write=write,
            sort=columns.sort,
            keys=keys,
            fields=fields,
            relations=relations,
            parent=declared.resource.parent or None,
            routes=declared.resource.routes,
            versioned=not declared.is_view,
        )

    def _relations(self, read: Access) -> Iterator[Relation]:
        for relation in sorted(self.declared.mapper.relationships, key=lambda one: one.key):
            target = relation.mapper.class_
            if resource_of(target) is None or relation.key in self.declared.resource.hidden:
                continue
            self._refuse_custom_join(relation)
            shown = _compiler(target)  # type: ignore[arg-type]  # as above
            if not self._may_show(shown, read):
                continue
            yield Relation(
                name=relation.key,
                kind=kind_of(relation),
                target=shown.declared.name,
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
        if not read.includes(target.rights[0]):
            return False
        if target.declared.scoped:
            return self.declared.scoped and read.role is not None
        return target.declared.owner is None

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
            reason = f"{relation.key} joins by more than keys: hide it, hidden=({relation.key!r},)"
            raise self.declared.refused(reason)

    def _refuse_parent(self, shown: dict[str, Relation]) -> None:
        parent = self.declared.resource.parent
        if parent and parent not in shown:
            reason = f"its parent {parent} is not served, or not for all who may read its rows"
            raise self.declared.refused(f"{reason}: let them read it, or read less")
        if parent and shown[parent].kind.many:
            raise self.declared.refused(f"its parent {parent} is a list: a row lies under one")


def _first_paragraph(model: type[Any]) -> str:
    written = vars(model).get("__doc__") or ""
    return " ".join(written.strip().split("\n\n")[0].split())


def _table_name(table: FromClause) -> str:
    if not isinstance(table, Table):
        raise ResourceError(f"{table} cannot be served: it is no table and no view, but a statement")
    return str(table.name)
