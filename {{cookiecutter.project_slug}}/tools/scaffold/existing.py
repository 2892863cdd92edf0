"""What the project has already, as far as a new entity could get in its way or refer to it."""

from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts
from sqlalchemy import inspect

from app.models.base import Declarative, WorkspaceScoped
from app.models.resource import Access, owner_column, resource_of
from app.resources.catalog import catalog_of
from app.resources.types import needs_python


@dataclass(frozen=True)
class Target:
    """An entity that others may refer to.

    `needs` are the entities that a row of it cannot be made without; `shown`, whether `include=` shows it beside rows
    of a workspace.
    """

    name: str
    module: str
    table: str
    scoped: bool
    needs: tuple[str, ...] = ()
    shown: bool = True


@dataclass(frozen=True)
class Existing:
    """Names that are taken, and what may be referred to."""

    targets: dict[str, Target]
    classes: frozenset[str]
    tables: frozenset[str]
    schemas: frozenset[str]
    operations: frozenset[str]
    segments: frozenset[str]


def existing() -> Existing:
    """Look at the application as it is."""
    from app.main import app  # noqa: PLC0415  # it takes a second, which a misspelt field need not wait for

    described = app.openapi()
    operations = [one for path in described["paths"].values() for one in path.values()]
    models = [mapper.class_ for mapper in Declarative.registry.mappers]
    paths = [*described["paths"], *(context.path_format or "" for context in iter_route_contexts(app.routes))]
    return Existing(
        targets={model.__name__: _target(model) for model in models if _is_target(model)},
        classes=frozenset(model.__name__ for model in models) | catalog_of(Declarative).entities.keys(),
        tables=frozenset(Declarative.metadata.tables),
        schemas=frozenset(described["components"]["schemas"]),
        operations=frozenset(one["operationId"] for one in operations),
        segments=frozenset(path.split("/")[1] for path in paths if path.startswith("/")),
    )


def _is_target(model: type[Any]) -> bool:
    return resource_of(model) is not None and [key.name for key in inspect(model).primary_key] == ["id"]


def _target(model: type[Any]) -> Target:
    entity = catalog_of(Declarative).entity_of(model)
    private = not entity.scoped and entity.owner is not None
    return Target(
        name=model.__name__,
        module=model.__module__,
        table=entity.table,
        scoped=issubclass(model, WorkspaceScoped),
        needs=tuple(dict.fromkeys(_needs(model))),
        shown=Access.viewer.includes(entity.read) and not private and not any(map(_is_slow, entity.fields)),
    )


def _is_slow(field: Any) -> bool:
    return needs_python(field.type)


def _needs(model: type[Any]) -> list[str]:
    by_table = {mapper.local_table: mapper.class_.__name__ for mapper in Declarative.registry.mappers}
    return [
        by_table[key.referred_table]
        for key in inspect(model).local_table.foreign_key_constraints
        if not any(column.nullable for column in key.columns)
        and {column.name for column in key.columns} != {"workspace_id"}
        and owner_column(model) not in {column.name for column in key.columns}
    ]
