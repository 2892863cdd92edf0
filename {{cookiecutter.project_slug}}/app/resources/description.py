"""What is served, told without a word of SQLAlchemy's, Pydantic's or FastAPI's: `ir.json` is this.

Schemas, queries, routes and OpenAPI are all made from it, so they cannot say different things.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from app.models.resource import Access


@dataclass(frozen=True)
class Type:
    """What a column holds. `kind` is one of the names in `app.resources.types`, `least` and `length` say how long a
    text is.
    """

    kind: str
    least: int | None = None
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    choices: tuple[str, ...] = ()
    item: "Type | None" = None


class Taken(StrEnum):
    """Whether a client sends a field when a row is made."""

    required = "required"
    optional = "optional"
    never = "never"


@dataclass(frozen=True)
class Field:
    """A column that is shown."""

    name: str
    type: Type
    nullable: bool
    created: Taken
    updated: bool
    filterable: bool
    sortable: bool
    searchable: bool


class Kind(StrEnum):
    """How many rows a relation leads to, and by what."""

    many_to_one = "many-to-one"
    one_to_one = "one-to-one"
    one_to_many = "one-to-many"
    many_to_many = "many-to-many"

    @property
    def many(self) -> bool:
        """Whether it leads to a list."""
        return self in {Kind.one_to_many, Kind.many_to_many}


@dataclass(frozen=True)
class Relation:
    """A way from a row to others. `target` is the name of their entity.

    `included` are those that `include=` takes, `linked` those whose association can be written. `inverse` is the
    relation that leads from there back over the same columns.
    """

    name: str
    kind: Kind
    target: str
    nullable: bool
    included: bool
    linked: bool
    inverse: str | None = None


@dataclass(frozen=True)
class Key:
    """A part of what names a row in a path."""

    field: str
    parameter: str
    type: Type


@dataclass(frozen=True)
class Entity:
    """A model as an API."""

    name: str
    title: str
    plural: str
    path: str
    description: str
    table: str
    scoped: bool
    owner: str | None
    read: Access
    write: Access
    sort: str
    keys: tuple[Key, ...]
    fields: tuple[Field, ...]
    relations: tuple[Relation, ...]
    parent: str | None
    routes: bool
    versioned: bool

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields that are shown."""
        return {field.name: field for field in self.fields}

    @cached_property
    def ordering(self) -> set[str]:
        """The fields by which a list is sorted that nobody sorts, the keys last."""
        return {part.removeprefix("-") for part in self.sort.split(",")} | {key.field for key in self.keys}

    def relation(self, name: str) -> Relation:
        """Raises `KeyError`."""
        return {relation.name: relation for relation in self.relations}[name]

    @property
    def item_path(self) -> str:
        """The path of one row: `/tags/{tag_id}`."""
        return self.path + "".join(f"/{{{key.parameter}}}" for key in self.keys)
