from sqlalchemy import delete

from app.config import Settings
from app.database.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, Unauthenticated
from app.models.user import User
from app.models.workspace import Workspace
from app.repositories import memberships, users
from app.repositories.base import Repository
from app.schemas.user import UserUpdate
from app.services.audit import AuditLog
from app.services.outbox import Outbox
from app.services.passwords import PasswordService


class OwnAccountService:
    """What somebody may do with the account that is his. Whatever could cost him the account takes the password."""

    def __init__(self, uow: UnitOfWork, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._audit = audit
        self._users = Repository(User, uow.session)
        self._passwords = PasswordService(uow, settings, audit)

    async def update(self, user: User, data: UserUpdate) -> User:
        """Change the user name at once; a new e-mail when somebody at that address has confirmed it.

        Whether the address has an account is not looked up here, so that the answer cannot tell.

        Raises `Conflict` for a user name that is taken; for an e-mail `Invalid` without the password, `Forbidden`
        with a wrong one.
        """
        changes = data.changes()
        password, email = changes.pop("current_password", None), changes.pop("email", None)
        if email is None:
            current = await self._users.one_or_none(users.locked(user.id))
            if current is None:
                raise Unauthenticated("The token is not valid")
            return await self._users.update(current, changes)
        if password is None:
            raise Invalid("A new e-mail address takes the current password", field="current_password")
        await self._passwords.check(user, password)
        current = await self._passwords.lock(user)
        if current.email != email:
            await Outbox(self._uow).put("change_email", email, user_id=current.id)
            await self._audit.record("email_change_requested", actor_id=current.id)
        return await self._users.update(current, changes)

    async def change_password(self, user: User, current_password: str, new_password: str) -> None:
        """Set another password, which ends every session, this one included.

        Raises `Forbidden` when the current one is wrong, `Invalid` for a common new one.
        """
        await self._passwords.check(user, current_password)
        hashed = await self._passwords.hash(new_password, field="new_password")
        await self._passwords.replace(await self._passwords.lock(user), hashed, event="password_changed")

    async def delete(self, user: User, password: str) -> None:
        """Delete the account, with its articles and the workspaces in which there is nobody else.

        Raises `Forbidden` when the password is wrong, `Conflict` for the last owner of a workspace with others in it.
        """
        await self._passwords.check(user, password)
        await self._delete_workspaces_of(user)
        await self._users.delete(await self._passwords.lock(user))
        await self._audit.record("user_deleted", actor_id=user.id)

    async def _delete_workspaces_of(self, user: User) -> None:
        """Locked in this order, workspaces, owners, and then the user: nobody joins, and no owner leaves, meanwhile."""
        session = self._uow.session
        workspaces = (await session.scalars(memberships.locked_workspaces_of(user.id))).all()
        ids = [workspace.id for workspace in workspaces]
        owners = (await session.scalars(memberships.locked_owners_of(ids))).all()
        shared = set(await session.scalars(memberships.shared_with_others(ids, user.id)))
        handed_over = {owner.workspace_id for owner in owners if owner.user_id != user.id}
        stranded = [workspace.name for workspace in workspaces if workspace.id in shared - handed_over]
        if stranded:
            names = ", ".join(f'"{name}"' for name in stranded)
            raise Conflict(f"You are the last owner of {names}, with others in it: hand over the ownership first")
        for workspace_id in set(ids) - shared:
            await session.execute(delete(Workspace).where(Workspace.id == workspace_id))
            await self._audit.record("workspace_deleted", actor_id=user.id, workspace_id=workspace_id)
