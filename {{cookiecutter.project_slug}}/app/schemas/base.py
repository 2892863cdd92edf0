from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _storable(value: str) -> str:
    """PostgreSQL's text holds every character but NUL."""
    if "\0" in value:
        raise ValueError("must not contain NUL characters")
    return value


# Text from outside. Use it, not `str`, in every schema of input.
PlainText = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]

# The default of every field of a `Patch`: not there, which is something other than null.
NOT_SENT: Any = Field(default_factory=lambda: None)


class Input(BaseModel):
    """What a client sends. A field that nobody knows is an error, not a silence: it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class Patch(Input):
    """A merge: fields that were sent replace, the others stay. `null` is refused where the column is NOT NULL."""

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class Output(BaseModel):
    """What a client receives, read from a model's attributes."""

    model_config = ConfigDict(from_attributes=True)
