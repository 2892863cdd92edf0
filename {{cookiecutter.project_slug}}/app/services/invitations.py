from datetime import UTC, datetime, timedelta

from app.auth.membership import Member, demand
from app.config import Settings
from app.database.unit_of_work import UnitOfWork
from app.errors import Conflict, Forbidden, NotFound
from app.models.workspace import Invitation, Workspace
from app.repositories import workspaces
from app.repositories.base import Repository
from app.roles import Role
from app.schemas.invitation import InvitationCreate
from app.services.audit import AuditLog
from app.services.members import MemberService
from app.services.outbox import Outbox


class InvitationService:
    """Inviting people into a workspace, each as at most what the one who invites is himself.

    No token is made here: the worker makes it when it sends the mail, and until then there is nothing to accept.
    """

    def __init__(self, uow: UnitOfWork, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._lifetime = timedelta(days=settings.invitation_expire_days)
        self._audit = audit
        self._members = MemberService(uow, audit)
        self._invitations = Repository(Invitation, uow.session)

    async def invite(self, inviter: Member, data: InvitationCreate) -> Invitation:
        """Invite an address, which may have an account or not.

        Raises `NotFound`; `Forbidden` for a role above the inviter's own, and for somebody whose own address is not
        verified; `Conflict` for a member, and for somebody who is invited already.
        """
        if inviter.user.email_verified_at is None:
            raise Forbidden("Verify your e-mail address first")  # or nobody would answer for what is sent to others
        workspace, own = await self._members.lock(inviter, Role.admin)
        demand(own, data.role)
        await self._refuse_known(workspace.id, data.email)
        invitation = await self._invitations.add(
            Invitation(
                workspace_id=workspace.id,
                email=data.email,
                role=data.role,
                invited_by_id=inviter.user.id,
                expires_at=datetime.now(UTC) + self._lifetime,
            )
        )
        await self._send(invitation, workspace, inviter)
        await self._record("member_invited", inviter, invitation)
        return invitation

    async def resend(self, admin: Member, invitation_id: int) -> None:
        """Send another mail. The token of the one before it is worth nothing from now on.

        Raises `NotFound`; `Forbidden` for an invitation to a role above the admin's own.
        """
        workspace, invitation = await self._find(admin, invitation_id)
        renewed = {"token_hash": None, "expires_at": datetime.now(UTC) + self._lifetime}
        await self._invitations.update(invitation, renewed)
        await self._send(invitation, workspace, admin)
        await self._record("invitation_resent", admin, invitation)

    async def revoke(self, admin: Member, invitation_id: int) -> None:
        """Take an invitation back. Raises `NotFound`, `Forbidden` as above."""
        _, invitation = await self._find(admin, invitation_id)
        await self._invitations.delete(invitation)
        await self._record("invitation_revoked", admin, invitation)

    async def _find(self, admin: Member, invitation_id: int) -> tuple[Workspace, Invitation]:
        workspace, own = await self._members.lock(admin, Role.admin)
        statement = workspaces.invitations_to(workspace.id).where(Invitation.id == invitation_id)
        invitation = await self._invitations.one_or_none(statement, for_update=True)
        if invitation is None:
            raise NotFound("Invitation")
        demand(own, invitation.role)
        return workspace, invitation

    async def _refuse_known(self, workspace_id: int, email: str) -> None:
        if await self._uow.session.scalar(workspaces.member_with_email(workspace_id, email)) is not None:
            raise Conflict("This address belongs to a member already")
        if await self._invitations.one_or_none(workspaces.invitation_of(workspace_id, email)) is not None:
            raise Conflict("This address is invited already: have the invitation resent")

    async def _send(self, invitation: Invitation, workspace: Workspace, inviter: Member) -> None:
        await Outbox(self._uow).put(
            "invitation",
            invitation.email,
            invitation_id=invitation.id,
            workspace=workspace.name,
            inviter=inviter.user.username,
        )

    async def _record(self, action: str, actor: Member, invitation: Invitation) -> None:
        details = {"invitation_id": invitation.id, "role": invitation.role}
        await self._audit.record(action, actor_id=actor.user.id, workspace_id=actor.workspace_id, **details)
