"""Statements for sessions and their refresh tokens."""

from sqlalchemy import Delete, Select, delete, func, select, update
from sqlalchemy.sql.dml import ReturningDelete, ReturningUpdate

from app.models.session import RefreshToken, UserSession
from app.models.user import User


def of_token(token_hash: bytes) -> Select[UserSession]:
    """The session that the refresh token belongs to, whether the token was used before or not."""
    return (
        select(UserSession)
        .join(RefreshToken, RefreshToken.session_id == UserSession.id)
        .where(RefreshToken.token_hash == token_hash)
    )


def to_continue(token_hash: bytes) -> Select[UserSession]:
    """The same while it lives, locked.

    Whoever uses a token or ends its session locks the session first: two who lock in different orders wait for each
    other.
    """
    return (
        of_token(token_hash)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.expires_at > func.now(), User.disabled_at.is_(None))
        .with_for_update(of=UserSession)
    )


def use(token_hash: bytes) -> ReturningUpdate[int]:
    """Use the token up: of many who try at once, the database lets one succeed, who gets its id."""
    return (
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
        .values(used_at=func.now())
        .returning(RefreshToken.id)
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
