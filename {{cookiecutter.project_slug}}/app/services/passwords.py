from app.auth.passwords import hash_password, is_common, verify_password
from app.config import Settings
from app.database.unit_of_work import UnitOfWork
from app.errors import Forbidden, Invalid, Unauthenticated
from app.models.user import User
from app.repositories import users
from app.repositories.base import Repository
from app.services.audit import AuditLog
from app.services.one_time_tokens import OneTimeTokens
from app.services.outbox import Outbox
from app.services.sessions import SessionService


class PasswordService:
    """Passwords: which are good enough, who knows his own, and what ends with an old one."""

    def __init__(self, uow: UnitOfWork, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._settings = settings
        self._audit = audit

    async def hash(self, password: str, *, field: str = "password") -> str:
        """What is stored of a new password. To be asked for before the unit of work has taken a connection.

        Raises `Invalid`, naming the field, for a common one.
        """
        if is_common(password):
            raise Invalid("This password is among the most common ones; choose another", field=field)
        return await hash_password(password)

    async def check(self, user: User, password: str) -> None:
        """Whether somebody who is logged in knows his password too: an access token can be stolen.

        Takes a while and no connection. Raises `Forbidden`; that it was wrong is recorded all the same.
        """
        valid, _ = await verify_password(password, user.hashed_password)
        if not valid:
            await self._audit.record("reauthentication_failed", actor_id=user.id)
            await self._uow.keep()
            raise Forbidden("The current password is wrong")

    async def lock(self, user: User) -> User:
        """The row of a user whose password was right, which nobody else changes until this transaction ends.

        Raises `Forbidden` if the password was changed since that was found out, `Unauthenticated` if the account was
        disabled or deleted.
        """
        current = await Repository(User, self._uow.session).one_or_none(users.locked(user.id))
        if current is None or current.disabled_at:
            raise Unauthenticated("The token is not valid")
        if current.hashed_password != user.hashed_password:
            raise Forbidden("The current password is wrong")
        return current

    async def replace(self, user: User, hashed: str, *, event: str) -> None:
        """Store the hash of a new password, and end everything that the old one could have opened.

        The user's row is locked already. A login that is half-way had it locked (`SessionService.open`) and was waited
        for, so that its session is there to be ended; or it waits in its turn, and finds the new hash.
        """
        await Repository(User, self._uow.session).update(user, {"hashed_password": hashed})
        await SessionService(self._uow, self._settings, self._audit).end_all(user.id, reason=event)
        await OneTimeTokens(self._uow).revoke(user.id)
        await Outbox(self._uow).put("password_changed", user.email, user_id=user.id)
        await self._audit.record(event, actor_id=user.id)
