from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


def _document_text(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        for variant in field.get("anyOf", [field]):  # a string, or a string or null
            if variant.get("type") == "string" and not variant.keys() & {"pattern", "format", "enum", "const"}:
                variant["pattern"] = r"^[^\x00]*$"


# The default of every field of a `Patch`: not there, which is something other than null.
NOT_SENT: Any = Field(default_factory=lambda: None)


class Input(BaseModel):
    """What a client sends. A field that nobody knows is an error, not a silence: it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_document_text)

    @field_validator("*", mode="after")
    @classmethod
    def _is_storable(cls, value: Any) -> Any:
        """PostgreSQL's text holds every character but NUL."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError("must not contain NUL characters")
        return value


class Patch(Input):
    """A merge: fields that were sent replace, the others stay. `null` is refused where the column is NOT NULL."""

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class Output(BaseModel):
    """What a client receives, read from a model's attributes."""

    model_config = ConfigDict(from_attributes=True)
