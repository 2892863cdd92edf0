from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Response, status

from app.auth.dependencies import Admin, OptionalCaller
from app.dependencies import ClientThrottle, FreshReads, Id, Invitations, Joining, Links
from app.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated
from app.headers import announced
from app.idempotency import IdempotentRoute, Once
from app.models.workspace import Invitation
from app.problems import documented
from app.repositories.base import read_page
from app.repositories.workspaces import Shown, invitations_to
from app.routing import Router
from app.schemas.invitation import InvitationAccept, InvitationCreate, InvitationQuery, InvitationRead
from app.schemas.workspace import WorkspaceRead

router = Router(tags=["invitations"], route_class=IdempotentRoute)


@router.get(
    "/workspaces/{workspace_id}/invitations",
    response_model=list[InvitationRead],
    responses=announced(200, "Link") | documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def list_invitations(
    query: Annotated[InvitationQuery, Query()], admin: Admin, reader: FreshReads, links: Links
) -> Sequence[Invitation]:
    """Who is invited, and has not accepted yet."""
    page = await read_page(reader, invitations_to(admin.workspace_id), Invitation, query)
    links.announce(page, query)
    return page.items


@router.post(
    "/workspaces/{workspace_id}/invitations",
    response_model=InvitationRead,
    status_code=status.HTTP_201_CREATED,
    responses=announced(201, "Location")
    | documented(Unauthenticated, Forbidden, NotFound, Conflict, Invalid, TooManyRequests),
)
async def create_invitation(
    data: InvitationCreate,
    admin: Admin,
    throttle: ClientThrottle,
    invitations: Invitations,
    response: Response,
    _once: Once,
) -> Invitation:
    """Invite somebody by mail, as at most what you are yourself.

    The mail has a token for `POST /invitations/accept`.
    """
    await throttle.invite(admin.user.id, data.email)
    invitation = await invitations.invite(admin, data)
    response.headers["Location"] = f"/workspaces/{admin.workspace_id}/invitations/{invitation.id}"
    return invitation


@router.get(
    "/workspaces/{workspace_id}/invitations/{invitation_id}",
    response_model=InvitationRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def read_invitation(invitation_id: Id, admin: Admin, reader: FreshReads) -> Invitation:
    """One invitation."""
    statement = invitations_to(admin.workspace_id).where(Invitation.id == invitation_id)
    invitation = await reader.one_or_none(statement)
    if invitation is None:
        raise NotFound("Invitation")
    return invitation


@router.delete(
    "/workspaces/{workspace_id}/invitations/{invitation_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def revoke_invitation(invitation_id: Id, admin: Admin, invitations: Invitations) -> None:
    """Take an invitation back. Its token is worth nothing from now on."""
    await invitations.revoke(admin, invitation_id)


@router.post(
    "/workspaces/{workspace_id}/invitations/{invitation_id}/resend",
    status_code=status.HTTP_202_ACCEPTED,
    response_class=Response,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid, TooManyRequests),
)
async def resend_invitation(
    invitation_id: Id, admin: Admin, throttle: ClientThrottle, invitations: Invitations, _once: Once
) -> None:
    """Send another mail with a new token. The one before it is worth nothing from now on."""
    await throttle.invite(admin.user.id, f"invitation {invitation_id}")
    await invitations.resend(admin, invitation_id)


@router.post(
    "/invitations/accept",
    response_model=WorkspaceRead,
    responses=documented(Unauthenticated, Forbidden, Conflict, Invalid, TooManyRequests),
)
async def accept_invitation(
    data: InvitationAccept, throttle: ClientThrottle, caller: OptionalCaller, joining: Joining, _once: Once
) -> Shown:
    """Join a workspace with the token from the mail.

    Logged in, you join as yourself, and the invitation has to be for your address. Otherwise you get a new account,
    which takes a user name and a password. Either way the address counts as verified.
    """
    await throttle.attempt()
    return await joining.accept(data, caller.user if caller else None)
