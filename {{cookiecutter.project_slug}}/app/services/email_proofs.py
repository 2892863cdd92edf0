from datetime import UTC, datetime

from app.auth.opaque import digest
from app.config import Settings
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.errors import Conflict, Unauthenticated
from app.models.one_time_token import OneTimeToken, Purpose
from app.models.user import User
from app.repositories import users
from app.repositories.base import Repository
from app.services.audit import AuditLog
from app.services.one_time_tokens import OneTimeTokens
from app.services.outbox import Outbox
from app.services.passwords import PasswordService


class EmailProofService:
    """What somebody may do who reads the mail of an address, and proves it with a token from there."""

    def __init__(self, uow: UnitOfWork, reader: Reader, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._reader = reader
        self._audit = audit
        self._users = Repository(User, uow.session)
        self._tokens = OneTimeTokens(uow)
        self._passwords = PasswordService(uow, settings, audit)

    async def verify_email(self, token: str) -> None:
        """The address of the token is the user's: the one that he has, or the new one that he wants.

        Raises `Unauthenticated` when the token is not valid; `Conflict` when another account has the new address by
        now, and then the token stays good until it expires.
        """
        user, proof = await self._redeem(token, Purpose.verify_email, Purpose.change_email)
        if proof.purpose is Purpose.change_email:
            await self._change_email(user, proof.email)
        else:
            await self._users.update(user, {"email_verified_at": datetime.now(UTC)})
            await self._audit.record("email_verified", actor_id=user.id)

    async def resend_verification(self, user: User) -> None:
        """Send another mail with a token. Raises `Conflict` when there is nothing left to verify."""
        if user.email_verified_at is not None:
            raise Conflict("The e-mail address is verified already")
        await Outbox(self._uow).put("verify_email", user.email, user_id=user.id)

    async def forgot_password(self, email: str) -> None:
        """Send a token to the account with this address. Who that is is looked up when the mail is sent: here the
        work is the same whether there is one or not.
        """
        await Outbox(self._uow).put("reset_password", email)

    async def reset_password(self, token: str, password: str) -> None:
        """Set another password, which ends every session.

        Raises `Invalid` for a common one, without using up the token; `Unauthenticated` when the token is not valid.
        """
        await self._refuse_unknown(token)
        hashed = await self._passwords.hash(password)
        user, _ = await self._redeem(token, Purpose.reset_password)
        if user.email_verified_at is None:
            await self._users.update(user, {"email_verified_at": datetime.now(UTC)})
        await self._passwords.replace(user, hashed, event="password_reset")

    async def _change_email(self, user: User, email: str) -> None:
        """Sessions stay: the password, with which they were opened, is the same."""
        old = user.email
        await self._uow.session.execute(users.claim_email(email))
        await self._users.update(user, {"email": email, "email_verified_at": datetime.now(UTC)})
        await Outbox(self._uow).put("email_changed", old, user_id=user.id, new_email=email)
        await self._audit.record("email_changed", actor_id=user.id)

    async def _refuse_unknown(self, token: str) -> None:
        """Hashing a password is work that nobody gets for a token that he made up."""
        if await self._reader.one_or_none(users.with_token(digest(token))) is None:
            raise Unauthenticated("The token is not valid")

    async def _redeem(self, token: str, *purposes: Purpose) -> tuple[User, OneTimeToken]:
        """The user and the token, which is used up.

        The user's row is locked before the token's, in the order in which a changed password takes them: two who do
        one and the other at once never wait for each other.
        """
        user = await self._users.one_or_none(users.with_token(digest(token)).with_for_update(of=User, key_share=True))
        if user is None:
            raise Unauthenticated("The token is not valid")
        proof = await self._tokens.redeem(token, *purposes)
        if proof.purpose is not Purpose.change_email and proof.email.lower() != user.email.lower():
            raise Unauthenticated("The token is not valid")  # it proves something of an address that he had
        return user, proof
