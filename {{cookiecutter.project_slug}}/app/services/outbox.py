from typing import Any

from app.database import UnitOfWork
from app.models.outbox import OutboxMessage
from app.repositories.base import Repository


class Outbox:
    """Mails to be sent when this unit of work is committed, and never if it is not. `app.worker` sends them."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def put(
        self,
        kind: str,
        recipient: str,
        *,
        user_id: int | None = None,
        invitation_id: int | None = None,
        **context: Any,
    ) -> None:
        """Send a mail of this kind (`app.mail` has a template for each). If the user or the invitation is deleted
        before it is sent, it is not sent. `context` is stored: no secrets.
        """
        message = OutboxMessage(
            kind=kind, recipient=recipient, user_id=user_id, invitation_id=invitation_id, context=context
        )
        await Repository(OutboxMessage, self._uow.session).add(message)
