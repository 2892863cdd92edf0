"""The Pydantic schemas of a description, named and shaped as they would be by hand."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, GetJsonSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.resources.description import Entity, Field, Kind, Taken
from app.resources.types import sent, shown
from app.schemas.base import NOT_SENT, Input, Output, Patch

Schema = TypeVar("Schema", bound=BaseModel)


@cache
def create_schema(entity: Entity) -> type[Input]:
    """What a client sends to make a row."""
    fields: dict[str, Any] = {
        field.name: (_sent(field), ... if field.created is Taken.required else NOT_SENT)
        for field in entity.fields
        if field.created is not Taken.never
    }
    return _named(f"{entity.name}Create", Input, fields)


@cache
def update_schema(entity: Entity) -> type[Patch]:
    """What a client sends to change a row."""
    fields: dict[str, Any] = {field.name: (_sent(field), NOT_SENT) for field in entity.fields if field.updated}
    return _named(f"{entity.name}Update", Patch, fields)


@cache
def read_schema(entity: Entity) -> type[Output]:
    """What a client receives."""
    fields: dict[str, Any] = {field.name: (_shown(field), ...) for field in entity.fields}
    return _named(read_name(entity), Output, fields)


def read_name(entity: Entity) -> str:
    """What the schema is called, by whomever it is written."""
    return f"{entity.name}Read"


def part_schema(entity: Entity, targets: Mapping[str, Any]) -> type[Output]:
    """What a client receives who has asked with `fields` or `include`: some of the fields, and what they lead to.

    `targets` are the schemas of the relations that may be included.
    """
    fields: dict[str, Any] = {field.name: (_shown(field), NOT_SENT) for field in entity.fields}
    for relation in entity.relations:
        if relation.included:
            target = targets[relation.name]
            optional = relation.nullable or relation.kind is Kind.one_to_one
            one = target | None if optional else target
            fields[relation.name] = (list[target] if relation.kind.many else one, NOT_SENT)  # type: ignore[valid-type]
    return _named(f"{entity.name}Part", Output, fields)


def _named(name: str, base: type[Schema], fields: dict[str, Any]) -> type[Schema]:
    with warnings.catch_warnings():  # a column may be called like a method, such as `copy`: call those of the base
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute")
        return create_model(name, __base__=base, __module__=__name__, **fields)


@dataclass(frozen=True)
class _Described:
    """Annotates what looks like a schema that is found when the description is written."""

    find: Callable[[], type[BaseModel]]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Within another schema a model is referred to by its name.
        return handler(core_schema.definitions_schema(self.find().__pydantic_core_schema__, []))


def described(find: Callable[[], type[BaseModel]]) -> Any:
    """An annotation that takes anything, and is described as what is found."""
    return Annotated[Any, _Described(find)]


def _sent(field: Field) -> Any:
    return sent(field.type) | None if field.nullable else sent(field.type)


def _shown(field: Field) -> Any:
    return shown(field.type) | None if field.nullable else shown(field.type)


def is_plain(schema: type[BaseModel], entity: Entity) -> bool:
    """Whether the schema shows these columns as they are, so that PostgreSQL can write it."""
    said = schema.__pydantic_decorators__
    changed = (said.field_serializers, said.model_serializers, said.computed_fields)
    checked = (said.field_validators, said.model_validators, said.validators, said.root_validators)
    if schema.model_fields.keys() != entity.by_name.keys() or any((*changed, *checked)):
        return False
    generated = read_schema(entity).model_fields
    return all(_is_shown_alike(field, generated[name]) for name, field in schema.model_fields.items())


def _is_shown_alike(field: FieldInfo, generated: FieldInfo) -> bool:
    """Whether both are of one type, and nothing is said of the one that is not said of the other."""
    if field.alias or field.serialization_alias or field.exclude:
        return False
    (type_by_hand, said), (type_generated, known) = (_parts(one.annotation) for one in (field, generated))
    return type_by_hand == type_generated and all(
        one in [*known, *generated.metadata] for one in [*said, *field.metadata]
    )


def _parts(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without what is annotated to it, and that."""
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        of, more = _parts(inner)
        return of, [*more, *said]
    if get_origin(annotation) is Literal or not get_args(annotation):
        return annotation, []
    inside = [_parts(one) for one in get_args(annotation)]
    origin = Union if get_origin(annotation) is UnionType else get_origin(annotation)
    return (origin, tuple(of for of, _ in inside)), [one for _, said in inside for one in said]
