"""Statements for sessions and their refresh tokens."""

from datetime import timedelta

from sqlalchemy import Delete, Select, delete, func, select, update
from sqlalchemy.sql.dml import ReturningDelete, ReturningUpdate

from app.models.session import RefreshToken, UserSession
from app.models.user import User


def use(token_hash: bytes, idle: timedelta) -> ReturningUpdate[int]:
    """Use the token up, and give its session's id: of many who try at once, the database lets one succeed."""
    alive = (
        select(UserSession.id)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.id == RefreshToken.session_id,
            UserSession.expires_at > func.now(),
            UserSession.last_used_at > func.now() - idle,
            User.disabled_at.is_(None),
        )
    )
    return (
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None), alive.exists())
        .values(used_at=func.now())
        .returning(RefreshToken.session_id)
    )


def of_token(token_hash: bytes) -> Select[UserSession]:
    """The session that the refresh token belongs to, used or not."""
    return (
        select(UserSession)
        .join(RefreshToken, RefreshToken.session_id == UserSession.id)
        .where(RefreshToken.token_hash == token_hash)
    )


def of_user(user_id: int) -> Select[UserSession]:
    """The user's sessions that have not expired."""
    return select(UserSession).where(UserSession.user_id == user_id, UserSession.expires_at > func.now())


def end(session_id: int, user_id: int) -> ReturningDelete[int]:
    """End one session of the user."""
    return (
        delete(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user_id)
        .returning(UserSession.id)
    )


def end_all(user_id: int) -> Delete:
    """End all sessions of the user."""
    return delete(UserSession).where(UserSession.user_id == user_id)
