"""Queries for users."""

from sqlalchemy import Select, func, or_, select

from app.models.user import User


def with_id(user_id: int) -> Select[User]:
    """The user with this key."""
    return select(User).where(User.id == user_id)


def with_login(login: str) -> Select[User]:
    """The user whose e-mail or user name this is, in whatever case it is written.

    At most one: user names hold no `@`, so that none is also somebody's e-mail.
    """
    return select(User).where(
        or_(func.lower(User.email) == func.lower(login), func.lower(User.username) == func.lower(login))
    )
