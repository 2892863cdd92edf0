import re
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from app.roles import Role
from app.schemas.base import NOT_SENT, Input, Output, Patch
from app.schemas.page import PageQuery, SortBy

# A name stands in the subject of mails: no line breaks and control characters, and nothing that turns the text around.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"


def _fits_on_a_line(value: object) -> object:
    if isinstance(value, str) and re.search(f"[{_UNFIT}]", value):
        raise ValueError("must not contain control characters")
    return value


# White space around it is dropped, so a name needs something else: said in the contract too.
WorkspaceName = Annotated[
    str,
    BeforeValidator(_fits_on_a_line),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Field(json_schema_extra={"pattern": rf"^[^{_UNFIT}]*[^{_UNFIT}\s][^{_UNFIT}]*$"}),
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
