import re
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MOST_AT_ONCE: Final = 100
_HALF: Final = re.compile(r"[\ud800-\udfff]")

One = TypeVar("One", bound=BaseModel)


# Of PostgreSQL's text, which holds every character but NUL.
TEXT_PATTERN: Final = r"^[^\x00]*$"


def document_text(schema: dict[str, Any]) -> None:
    """Say of all text in the schema that it holds no NUL."""
    for field in schema.get("properties", {}).values():
        variants = field.get("anyOf", [field])  # a string, or a string or null
        for variant in [*variants, *(one["items"] for one in variants if "items" in one)]:
            if variant.get("type") == "string" and not variant.keys() & {"pattern", "format", "enum", "const"}:
                variant["pattern"] = TEXT_PATTERN


# The default of every field of a `Patch`: not there, which is something other than null.
NOT_SENT: Any = Field(default_factory=lambda: None)


class Input(BaseModel):
    """What a client sends. A field that nobody knows is an error, not a silence: it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=document_text)

    @field_validator("*", mode="after")
    @classmethod
    def _is_storable(cls, value: Any) -> Any:
        """PostgreSQL's text holds every character but NUL, and no half of a pair, which JSON can write."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "\0" in text:
                raise ValueError("must not contain NUL characters")
            if isinstance(text, str) and _HALF.search(text):
                raise ValueError("must not contain half a character")
        return value

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, and not those that have a default."""
        return self.model_dump(exclude_unset=True)


class Patch(Input):
    """A merge: fields that were sent replace, the others stay. `null` is refused where the column is NOT NULL."""

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return Input.sent(self)


class _OneOrMany:
    """Of an array what is wrong is told with its place: `[body, 2, name]`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_each, handler.generate_schema(get_args(source)[0]))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one = handler(schema)
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_AT_ONCE}]}


def _each(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, list):
        return validate(value)
    if not 1 <= len(value) <= MOST_AT_ONCE:
        raise ValueError(f"an array holds 1 to {MOST_AT_ONCE}, this one {len(value)}")
    return [validate(item, place) for place, item in enumerate(value)]


# A body that is one thing, or an array of them: all are made, or none.
OneOrMany = Annotated[One | list[One], _OneOrMany()]


def as_list(data: One | list[One]) -> list[One]:
    """What was sent, as an array in any case."""
    return data if isinstance(data, list) else [data]


class Output(BaseModel):
    """What a client receives, read from a model's attributes."""

    model_config = ConfigDict(from_attributes=True)
