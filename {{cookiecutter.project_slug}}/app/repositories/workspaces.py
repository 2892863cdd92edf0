"""Queries for workspaces, for who is in them, and for who is invited."""

from typing import Any, Final

from sqlalchemy import Delete, Row, Select, Update, delete, func, select, update
from sqlalchemy.orm import Bundle
from sqlalchemy.sql.dml import ReturningDelete

from app.models.user import User
from app.models.workspace import Invitation, Membership, Workspace
from app.roles import Role

# Columns of several tables in one row, by their names in it.
Shown = Row[*tuple[Any, ...]]

# A workspace as somebody sees it who is in it.
WORKSPACE: Final[Bundle[Any]] = Bundle(
    "workspace",
    Workspace.id,
    Workspace.name,
    Membership.role,
    Workspace.id.is_not_distinct_from(User.active_workspace_id).label("active"),
    Workspace.created_at,
    Workspace.updated_at,
)
MEMBER: Final[Bundle[Any]] = Bundle(
    "member",
    Membership.id,
    Membership.user_id,
    User.username,
    Membership.role,
    Membership.created_at.label("joined_at"),
)


def of_user(user_id: int) -> Select[Shown]:
    """The workspaces that the user is in."""
    return (
        select(WORKSPACE)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .join(User, User.id == Membership.user_id)
        .where(User.id == user_id)
    )


def members_of(workspace_id: int) -> Select[Shown]:
    """Who is in the workspace."""
    return select(MEMBER).join(User, User.id == Membership.user_id).where(Membership.workspace_id == workspace_id)


def membership(workspace_id: int, user_id: int) -> Select[Membership]:
    """The user in the workspace, if he is in it."""
    return select(Membership).where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)


def member_with_email(workspace_id: int, email: str) -> Select[Membership]:
    """The member who has this e-mail, in whatever case it is written."""
    return (
        select(Membership)
        .join(User, User.id == Membership.user_id)
        .where(Membership.workspace_id == workspace_id, func.lower(User.email) == func.lower(email))
    )


def withdraw_invitations(workspace_id: int, user_id: int) -> Delete:
    """Delete the invitations that the user has sent."""
    return delete(Invitation).where(Invitation.workspace_id == workspace_id, Invitation.invited_by_id == user_id)


def locked(workspace_id: int) -> Select[Workspace]:
    """The workspace, whose members and invitations nobody else changes until this transaction ends.

    Others may go on to write articles in it: the rows that refer to it take a lock which FOR UPDATE would not let
    them have.
    """
    return select(Workspace).where(Workspace.id == workspace_id).with_for_update(key_share=True)


def locked_users_in(workspace_id: int) -> Select[int]:
    """All members, who neither leave other workspaces nor activate one until this transaction ends."""
    return (
        select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id)
        .order_by(User.id)
        .with_for_update(of=User, key_share=True)
    )


def owners_beside(workspace_id: int, user_id: int) -> Select[int]:
    """Who else owns the workspace."""
    return select(Membership.user_id).where(
        Membership.workspace_id == workspace_id, Membership.role == Role.owner, Membership.user_id != user_id
    )


def activate(workspace_id: int, user_id: int) -> Update:
    """Have the user work in the workspace, if he is in it."""
    return (
        update(User)
        .where(User.id == user_id, membership(workspace_id, user_id).exists())
        .values(active_workspace_id=workspace_id)
        .execution_options(synchronize_session=False)
    )


def fall_back(workspace_id: int, user_id: int | None = None) -> Update:
    """Have everybody who works in the workspace, or this one member, go on in another one: the one that he has been in
    for longest, or none if he is in no other.
    """
    another = (
        select(Membership.workspace_id)
        .where(Membership.user_id == User.id, Membership.workspace_id != workspace_id)
        .order_by(Membership.id)
        .limit(1)
    )
    statement = update(User).where(User.active_workspace_id == workspace_id)
    if user_id is not None:
        statement = statement.where(User.id == user_id)
    return statement.values(active_workspace_id=another.scalar_subquery()).execution_options(synchronize_session=False)


def invitations_to(workspace_id: int) -> Select[Invitation]:
    """Who is invited to the workspace."""
    return select(Invitation).where(Invitation.workspace_id == workspace_id)


def invitation_of(workspace_id: int, email: str) -> Select[Invitation]:
    """The invitation of this address, in whatever case it is written."""
    return invitations_to(workspace_id).where(func.lower(Invitation.email) == func.lower(email))


def invitation_with(token_hash: bytes) -> Select[Invitation, User | None]:
    """The invitation that the token is good for, and the account that the address has, if it has one."""
    return (
        select(Invitation, User)
        .outerjoin(User, func.lower(User.email) == func.lower(Invitation.email))
        .where(Invitation.token_hash == token_hash, Invitation.expires_at > func.now())
    )


def use_up(invitation: Invitation) -> ReturningDelete[int]:
    """Delete the invitation if it is still as it was found: of many who try at once, one succeeds."""
    return (
        delete(Invitation)
        .where(Invitation.id == invitation.id, Invitation.token_hash == invitation.token_hash)
        .where(Invitation.expires_at > func.now())
        .returning(Invitation.id)
    )
