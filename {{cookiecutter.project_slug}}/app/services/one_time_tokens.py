from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.auth.opaque import digest, new_token
from app.database.unit_of_work import UnitOfWork
from app.errors import Unauthenticated
from app.models.one_time_token import OneTimeToken, Purpose
from app.models.outbox import OutboxMessage


class OneTimeTokens:
    """Tokens that prove that somebody reads the mail of an address: random, hashed at rest, good for one use."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def issue(self, user_id: int, purpose: Purpose, email: str, lifetime: timedelta) -> str:
        """A new token for this address. It replaces the one that the user had for this purpose."""
        token = new_token()
        fresh = {
            "email": email,
            "token_hash": digest(token),
            "created_at": datetime.now(UTC),
            "expires_at": datetime.now(UTC) + lifetime,
        }
        statement = insert(OneTimeToken).values(user_id=user_id, purpose=purpose, **fresh)
        await self._uow.session.execute(
            statement.on_conflict_do_update("uq_one_time_tokens_user_id_purpose", set_=fresh)
        )
        return token

    async def redeem(self, token: str, *purposes: Purpose) -> OneTimeToken:
        """The token, which is used up by this: of many who try at once, one succeeds.

        Raises `Unauthenticated` for one that is unknown, expired, used, replaced, or meant for none of the purposes.
        """
        statement = (
            delete(OneTimeToken)
            .where(
                OneTimeToken.token_hash == digest(token),
                OneTimeToken.purpose.in_(purposes),
                OneTimeToken.expires_at > datetime.now(UTC),
            )
            .returning(OneTimeToken)
        )
        redeemed = (await self._uow.session.scalars(statement)).one_or_none()
        if redeemed is None:
            raise Unauthenticated("The token is not valid")
        return redeemed

    async def revoke(self, user_id: int) -> None:
        """The user's tokens are worth nothing any more, and a change of address that is still to be mailed is off.

        The mail goes first: the worker that is just sending it is waited for, and its token is there to be deleted.
        """
        pending = delete(OutboxMessage).where(OutboxMessage.user_id == user_id, OutboxMessage.kind == "change_email")
        await self._uow.session.execute(pending)
        await self._uow.session.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user_id))
