"""Statements of explicit code: as somebody would write them who knows the tables."""

from typing import Any

from sqlalchemy import Table, UniqueConstraint, inspect
from sqlalchemy.orm import RelationshipProperty

from app.models.resource import snake
from app.resources.description import Entity, Kind
from app.resources.operations import Operation, target_keys
from tools.eject.subject import Parameter, Subject, class_name, parameters_of


def own_rows(subject: Subject, user: str, of: str = "") -> list[str]:
    """What narrows a statement down to rows that are for their owner alone."""
    if not subject.private:
        return []
    return [f"{of or class_name(subject.model)}.{subject.entity.owner} == {user}"]


def named(subject: Subject, user: str = "") -> str:
    """The row that the path names."""
    conditions = [f"{one.column} == {one.name}" for one in subject.parameters] + (
        own_rows(subject, user) if user else []
    )
    return f"select({class_name(subject.model)}).where({', '.join(conditions)})"


def locked(subject: Subject, user: str = "") -> str:
    """The same for `one_or_none`, locked. Two rows that are linked with each other at once wait for nobody."""
    lock = ".with_for_update(key_share=True)" if subject.does("link") else ", for_update=True"
    return f"{named(subject, user)}{lock}"


def named_other(model: type[Any], parameters: list[Parameter]) -> str:
    """A row of another model that the path names."""
    conditions = ", ".join(f"{one.column} == {one.name}" for one in parameters)
    return f"select({class_name(model)}).where({conditions})"


def parent_parameters(subject: Subject) -> list[Parameter]:
    """The keys of what the list is nested under."""
    parent = subject.parent
    return parameters_of(parent.keys, class_name(subject.catalog.model_of(parent))) if parent else []


def target_parameters(subject: Subject, operation: Operation) -> list[Parameter]:
    """The keys of what a row is linked with."""
    target = target_of(operation)
    return parameters_of(target_keys(subject.entity, target), class_name(subject.catalog.model_of(target)))


def target_of(operation: Operation) -> Entity:
    assert operation.target is not None  # noqa: S101  # for mypy: it is an operation of a relation
    return operation.target


def beneath(subject: Subject, user: str) -> str:
    """The rows that belong to the parent in the path."""
    model = class_name(subject.model)
    relation = inspect(subject.model).relationships[subject.entity.parent or ""]
    parameters = parent_parameters(subject)
    given = {other: name for name, other in subject.given_by_parent().items()}
    parent = subject.catalog.model_of(subject.parent) if subject.parent else None
    own = own_rows(subject, user)
    if given.keys() == {one.key.field for one in parameters} and _keeps_to_workspace(subject.entity.scoped, relation):
        conditions = [f"{model}.{given[one.key.field]} == {one.name}" for one in parameters]
        return f"select({model}).where({', '.join(conditions + own)})"
    if parent is subject.model:
        conditions = [f"parent.{one.key.field} == {one.name}" for one in parameters]
        joined = f"select({model}).join({model}.{relation.key}.of_type(parent))"
        return f"parent = aliased({model})\n{joined}.where({', '.join(conditions + own)})"
    conditions = [f"{one.column} == {one.name}" for one in parameters]
    return f"select({model}).join({model}.{relation.key}).where({', '.join(conditions + own)})"


def related(subject: Subject, operation: Operation, user: str) -> str:
    """What the relation leads to. With a line before it where it takes one, for a model that refers to itself."""
    entity, model = subject.entity, class_name(subject.model)
    target = class_name(subject.catalog.model_of(target_of(operation)))
    relation = inspect(subject.model).relationships[_name(operation)]
    if direct := _direct(subject, operation, relation):
        return direct
    itself = target_of(operation) is entity
    source = snake(subject.model.__name__) + "_named" if itself else model
    conditions = [f"{source}.{one.key.field} == {one.name}" for one in subject.parameters]
    conditions += own_rows(subject, user, source)
    where = f".where({', '.join(conditions)})"
    way = f"{source}.{relation.key}"
    first = f"{source} = aliased({model})\n" if itself else ""
    if _once(relation):
        return f"{first}select({target}).select_from({source}).join({way}){where}"
    # The same two may be linked twice: a join would show the row as often.
    keys = [key.field for key in target_of(operation).keys]
    other = f"linked = aliased({target})\n"
    listed = ", ".join(f"linked.{key}" for key in keys)
    columns = ", ".join(f"{target}.{key}" for key in keys)
    left = f"tuple_({columns})" if len(keys) > 1 else columns
    inner = f"select({listed}).select_from({source}).join({way}.of_type(linked)){where}"
    return f"{first}{other}select({target}).where({left}.in_({inner}))"


def _direct(subject: Subject, operation: Operation, relation: RelationshipProperty[Any]) -> str:
    """By the column that refers to the row, where that says it all."""
    if operation.relation is None or operation.relation.kind is not Kind.one_to_many or subject.private:
        return ""
    target = subject.catalog.model_of(target_of(operation))
    mapper, of_target = inspect(subject.model), inspect(target)
    pairs = {
        mapper.get_property_by_column(local).key: of_target.get_property_by_column(remote).key
        for local, remote in relation.local_remote_pairs or ()
    }
    if subject.entity.scoped:
        if not target_of(operation).scoped or not _keeps_to_workspace(scoped=True, relation=relation):
            return ""
        pairs.pop("workspace_id", None)
    if pairs.keys() != {one.key.field for one in subject.parameters}:
        return ""
    name = class_name(target)
    conditions = ", ".join(f"{name}.{pairs[one.key.field]} == {one.name}" for one in subject.parameters)
    return f"select({name}).where({conditions})"


def _keeps_to_workspace(scoped: bool, relation: RelationshipProperty[Any]) -> bool:
    """Whether both ends are in one workspace because the foreign key says so."""
    pairs = relation.local_remote_pairs or ()
    return not scoped or any(local.key == remote.key == "workspace_id" for local, remote in pairs)


def _once(relation: RelationshipProperty[Any]) -> bool:
    """Whether two rows can be linked but once."""
    table = relation.secondary
    if table is None:
        return True
    linking = {there for _, there in [*relation.synchronize_pairs, *(relation.secondary_synchronize_pairs or ())]}
    assert isinstance(table, Table)  # noqa: S101  # what else is associated by is refused
    unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    return any(set(key.columns) <= linking for key in [table.primary_key, *unique] if len(key.columns))


def _name(operation: Operation) -> str:
    assert operation.relation is not None  # noqa: S101  # as above
    return operation.relation.name
