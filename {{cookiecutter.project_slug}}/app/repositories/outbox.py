"""Statements for the outbox."""

from typing import Final

from sqlalchemy import Delete, Select, Update, delete, func, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from app.models.outbox import OutboxMessage

FIRST_RETRY: Final = 30  # seconds; doubled with each attempt
_LONGEST_WAIT: Final = 3600


def claim() -> ReturningUpdate[OutboxMessage]:
    """Take the message that has been due for longest, past those that others are taking.

    This counts as an attempt and sets the time of the next: whoever is killed now leaves a message that is tried again.
    """
    due = (
        select(OutboxMessage.id)
        .where(OutboxMessage.failed_at.is_(None), OutboxMessage.next_attempt_at <= func.now())
        .order_by(OutboxMessage.next_attempt_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    wait = func.least(FIRST_RETRY * func.power(2, OutboxMessage.attempts), _LONGEST_WAIT)
    return (
        update(OutboxMessage)
        .where(OutboxMessage.id == due.scalar_subquery())
        .values(
            attempts=OutboxMessage.attempts + 1,
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wait),
        )
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False)
    )


def sent(message: OutboxMessage) -> Delete:
    """Delete the message."""
    return delete(OutboxMessage).where(OutboxMessage.id == message.id)


def failed(message: OutboxMessage, error: str, *, final: bool) -> Update:
    """Note why this attempt failed, unless somebody has claimed the message since. `final`: there is no other."""
    return (
        update(OutboxMessage)
        .where(OutboxMessage.id == message.id, OutboxMessage.attempts == message.attempts)
        .values(last_error=error, **({"failed_at": func.now()} if final else {}))
    )


def backlog() -> Select[int, int, float]:
    """How many messages wait, how many were given up, and for how many seconds the oldest that waits has done so."""
    waits = OutboxMessage.failed_at.is_(None)
    oldest = func.min(OutboxMessage.created_at).filter(waits)
    return select(
        func.count().filter(waits),
        func.count(OutboxMessage.failed_at),
        func.coalesce(func.extract("epoch", func.now() - oldest), 0.0),
    )
