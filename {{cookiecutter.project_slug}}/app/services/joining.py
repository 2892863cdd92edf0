from datetime import UTC, datetime

from app.auth.opaque import digest
from app.config import Settings
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.errors import Conflict, Forbidden, Invalid, Unauthenticated
from app.models.user import User
from app.models.workspace import Invitation, Membership
from app.repositories import users, workspaces
from app.repositories.base import Repository
from app.repositories.workspaces import Shown
from app.schemas.invitation import InvitationAccept
from app.services.accounts import AccountService
from app.services.audit import AuditLog
from app.services.passwords import PasswordService
from app.services.workspaces import WorkspaceService


class JoiningService:
    """Accepting an invitation, for people with an account and without one."""

    def __init__(self, uow: UnitOfWork, reader: Reader, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._reader = reader
        self._audit = audit
        self._accounts = AccountService(uow, reader, settings, audit)
        self._passwords = PasswordService(uow, settings, audit)
        self._workspaces = WorkspaceService(uow, settings, audit)
        self._users = Repository(User, uow.session)

    async def accept(self, data: InvitationAccept, caller: User | None) -> Shown:
        """The workspace that somebody is in now: the caller, or a new user who works in it from the start.

        The token proves that he reads the mail of the address, which counts as verified. Raises `Unauthenticated` for
        a token that is not valid, and when the address has an account that nobody is logged in to; `Forbidden` when
        the invitation is for another address; `Conflict` for a member, which uses it up, and for a user name that is
        taken; `Invalid` when user name or password are missing or not good. What is refused otherwise uses up nothing.
        """
        found = await self._reader.row(workspaces.invitation_with(digest(data.token)))
        if found is None:
            raise Unauthenticated("The token is not valid")
        invitation, holder = found
        if caller is None:
            if holder is not None:
                raise Unauthenticated("Log in to accept")
            user = await self._newcomer(invitation, data)
            await self._use_up(invitation)
            await self._uow.session.execute(users.claim_email(user.email))
            await self._accounts.add(user)
        else:
            if holder is None or holder.id != caller.id:
                raise Forbidden("This invitation is for another address")
            await self._use_up(invitation)
            user = await self._locked(caller)
        await self._join(user, invitation)
        if caller is None or user.active_workspace_id is None:
            await self._uow.session.execute(workspaces.activate(invitation.workspace_id, user.id))
        return await self._workspaces.show(invitation.workspace_id, user)

    async def _newcomer(self, invitation: Invitation, data: InvitationAccept) -> User:
        """Hashes, so it comes before the unit of work has taken a connection, and after the token was found good."""
        if data.username is None or data.password is None:
            missing = [name for name in ("username", "password") if getattr(data, name) is None]
            raise Invalid(f"There is no account with this address: send {' and '.join(missing)}", field=missing[0])
        hashed = await self._passwords.hash(data.password)
        return User(
            email=invitation.email,
            username=data.username,
            hashed_password=hashed,
            email_verified_at=datetime.now(UTC),
        )

    async def _use_up(self, invitation: Invitation) -> None:
        """Delete it: of many who try at once, one succeeds. The workspace is locked first, as whenever it changes."""
        await self._uow.session.execute(workspaces.locked(invitation.workspace_id))
        if await self._uow.session.scalar(workspaces.use_up(invitation)) is None:
            raise Unauthenticated("The token is not valid")

    async def _locked(self, caller: User) -> User:
        user = await self._users.one_or_none(users.locked(caller.id))
        if user is None or user.email != caller.email:  # changed since it was compared
            raise Forbidden("This invitation is for another address")
        if user.email_verified_at is None:
            await self._users.update(user, {"email_verified_at": datetime.now(UTC)})
        return user

    async def _join(self, user: User, invitation: Invitation) -> None:
        memberships = Repository(Membership, self._uow.session)
        if await memberships.one_or_none(workspaces.membership(invitation.workspace_id, user.id)) is not None:
            await self._uow.keep()
            raise Conflict("You are a member already")
        workspace_id, role = invitation.workspace_id, invitation.role
        await memberships.add(Membership(workspace_id=workspace_id, user_id=user.id, role=role))
        await self._audit.record(
            "member_joined", actor_id=user.id, workspace_id=workspace_id, invitation_id=invitation.id, role=role
        )
