"""What SQLAlchemy knows of columns and relationships, asked in the words of the description."""

from typing import Any

from sqlalchemy import Column, LargeBinary, Table, TypeDecorator
from sqlalchemy.orm import RelationshipDirection, RelationshipProperty
from sqlalchemy.sql.schema import ColumnDefault

from app.resources.description import Kind


def kind_of(relation: RelationshipProperty[Any]) -> Kind:
    if relation.direction is RelationshipDirection.MANYTOONE:
        return Kind.many_to_one
    if relation.direction is RelationshipDirection.MANYTOMANY:
        return Kind.many_to_many
    return Kind.one_to_many if relation.uselist else Kind.one_to_one


def inverse_of(relation: RelationshipProperty[Any]) -> str | None:
    """The name of the relation that leads back over the same columns."""
    pairs = {(remote, local) for local, remote in relation.local_remote_pairs or ()}
    for back in relation.mapper.relationships:
        if back.mapper is relation.parent and set(back.local_remote_pairs or ()) == pairs:
            return str(back.key)
    return None


def is_linked(relation: RelationshipProperty[Any]) -> bool:
    """Whether a row of the association needs nothing but the keys of both."""
    if relation.viewonly or not isinstance(relation.secondary, Table):
        return False
    given = {there for _, there in [*relation.synchronize_pairs, *(relation.secondary_synchronize_pairs or ())]}
    return all(column in given or column.nullable or has_default(column) for column in relation.secondary.columns)


def has_default(column: Column[Any]) -> bool:
    return column.server_default is not None or isinstance(column.default, ColumnDefault)


def autoincremented(column: Column[Any]) -> Column[Any] | None:
    return column.table.autoincrement_column if isinstance(column.table, Table) else None


def is_binary(column: Column[Any]) -> bool:
    """Whether it holds bytes, for which JSON has no form, whatever Python makes of them."""
    of = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(of, LargeBinary)
