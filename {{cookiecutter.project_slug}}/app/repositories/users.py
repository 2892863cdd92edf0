"""Queries for users."""

from sqlalchemy import Select, func, or_, select

from app.models.session import UserSession
from app.models.user import User
from app.models.workspace import Membership
from app.roles import Role


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


def with_email(email: str) -> Select[User]:
    """The user with this e-mail, in whatever case it is written."""
    return select(User).where(func.lower(User.email) == func.lower(email))


def in_session(user_id: int, session_id: int) -> Select[User, Role | None]:
    """The user, while the session lives and the account is not disabled, with the role in the active workspace.

    Everything that a request has to know of its caller, by primary keys and unique indexes.
    """
    return (
        select(User, Membership.role)
        .join(UserSession, UserSession.user_id == User.id)
        .outerjoin(Membership, (Membership.workspace_id == User.active_workspace_id) & (Membership.user_id == User.id))
        .where(User.id == user_id, User.disabled_at.is_(None))
        .where(UserSession.id == session_id, UserSession.expires_at > func.now())
    )
