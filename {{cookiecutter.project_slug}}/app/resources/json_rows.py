"""Rows as JSON that PostgreSQL writes, with what they lead to."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    func,
    inspect,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.orm import RelationshipProperty, aliased
from sqlalchemy.sql.selectable import LateralFromClause

from app.resources.catalog import Catalog
from app.resources.description import Entity
from app.resources.queries import Shape
from app.resources.types import as_json

# Rows of one included list. Who wants more asks for the list itself.
MOST_INCLUDED: Final = 100


class RowsAsJson:
    """Rows as JSON, with what they lead to."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def row(self, source: Any, entity: Entity, shape: Shape) -> ColumnElement[Any]:
        """The row of a model, or of an alias of one, as a JSON object."""
        item = self.item(source, entity, shape)
        return select(as_object(item)).correlate(inspect(source).selectable).scalar_subquery()

    def item(self, source: Any, entity: Entity, shape: Shape) -> LateralFromClause:
        """The same as columns, for `as_object`. PostgreSQL makes one query of it and of that whose FROM it stands in,
        where it would run `row` for each row.
        """
        selectable = inspect(source).selectable
        mapper = inspect(source).mapper
        columns: list[ColumnElement[Any]] = []
        for name in shape.fields:
            column = _of(selectable, mapper.columns[name])
            columns.append(as_json(entity.by_name[name].type, column).label(name))
        for name, below in shape.include.items():
            columns.append(self._related(selectable, mapper.relationships[name], entity, below).label(name))
        return select(*columns).correlate(selectable).lateral()

    def _related(
        self, source: FromClause, relation: RelationshipProperty[Any], entity: Entity, shape: Shape
    ) -> ColumnElement[Any]:
        described = entity.relation(relation.key)
        target = self._catalog.target(entity, relation.key)
        model = self._catalog.model_of(target)
        other = aliased(model)
        item = self.item(other, target, shape)
        wanted = (
            select(as_object(item).label("one"))
            .join_from(other, item, true())
            .where(*joined(source, relation, inspect(other).selectable))
            .correlate(source)
        )
        if not described.kind.many:
            return wanted.scalar_subquery()
        keys = [_of(inspect(other).selectable, column) for column in inspect(model).primary_key]
        listed = wanted.order_by(*keys).limit(MOST_INCLUDED).subquery()
        empty: ColumnClause[Any] = literal_column("'[]'::json")
        return select(func.coalesce(func.json_agg(listed.c.one), empty)).correlate(source).scalar_subquery()


def as_object(item: LateralFromClause) -> ColumnElement[Any]:
    """A row as JSON that is named after its columns."""
    return func.row_to_json(item.table_valued())


def joined(
    source: FromClause, relation: RelationshipProperty[Any], target: FromClause
) -> Iterator[ColumnElement[bool]]:
    """What holds between a row and those that the relation leads to."""
    if relation.secondary is None:
        for local, remote in relation.local_remote_pairs or ():
            yield _of(source, local) == _of(target, remote)
        return
    link = relation.secondary.alias()
    to_source = [_of(link, there) == _of(source, here) for here, there in relation.synchronize_pairs]
    to_target = [_of(link, there) == _of(target, here) for here, there in relation.secondary_synchronize_pairs or ()]
    yield select(literal(1)).select_from(link).where(*to_source, *to_target).correlate(source, target).exists()


def _of(source: FromClause, column: Any) -> Any:
    """The column as this table or alias has it."""
    return source.corresponding_column(column)
