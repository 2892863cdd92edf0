from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from app.roles import Role
from app.schemas.base import NOT_SENT, Input, Output, Patch
from app.schemas.page import PageQuery, SortBy

# White space around it is dropped, so a name needs something else: said in the contract too.
WorkspaceName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Field(json_schema_extra={"pattern": r"^[^\x00]*[^\x00\s][^\x00]*$"}),
]


class WorkspaceCreate(Input):
    name: WorkspaceName


class WorkspaceUpdate(Patch):
    name: WorkspaceName = NOT_SENT


class WorkspaceRead(Output):
    """A workspace, and what the caller is in it. `active` is the one that he works in."""

    id: int
    name: str
    role: Role
    active: bool
    created_at: datetime
    updated_at: datetime


class WorkspaceQuery(PageQuery):
    """Which workspaces, in which order."""

    sort: Annotated[str, SortBy("name", "created_at", "id")] = "name"
