from datetime import UTC, datetime

from app.database.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound, Unauthenticated
from app.models.user import User
from app.repositories import sessions, users
from app.repositories.base import Repository
from app.schemas.admin import AdminUserUpdate
from app.services.audit import AuditLog
from app.services.one_time_tokens import OneTimeTokens


class Administration:
    """Looking after accounts."""

    def __init__(self, uow: UnitOfWork, audit: AuditLog) -> None:
        self._uow = uow
        self._audit = audit
        self._users = Repository(User, uow.session)

    async def update(self, user_id: int, data: AdminUserUpdate, admin: User) -> User:
        """Disable the account or enable it. What is so already stays as it is.

        Raises `NotFound`; `Conflict` for an admin who would lock himself out; `Unauthenticated` for one who has just
        been disabled: of two who disable each other, one remains.
        """
        both = await self._uow.session.scalars(users.locked_together({user_id, admin.id}))
        found = {user.id: user for user in both}
        if admin.id not in found or found[admin.id].disabled_at is not None:
            raise Unauthenticated("The token is not valid")
        if user_id not in found:
            raise NotFound("User")
        user = found[user_id]
        is_disabled = user.disabled_at is not None
        disable = data.changes().get("disabled", is_disabled)
        if disable and user_id == admin.id:
            raise Conflict("You cannot disable your own account")
        if disable and not is_disabled:
            await self._disable(user, admin)
        if is_disabled and not disable:
            await self._users.update(user, {"disabled_at": None})
            await self._audit.record("user_enabled", actor_id=admin.id, user_id=user_id)
        return user

    async def _disable(self, user: User, admin: User) -> None:
        """From now on nothing that the user holds opens anything: no session, no token that came by mail."""
        await self._users.update(user, {"disabled_at": datetime.now(UTC)})
        await self._uow.session.execute(sessions.end_all(user.id))
        await OneTimeTokens(self._uow).revoke(user.id)
        await self._audit.record("user_disabled", actor_id=admin.id, user_id=user.id)

    async def promote(self, login: str) -> User:
        """Make the account with this e-mail or user name a superuser's, whose e-mail counts as verified.

        Raises `NotFound`; `Conflict` for a disabled account, which could not come in all the same.
        """
        user = await self._users.one_or_none(users.with_login(login), for_update=True)
        if user is None:
            raise NotFound("User")
        if user.disabled_at is not None:
            raise Conflict("This account is disabled")
        if not user.is_superuser:
            verified = user.email_verified_at or datetime.now(UTC)
            await self._users.update(user, {"is_superuser": True, "email_verified_at": verified})
            await self._audit.record("superuser_made", user_id=user.id)
        return user
