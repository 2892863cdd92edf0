"""What is written down: an entity, with the names that it has in code."""

import builtins
import keyword
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sqlalchemy import inspect

from app.models.base import WorkspaceScoped
from app.models.resource import Access, snake
from app.resources.catalog import Catalog
from app.resources.description import Entity, Key
from app.resources.operations import Operation
from app.services.resource import ResourceService

# What a module of explicit code calls by these names itself.
_TAKEN: Final = {
    *(
        "router",
        "status",
        "select",
        "aliased",
        "announced",
        "conditional",
        "documented",
        "as_list",
        "require_role",
        "datetime",
        "date",
        "time",
    ),
    *("data", "request", "reader", "uow", "expected", "caller", "user", "superuser", "writer", "made", "row", "rows"),
    *("given", "people", "client", "pytest", "httpx", "secrets", "count"),
}
_CLASSES: Final = {
    *(
        "APIRouter",
        "Router",
        "Request",
        "Response",
        "Depends",
        "Path",
        "Annotated",
        "Any",
        "Collection",
        "Repository",
        "Role",
    ),
    *("OneOrMany", "Once", "Expected", "Reads", "Uow", "Id", "Actor", "Member", "UnitOfWork", "Versions", "Select"),
    *("Caller", "CurrentUser", "OptionalCaller", "Superuser", "Viewer", "Writer", "WorkspaceUow", "WorkspaceReads"),
    *("NotFound", "Forbidden", "Conflict", "Stale", "Invalid", "Unauthenticated", "IdempotentRoute", "Sequence"),
    *("Decimal", "Digits", "UUID", "Literal", "User", "Person", "People", "ResourceService"),
}


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """The name, or one like it if it means something else already."""
    spoken_for = keyword.iskeyword(name) or name in dir(builtins) or name in _TAKEN or name in taken
    return f"{name}_" if spoken_for else name


@dataclass(frozen=True)
class Parameter:
    """A key in the path, as an argument."""

    key: Key
    name: str
    column: str


@dataclass(frozen=True)
class Subject:
    """An entity that becomes explicit code. `operations` are those that nobody has written yet."""

    entity: Entity
    catalog: Catalog
    operations: Sequence[Operation]
    hooks: type[ResourceService[Any]] | None = None

    @cached_property
    def model(self) -> type[Any]:
        """The mapped class."""
        return self.catalog.model_of(self.entity)

    @property
    def row(self) -> str:
        """What a row is called in code."""
        name = identifier(snake(self.entity.name))
        return "row" if name == self.rows else name

    @property
    def rows(self) -> str:
        """What the collection is called."""
        return collection_name(self.entity)

    @property
    def schema_module(self) -> str:
        return f"app.schemas.{identifier(snake(self.entity.name))}"

    @property
    def service_module(self) -> str:
        return f"app.services.{identifier(self.entity.plural)}"

    @property
    def router_module(self) -> str:
        return f"app.routers.{identifier(self.entity.plural)}"

    @property
    def test_file(self) -> Path:
        return Path("tests", "routers", f"test_{self.entity.plural}.py")

    @property
    def private(self) -> bool:
        """Whether rows are for their owner alone."""
        return self.entity.owner is not None and not self.entity.scoped

    @property
    def writes(self) -> bool:
        """Whether there is anything left that writes."""
        return any(operation.method != "GET" for operation in self.operations)

    @property
    def own_service(self) -> bool:
        """Whether there is a rule that no service has yet."""
        return self.writes and self.entity.owner is not None and self.hooks is None

    @property
    def changes_more(self) -> bool:
        """Whether a rule may change other fields than a client has sent."""
        hooks = self.hooks or ResourceService
        return any(
            getattr(hooks, name) is not getattr(ResourceService, name) for name in ("before_update", "after_update")
        )

    def does(self, *what: str) -> bool:
        """Whether any of these is to be written."""
        return any(operation.does in what for operation in self.operations)

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The keys of a row."""
        return parameters_of(self.entity.keys, class_name(self.model))

    @property
    def parent(self) -> Entity | None:
        """What the list is nested under."""
        return self.catalog.target(self.entity, self.entity.parent) if self.entity.parent else None

    def given_by_parent(self) -> dict[str, str]:
        """The columns that refer to the row in the path, each with the attribute of that row that it holds."""
        parent = self.parent
        if parent is None:
            return {}
        mapper, of_parent = inspect(self.model), inspect(self.catalog.model_of(parent))
        pairs = mapper.relationships[self.entity.parent].local_remote_pairs or ()
        named = {
            mapper.get_property_by_column(local).key: of_parent.get_property_by_column(remote).key
            for local, remote in pairs
        }
        return {name: other for name, other in named.items() if not (self.entity.scoped and name == "workspace_id")}


def parameters_of(keys: Sequence[Key], model: str) -> list[Parameter]:
    """The keys, as arguments of an endpoint."""
    return [Parameter(key, identifier(key.parameter), f"{model}.{key.field}") for key in keys]


def class_name(model: type[Any]) -> str:
    """What the model is called where it is imported."""
    return f"{model.__name__}Model" if model.__name__ in _CLASSES - {"User"} else model.__name__


def import_of(model: type[Any]) -> tuple[str, str]:
    """Where that name comes from, and what it is there."""
    name = class_name(model)
    return model.__module__, model.__name__ if name == model.__name__ else f"{model.__name__} as {name}"


def collection_name(entity: Entity) -> str:
    """What the rows of an entity are called."""
    return identifier(entity.plural)


def referred(model: type[Any]) -> Iterator[tuple[str, Any, str]]:
    """What has to be there before a row is: column, model that it refers to, and that model's attribute."""
    mapper = inspect(model)
    by_table = {other.local_table: other for other in mapper.registry.mappers}
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        scope = attribute.key == "workspace_id" and issubclass(model, WorkspaceScoped)
        if scope or column.nullable or column.server_default is not None or column.default is not None:
            continue
        for foreign in column.foreign_keys:
            other = by_table.get(foreign.column.table)
            if other is not None and other is not mapper:
                yield attribute.key, other.class_, other.get_property_by_column(foreign.column).key
                break


def is_written(entity: Entity) -> bool:
    return entity.write is not Access.nobody
