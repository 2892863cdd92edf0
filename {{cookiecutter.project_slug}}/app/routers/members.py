from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, status

from app.auth.dependencies import Admin, Insider, Owner
from app.dependencies import FreshReads, Id, Links, Members
from app.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from app.headers import announced
from app.problems import documented
from app.repositories.base import read_page
from app.repositories.workspaces import MEMBER, Shown, members_of
from app.routing import Router
from app.schemas.member import MemberQuery, MemberRead, MemberUpdate, OwnershipTransfer
from app.schemas.workspace import WorkspaceRead

router = Router(prefix="/workspaces/{workspace_id}", tags=["members"])


@router.get(
    "/members",
    response_model=list[MemberRead],
    responses=announced(200, "Link") | documented(Unauthenticated, NotFound, Invalid),
)
async def list_members(
    query: Annotated[MemberQuery, Query()], member: Insider, reader: FreshReads, links: Links
) -> Sequence[Shown]:
    """Who is in the workspace."""
    page = await read_page(reader, members_of(member.workspace_id), MEMBER, query)
    links.announce(page, query)
    return page.items


@router.patch(
    "/members/{user_id}",
    response_model=MemberRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Conflict, Invalid),
)
async def update_member(user_id: Id, data: MemberUpdate, admin: Admin, members: Members) -> Shown:
    """Make a member something else. Only owners make owners, or change what an owner is.

    The last owner stays one.
    """
    return await members.change_role(admin, user_id, data.changes().get("role"))


@router.delete(
    "/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, NotFound, Conflict, Invalid),
)
async def remove_member(user_id: Id, member: Insider, members: Members) -> None:
    """Remove a member, for admins; or leave, for anybody. What he has written stays.

    Only owners remove owners, and the last one stays.
    """
    await members.remove(member, user_id)


@router.post(
    "/transfer",
    response_model=WorkspaceRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Conflict, Invalid),
)
async def transfer_ownership(data: OwnershipTransfer, owner: Owner, members: Members) -> Shown:
    """Make another member owner in your place. You stay as an admin."""
    return await members.transfer(owner, data.user_id)
