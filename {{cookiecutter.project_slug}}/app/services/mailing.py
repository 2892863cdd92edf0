from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from app.auth.opaque import digest, new_token
from app.config import Settings
from app.database.unit_of_work import UnitOfWork
from app.mail.mail import Mail
from app.models.one_time_token import Purpose
from app.models.outbox import OutboxMessage
from app.models.user import User
from app.models.workspace import Invitation
from app.repositories import users
from app.repositories.base import Repository
from app.services.one_time_tokens import OneTimeTokens


class Mailing:
    """Makes a mail of a message in the outbox: who gets it, and with which token."""

    def __init__(self, uow: UnitOfWork, settings: Settings) -> None:
        self._uow = uow
        self._invitation_lifetime = timedelta(days=settings.invitation_expire_days)
        self._lifetimes: dict[str, timedelta] = {
            Purpose.verify_email: timedelta(hours=settings.verify_email_expire_hours),
            Purpose.change_email: timedelta(hours=settings.verify_email_expire_hours),
            Purpose.reset_password: timedelta(minutes=settings.reset_password_expire_minutes),
        }

    async def prepare(self, message: OutboxMessage) -> Mail | None:
        """The mail, with a new token where its kind has one; None if there is no reason for it any more."""
        if message.kind == "invitation":
            return await self._invitation(message)
        if message.kind in self._lifetimes:
            return await self._with_token(message, Purpose(message.kind))
        return Mail(message.kind, message.recipient, message.context)

    async def _with_token(self, message: OutboxMessage, purpose: Purpose) -> Mail | None:
        """The user is locked, as by whoever changes his password and takes back what was to be sent: either the
        message is gone by now, or the token is there to be revoked.
        """
        user = await self._user(message)
        if user is None or user.disabled_at or (purpose is Purpose.verify_email and user.email_verified_at):
            return None
        if await self._uow.session.get(OutboxMessage, message.id, populate_existing=True) is None:
            return None
        # To the address that we know, not to one that somebody has typed and that only looks the same to lower().
        to = message.recipient if purpose is Purpose.change_email else user.email
        token = await OneTimeTokens(self._uow).issue(user.id, purpose, to, self._lifetimes[purpose])
        return Mail(message.kind, to, message.context, token, self._lifetimes[purpose])

    async def _user(self, message: OutboxMessage) -> User | None:
        known = users.with_email(message.recipient) if message.user_id is None else users.with_id(message.user_id)
        return await Repository(User, self._uow.session).one_or_none(known.with_for_update(key_share=True))

    async def _invitation(self, message: OutboxMessage) -> Mail | None:
        invitations = Repository(Invitation, self._uow.session)
        statement = select(Invitation).where(Invitation.id == message.invitation_id)
        invitation = await invitations.one_or_none(statement, for_update=True)
        if invitation is None:
            return None
        token = new_token()
        expires_at = datetime.now(UTC) + self._invitation_lifetime
        await invitations.update(invitation, {"token_hash": digest(token), "expires_at": expires_at})
        return Mail(message.kind, invitation.email, message.context, token, self._invitation_lifetime)
