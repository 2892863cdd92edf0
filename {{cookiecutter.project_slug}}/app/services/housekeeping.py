from functools import partial

from sqlalchemy import Delete

from app.database.database import Database
from app.database.retries import retried
from app.repositories.expired import deletions


async def clear_away(database: Database) -> None:
    """Delete what has expired: sessions, one-time tokens, invitations, idempotency keys."""
    for statement in deletions():
        # Several workers may do so at once, and meet the same rows in another order.
        await retried(partial(_delete, database, statement))


async def _delete(database: Database, statement: Delete) -> None:
    async with database.unit_of_work() as uow:  # one for each: no locks on one table while another is searched
        await uow.session.execute(statement)
