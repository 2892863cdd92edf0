"""What is to be written: an entity whose every reference is found."""

from dataclasses import dataclass
from functools import cached_property

from app.models.resource import snake
from tools.scaffold import names
from tools.scaffold.existing import Target
from tools.scaffold.grammar import Field


@dataclass(frozen=True)
class Reference:
    """A field that leads to another entity, and what that is."""

    field: Field
    target: Target

    @property
    def column(self) -> str:
        """Where the key of the other row stands."""
        return f"{self.field.name}_id"


@dataclass(frozen=True)
class Entity:
    """What is to be written.

    `alters` are the references whose keys are made after all tables, `ambiguous` those whose target is reached by
    another key too. Tests send the references in `referred`, link those in `linked`, and
    first make a row of each of `required`, in this order.
    """

    name: str
    table: str
    sentence: str
    columns: tuple[Field, ...]
    refs: tuple[Reference, ...]
    many: tuple[Reference, ...]
    alters: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    required: tuple[Target, ...] = ()
    referred: tuple[Reference, ...] = ()
    linked: tuple[Reference, ...] = ()

    @property
    def one(self) -> str:
        """`order_line`, which is also the module."""
        return snake(self.name)

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/{self.table.replace('_', '-')}"

    @cached_property
    def owner(self) -> Reference | None:
        """The reference that is set to whoever makes the row."""
        return next((ref for ref in self.refs if ref.field.name == "owner" and ref.target.name == "User"), None)

    @property
    def sent_refs(self) -> list[Reference]:
        """The references that a client sends."""
        return [ref for ref in self.refs if ref is not self.owner]

    def association(self, ref: Reference) -> str:
        """The table behind a `many`."""
        return f"{self.one}_{ref.field.name}"


def enum_name(entity: str, field: Field) -> str:
    """The class of the field's words."""
    return f"{entity}{names.pascal(field.name)}"
