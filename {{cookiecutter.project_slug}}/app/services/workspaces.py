from app.config import Settings
from app.database import UnitOfWork
from app.models.user import User
from app.models.workspace import Membership, Workspace
from app.repositories.base import Repository
from app.roles import Role
from app.services.audit import AuditLog


class WorkspaceService:
    """Workspaces and who is in them."""

    def __init__(self, uow: UnitOfWork, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._settings = settings
        self._audit = audit

    async def create(self, name: str, owner: User) -> Workspace:
        """A new workspace, which its owner works in from now on."""
        workspace = await Repository(Workspace, self._uow.session).add(Workspace(name=name))
        membership = Membership(workspace_id=workspace.id, user_id=owner.id, role=Role.owner)
        await Repository(Membership, self._uow.session).add(membership)
        await Repository(User, self._uow.session).update(owner, {"active_workspace_id": workspace.id})
        await self._audit.record("workspace_created", actor_id=owner.id, workspace_id=workspace.id)
        return workspace
