"""What a model says of itself as an API. `app.resources` makes the API of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.models.base import Owned
from app.roles import Role


class Access(StrEnum):
    """Who may do something. Each may do what is allowed to those before."""

    anyone = "anyone"
    user = "user"
    viewer = "viewer"
    member = "member"
    admin = "admin"
    owner = "owner"
    superuser = "superuser"
    nobody = "nobody"

    @property
    def role(self) -> Role | None:
        """The role in the active workspace that it takes, where it takes one."""
        return Role[self.name] if self.name in Role.__members__ else None

    def includes(self, other: "Access") -> bool:
        """Whether who has this may do what is allowed to the other."""
        order = list(Access)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A model opts in with `__resource__ = Resource()`: its rows are listed, made, read, changed and deleted over HTTP.

    `path` is where; by default the table's name, with hyphens.
    `read` and `write` say who may. By default the rows of a workspace are for its viewers and members, rows with an
    owner and no workspace for that owner, and all others are read by every user and written by superusers.
    `hidden` columns are never shown or taken. What is named like a secret is hidden anyway, unless `fields` names it.
    `fields` turns that round: these columns and no others.
    `read_only` columns are shown and never taken. Keys that the server makes, times of changes and computed columns
    are read-only anyway.
    `searchable` columns are those that `q=` looks into.
    `sortable` narrows what a list may be sorted by; by default everything shown that has an order.
    `sort` is the order of a list that nobody sorts, such as `-created_at`.
    `owner` is the column with the user that a row belongs to, set to who makes it; `Owned` brings one along.
    Only he and the admins of the workspace change or delete the row.
    `parent` is the relationship under whose rows these are listed and made: `/articles/{article_id}/comments`.
    `name` is what it is called in schemas and messages, instead of the class's name.
    `routes=False`: the routes are written by hand; this only says how others show its rows.
    """

    path: str = ""
    read: Access | None = None
    write: Access | None = None
    fields: Sequence[str] = ()
    hidden: Sequence[str] = ()
    read_only: Sequence[str] = ()
    searchable: Sequence[str] = ()
    sortable: Sequence[str] | None = None
    sort: str = ""
    owner: str = ""
    parent: str = ""
    name: str = ""
    routes: bool = True


def resource_of(model: type[Any]) -> Resource | None:
    """What the model says of itself; not what a parent class says."""
    found: Resource | None = vars(model).get("__resource__")
    return found


def owner_column(model: type[Any]) -> str | None:
    """The column with the user that a row belongs to, if the model has one."""
    resource = resource_of(model)
    if resource is not None and resource.owner:
        return resource.owner
    return "owner_id" if issubclass(model, Owned) else None


def snake(name: str) -> str:
    """`OrderLine` is an `order_line`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def title_of(model: type[Any]) -> str:
    """What a row is called in messages: `Order line`."""
    resource = resource_of(model)
    name = resource.name if resource is not None and resource.name else model.__name__
    return snake(name).replace("_", " ").capitalize()
