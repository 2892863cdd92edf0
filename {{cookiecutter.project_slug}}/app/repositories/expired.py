"""Statements that clear away what is of no use any more."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Delete, delete, func

from app.models.idempotency_key import IdempotencyKey
from app.models.one_time_token import OneTimeToken
from app.models.session import UserSession
from app.models.workspace import Invitation

_KEPT: Final = timedelta(hours=24)  # how long a request can be repeated under its idempotency key


def deletions() -> list[Delete]:
    """One statement for each table."""
    return [
        *(delete(model).where(model.expires_at < func.now()) for model in (UserSession, OneTimeToken, Invitation)),
        delete(IdempotencyKey).where(IdempotencyKey.created_at < func.now() - _KEPT),
    ]
