from typing import Any

from sqlalchemy import delete

from app.auth.membership import Member
from app.config import Settings
from app.database.unit_of_work import UnitOfWork
from app.errors import NotFound
from app.models.user import User
from app.models.workspace import Membership, Workspace
from app.repositories import users, workspaces
from app.repositories.base import Repository
from app.repositories.workspaces import Shown
from app.roles import Role
from app.services.audit import AuditLog
from app.services.members import MemberService


class WorkspaceService:
    """Workspaces, and which of them somebody works in."""

    def __init__(self, uow: UnitOfWork, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._settings = settings
        self._audit = audit
        self._members = MemberService(uow, audit)

    async def create(self, name: str, owner: User) -> Workspace:
        """A new workspace, which its owner works in from now on."""
        workspace = await Repository(Workspace, self._uow.session).add(Workspace(name=name))
        membership = Membership(workspace_id=workspace.id, user_id=owner.id, role=Role.owner)
        await Repository(Membership, self._uow.session).add(membership)
        owner = await self._uow.session.get_one(User, owner.id)  # the caller of a request was read elsewhere
        await Repository(User, self._uow.session).update(owner, {"active_workspace_id": workspace.id})
        await self._audit.record("workspace_created", actor_id=owner.id, workspace_id=workspace.id)
        return workspace

    async def show(self, workspace_id: int, user: User) -> Shown:
        """The workspace as the user sees it by now. Raises `NotFound` if he is not in it."""
        statement = workspaces.of_user(user.id).where(Workspace.id == workspace_id)
        shown = (await self._uow.session.scalars(statement)).one_or_none()
        if shown is None:
            raise NotFound("Workspace")
        return shown

    async def update(self, admin: Member, changes: dict[str, Any]) -> Shown:
        """Change the named fields. Raises `NotFound`, `Forbidden`."""
        workspace, _ = await self._members.lock(admin, Role.admin)
        await Repository(Workspace, self._uow.session).update(workspace, changes)
        return await self.show(workspace.id, admin.user)

    async def delete(self, owner: Member) -> None:
        """Delete the workspace with everything in it. Whoever works there goes on in another one of his.

        Raises `NotFound`, `Forbidden`.
        """
        workspace, _ = await self._members.lock(owner, Role.owner)
        await self._uow.session.execute(workspaces.locked_users_in(workspace.id))
        await self._uow.session.execute(workspaces.fall_back(workspace.id))
        await self._uow.session.execute(delete(Workspace).where(Workspace.id == workspace.id))
        await self._audit.record("workspace_deleted", actor_id=owner.user.id, workspace_id=workspace.id)

    async def activate(self, member: Member) -> Shown:
        """Have the member work in this workspace from now on. Raises `NotFound` if he is no member any more."""
        # The user first, as in a removal: either that is over and found out here, or it waits and finds this done.
        await self._uow.session.execute(users.locked(member.user.id))
        await self._uow.session.execute(workspaces.activate(member.workspace_id, member.user.id))
        return await self.show(member.workspace_id, member.user)
