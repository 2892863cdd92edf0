from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Response, status

from app.auth.dependencies import Admin, CurrentUser, Insider, Owner
from app.dependencies import FreshReads, Id, Links, Workspaces
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated
from app.headers import announced
from app.idempotency import IdempotentRoute, Once
from app.models.workspace import Workspace
from app.problems import documented
from app.repositories.base import read_page
from app.repositories.workspaces import WORKSPACE, Shown, of_user
from app.routing import Router
from app.schemas.workspace import WorkspaceCreate, WorkspaceQuery, WorkspaceRead, WorkspaceUpdate

router = Router(prefix="/workspaces", tags=["workspaces"], route_class=IdempotentRoute)


@router.get(
    "", response_model=list[WorkspaceRead], responses=announced(200, "Link") | documented(Unauthenticated, Invalid)
)
async def list_workspaces(
    query: Annotated[WorkspaceQuery, Query()], user: CurrentUser, reader: FreshReads, links: Links
) -> Sequence[Shown]:
    """The workspaces that you are in."""
    page = await read_page(reader, of_user(user.id), WORKSPACE, query)
    links.announce(page, query)
    return page.items


@router.post(
    "",
    response_model=WorkspaceRead,
    status_code=status.HTTP_201_CREATED,
    responses=announced(201, "Location") | documented(Unauthenticated, Forbidden, Invalid),
)
async def create_workspace(
    data: WorkspaceCreate, user: CurrentUser, workspaces: Workspaces, response: Response, _once: Once
) -> Shown:
    """Make a workspace. You are its owner, and work in it from now on."""
    workspace = await workspaces.create(data.name, user)
    response.headers["Location"] = f"/workspaces/{workspace.id}"
    return await workspaces.show(workspace.id, user)


@router.get("/{workspace_id}", response_model=WorkspaceRead, responses=documented(Unauthenticated, NotFound, Invalid))
async def read_workspace(workspace_id: Id, user: CurrentUser, reader: FreshReads) -> Shown:
    """A workspace that you are in, and what you are there."""
    shown = await reader.one_or_none(of_user(user.id).where(Workspace.id == workspace_id))
    if shown is None:
        raise NotFound("Workspace")
    return shown


@router.patch(
    "/{workspace_id}",
    response_model=WorkspaceRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def update_workspace(data: WorkspaceUpdate, admin: Admin, workspaces: Workspaces) -> Shown:
    """Change what is sent, leave the rest."""
    return await workspaces.update(admin, data.changes())


@router.delete(
    "/{workspace_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def delete_workspace(owner: Owner, workspaces: Workspaces) -> None:
    """Delete a workspace with everything in it. Whoever worked there goes on in another one of his."""
    await workspaces.delete(owner)


@router.post(
    "/{workspace_id}/activate",
    response_model=WorkspaceRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def activate_workspace(member: Insider, workspaces: Workspaces) -> Shown:
    """Work in this workspace from now on: what you read and write is of this one."""
    return await workspaces.activate(member)
