"""Queries for users."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import make_transient_to_detached

from app.database.prepared import Prepared
from app.models.one_time_token import OneTimeToken
from app.models.session import UserSession
from app.models.user import User
from app.models.workspace import Membership


def with_id(user_id: int) -> Select[User]:
    """The user with this key."""
    return select(User).where(User.id == user_id)


def locked(user_id: int) -> Select[User]:
    """The user with this key, whom nobody else changes until this transaction ends.

    Others may go on to insert rows that refer to him: that takes a lock which FOR UPDATE would not let them have.
    """
    return with_id(user_id).with_for_update(key_share=True)


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


def with_token(token_hash: bytes) -> Select[User]:
    """The user whom this one-time token was made for, whatever it is good for, unless the account is disabled."""
    return (
        select(User)
        .join(OneTimeToken, OneTimeToken.user_id == User.id)
        .where(OneTimeToken.token_hash == token_hash, User.disabled_at.is_(None))
    )


def claim_email(email: str) -> Select[None]:
    """Have everybody else who claims this address wait until this transaction ends: nobody takes it meanwhile."""
    return select(func.pg_advisory_xact_lock(func.hashtextextended(func.lower(email), 0)))


# The user, while the session lives and the account is not disabled, with the role in the active workspace: everything
# that a request has to know of its caller, by primary keys and unique indexes. Every request asks, so it is built once.
IN_SESSION: Final = Prepared(
    select(*User.__mapper__.columns, Membership.role)
    .join(UserSession, UserSession.user_id == User.id)
    .outerjoin(Membership, (Membership.workspace_id == User.active_workspace_id) & (Membership.user_id == User.id))
    .where(User.id == bindparam("user_id"), User.disabled_at.is_(None))
    .where(UserSession.id == bindparam("session_id"), UserSession.expires_at > func.now())
)


def loaded(row: Mapping[str, Any]) -> User:
    """The user of a row of `IN_SESSION`, as a session leaves one that it has loaded."""
    user = User()
    user.__dict__.update((column.key, row[column.key]) for column in User.__mapper__.columns)
    make_transient_to_detached(user)
    return user


def containing(text: str) -> Select[User]:
    """The users whose e-mail or user name has this in it, whatever the case. `%` and `_` are characters like others."""
    return select(User).where(
        or_(User.email.icontains(text, autoescape=True), User.username.icontains(text, autoescape=True))
    )


def locked_together(user_ids: Collection[int]) -> Select[User]:
    """These users, locked against other changes. One order for all, so that two who lock the same do not deadlock."""
    return select(User).where(User.id.in_(user_ids)).order_by(User.id).with_for_update(key_share=True)
