from app.database import Database
from app.repositories.expired import deletions


async def clear_away(database: Database) -> None:
    """Delete what has expired: sessions, one-time tokens, invitations, idempotency keys."""
    for statement in deletions():
        async with database.unit_of_work() as uow:  # one for each: no locks on one table while another is searched
            await uow.session.execute(statement)
