"""Statements for idempotency keys."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from app.models.idempotency_key import IdempotencyKey


def claim(user_id: int, key: str, fingerprint: bytes) -> ReturningInsert[IdempotencyKey]:
    """Take the user's key, or find it as it was left.

    Of many who try at once one goes on, the others wait until its transaction ends. Whoever then gets a row without a
    status is the next one to try. The update changes nothing: it is what makes PostgreSQL give the row that is there.
    """
    statement = insert(IdempotencyKey).values(user_id=user_id, key=key, fingerprint=fingerprint)
    return statement.on_conflict_do_update("uq_idempotency_keys_user_id_key", set_={"key": key}).returning(
        IdempotencyKey
    )
