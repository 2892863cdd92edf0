from app.auth.membership import Member, demand
from app.database.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound
from app.models.workspace import Membership, Workspace
from app.repositories import users, workspaces
from app.repositories.base import Repository
from app.repositories.workspaces import Shown
from app.roles import Role
from app.services.audit import AuditLog


class MemberService:
    """Who is in a workspace, and as what.

    An admin has everybody in his hands but the owners; an owner has them too. Whoever he is, a workspace never loses
    its last owner.
    """

    def __init__(self, uow: UnitOfWork, audit: AuditLog) -> None:
        self._uow = uow
        self._audit = audit
        self._memberships = Repository(Membership, uow.session)

    async def lock(self, actor: Member, required: Role) -> tuple[Workspace, Role]:
        """The workspace, and what the actor is in it by now. Whoever changes something there comes this way first.

        So changes come one after the other, each sees what the one before it has done, and nobody acts by a role that
        he has just lost. Raises `NotFound` if he is no member any more, `Forbidden` if his role is too low.
        """
        workspace = await Repository(Workspace, self._uow.session).one_or_none(workspaces.locked(actor.workspace_id))
        current = await self._memberships.one_or_none(workspaces.membership(actor.workspace_id, actor.user.id))
        if workspace is None or current is None:
            raise NotFound("Workspace")
        demand(current.role, required)
        return workspace, current.role

    async def change_role(self, actor: Member, user_id: int, role: Role | None) -> Shown:
        """Make a member something else; `None` leaves him what he is.

        Raises `NotFound`; `Forbidden` when the actor's role does not include both, what the member was and what he is
        to be; `Conflict` for the last owner.
        """
        _, own = await self.lock(actor, Role.admin)
        member = await self._find(actor.workspace_id, user_id)
        before, after = member.role, role or member.role
        demand(own, before)
        demand(own, after)
        if before is not after:
            await self._leave_an_owner(member)
            await self._memberships.update(member, {"role": after})
            if not after.includes(Role.admin):  # he could not make them now
                await self._uow.session.execute(workspaces.withdraw_invitations(actor.workspace_id, user_id))
            await self._record("role_changed", actor, user_id=user_id, before=before, after=after)
        shown = workspaces.members_of(actor.workspace_id).where(Membership.user_id == user_id)
        return (await self._uow.session.scalars(shown)).one()

    async def remove(self, actor: Member, user_id: int) -> None:
        """End a membership: another's as an admin, one's own as anybody. What he has written stays.

        Raises `NotFound`; `Forbidden`; `Conflict` for the last owner.
        """
        _, own = await self.lock(actor, Role.viewer if user_id == actor.user.id else Role.admin)
        member = await self._find(actor.workspace_id, user_id)
        demand(own, member.role)
        await self._leave_an_owner(member)
        # The user before the membership: a second removal, from elsewhere, waits here and sees what is left of this.
        await self._uow.session.execute(users.locked(user_id))
        await self._uow.session.execute(workspaces.fall_back(actor.workspace_id, user_id))
        await self._memberships.delete(member)
        await self._record("member_removed", actor, user_id=user_id, role=member.role)

    async def transfer(self, owner: Member, user_id: int) -> Shown:
        """Make another member owner, and the owner who says so admin.

        Raises `NotFound`; `Forbidden` for anybody but an owner; `Conflict` for himself.
        """
        await self.lock(owner, Role.owner)
        heir = await self._find(owner.workspace_id, user_id)
        if user_id == owner.user.id:
            raise Conflict("You are the owner already")
        former = await self._find(owner.workspace_id, owner.user.id)
        await self._memberships.update(heir, {"role": Role.owner})
        await self._memberships.update(former, {"role": Role.admin})
        await self._record("ownership_transferred", owner, user_id=user_id)
        shown = workspaces.of_user(owner.user.id).where(Workspace.id == owner.workspace_id)
        return (await self._uow.session.scalars(shown)).one()

    async def _find(self, workspace_id: int, user_id: int) -> Membership:
        member = await self._memberships.one_or_none(workspaces.membership(workspace_id, user_id))
        if member is None:
            raise NotFound("Member")
        return member

    async def _leave_an_owner(self, member: Membership) -> None:
        beside = workspaces.owners_beside(member.workspace_id, member.user_id).limit(1)
        if member.role is Role.owner and await self._uow.session.scalar(beside) is None:
            raise Conflict("A workspace never loses its last owner: make another member owner first")

    async def _record(self, action: str, actor: Member, **details: int | Role) -> None:
        await self._audit.record(action, actor_id=actor.user.id, workspace_id=actor.workspace_id, **details)
