"""Every model that is served, or shown by others, with its description."""

from dataclasses import asdict, replace
from functools import cache, cached_property, partial
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import registry

from app.models.resource import resource_of
from app.resources import schemas
from app.resources.compilation import describe
from app.resources.declaration import ResourceError
from app.resources.description import Entity


class Catalog:
    """Models that say `__resource__`, in the order of their names."""

    def __init__(self, models: list[type[Any]]) -> None:
        self.entities: dict[str, Entity] = {}
        self._models: dict[str, type[Any]] = {}
        self._parts: dict[str, type[BaseModel]] = {}
        for model in models:
            entity = describe(model)  # type: ignore[arg-type]  # a class is hashable
            if entity.name in self.entities:
                raise ResourceError(f"Two models are called {entity.name}: give one another name, Resource(name=...)")
            self.entities[entity.name], self._models[entity.name] = entity, model

    @cached_property
    def _names(self) -> dict[type[Any], str]:
        return {model: name for name, model in self._models.items()}

    def entity_of(self, model: type[Any]) -> Entity:
        """Raises `ResourceError` for a model that says nothing of itself."""
        if model not in self._names:
            raise ResourceError(f"{model.__name__} has no __resource__ that says how it is served")
        return self.entities[self._names[model]]

    def model_of(self, entity: Entity) -> type[Any]:
        """The model that was described."""
        return self._models[entity.name]

    def as_json(self) -> dict[str, Any]:
        """Every entity, for whoever reads JSON and knows nothing of Python: sorted, and without what says nothing."""
        return {name: _said(asdict(entity)) for name, entity in sorted(self.entities.items())}

    def target(self, entity: Entity, relation: str) -> Entity:
        """What a relation leads to. Raises `KeyError`."""
        return self.shown(self.entities[entity.relation(relation).target])

    def shown(self, entity: Entity) -> Entity:
        """The entity as it is shown: without what a schema by hand leaves out, but for what its lists are sorted by."""
        by_hand = self._read_schema_by_hand(entity)
        return narrowed(entity, by_hand) if by_hand else entity

    def names_shown(self, entity: Entity) -> tuple[str, ...]:
        """What neighbours include of a row."""
        by_hand = self._read_schema_by_hand(entity)
        return tuple(field.name for field in entity.fields if by_hand is None or field.name in by_hand.model_fields)

    def read_schema(self, entity: Entity) -> type[BaseModel]:
        """What a client receives of a row: the schema of that name that somebody has written, or a generated one."""
        return self._read_schema_by_hand(entity) or schemas.read_schema(entity)

    def _read_schema_by_hand(self, entity: Entity) -> type[BaseModel] | None:
        by_hand = _by_hand.get(self.model_of(entity), ())
        return next((schema for schema in by_hand if schema.__name__ == schemas.read_name(entity)), None)

    def described(self, entity: Entity) -> Any:
        """An annotation that stands for `read_schema` in other schemas and is resolved when they are described: the
        module that has it written by hand may come later.
        """
        return schemas.described(partial(self.read_schema, entity))

    def part_schema(self, entity: Entity) -> type[BaseModel]:
        """What a client receives who asks for some fields, or for what they lead to."""
        if entity.name not in self._parts:
            targets = {one.name: self.described(self.entities[one.target]) for one in entity.relations}
            self._parts[entity.name] = schemas.part_schema(entity, targets)
        return self._parts[entity.name]


def narrowed(entity: Entity, schema: type[BaseModel]) -> Entity:
    """The entity with the fields that the schema has: what it leaves out cannot be asked for either."""
    if entity.by_name.keys() <= schema.model_fields.keys():
        return entity
    shown = schema.model_fields.keys() | entity.ordering
    return replace(entity, fields=tuple(field for field in entity.fields if field.name in shown))


_by_hand: dict[type[Any], list[type[BaseModel]]] = {}


def shown_by(model: type[Any], schema: type[BaseModel]) -> None:
    """Somebody has written a schema of what a client receives of the model's rows."""
    _by_hand.setdefault(model, []).append(schema)


def _said(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _said(value) for key, value in sorted(part.items()) if value not in (None, "", ())}
    return [_said(one) for one in part] if isinstance(part, list | tuple) else part


@cache
def _catalog(*models: registry) -> Catalog:
    mapped = sorted(
        (mapper.class_ for each in models for mapper in each.mappers), key=lambda model: str(model.__name__)
    )
    return Catalog([model for model in mapped if resource_of(model) is not None])


def catalog_of(*models: type[Any]) -> Catalog:
    """The catalog that the models belong to: that of their declarative bases, which is one as a rule."""
    return _catalog(*(model.registry for model in models))
