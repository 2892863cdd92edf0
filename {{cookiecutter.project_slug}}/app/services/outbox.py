from typing import Any, Literal

from app.database.unit_of_work import UnitOfWork
from app.models.outbox import OutboxMessage
from app.repositories import outbox
from app.repositories.base import Repository

Kind = Literal[
    "verify_email",
    "reset_password",
    "change_email",
    "email_changed",
    "password_changed",
    "account_exists",
    "invitation",
]


class Outbox:
    """Mails to be sent when this unit of work is committed, and never if it is not. `app.worker` sends them."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def put(
        self,
        kind: Kind,
        recipient: str,
        *,
        user_id: int | None = None,
        invitation_id: int | None = None,
        **context: Any,
    ) -> None:
        """Send a mail of this kind (`app.mail` has templates for each). If the user or the invitation is deleted
        before it is sent, it is not sent. `context` is stored: no secrets.
        """
        message = OutboxMessage(
            kind=kind, recipient=recipient, user_id=user_id, invitation_id=invitation_id, context=context
        )
        await Repository(OutboxMessage, self._uow.session).add(message)

    async def claim(self) -> OutboxMessage | None:
        """The next message that is due, for the caller alone until the time of its next attempt."""
        return (await self._uow.session.scalars(outbox.claim())).one_or_none()

    async def sent(self, message: OutboxMessage) -> None:
        """The message is done with."""
        await self._uow.session.execute(outbox.sent(message))

    async def failed(self, message: OutboxMessage, error: str, *, final: bool) -> None:
        """The message was not taken. `final`: it stays as a dead letter, for people to look at."""
        await self._uow.session.execute(outbox.failed(message, error, final=final))
