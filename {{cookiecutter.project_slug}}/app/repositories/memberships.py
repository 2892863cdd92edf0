"""Queries for who is in which workspace."""

from collections.abc import Sequence

from sqlalchemy import Select, select

from app.models.workspace import Membership, Workspace
from app.roles import Role


def locked_workspaces_of(user_id: int) -> Select[Workspace]:
    """The workspaces that the user is in. While this transaction lasts nobody joins them."""
    mine = select(Membership.workspace_id).where(Membership.user_id == user_id)
    return select(Workspace).where(Workspace.id.in_(mine)).order_by(Workspace.id).with_for_update()


def locked_owners_of(workspace_ids: Sequence[int]) -> Select[Membership]:
    """The owners of the workspaces. While this transaction lasts they stay what they are."""
    return (
        select(Membership)
        .where(Membership.workspace_id.in_(workspace_ids), Membership.role == Role.owner)
        .order_by(Membership.id)
        .with_for_update(key_share=True)
    )


def shared_with_others(workspace_ids: Sequence[int], user_id: int) -> Select[int]:
    """Those of the workspaces in which there is somebody else."""
    return (
        select(Membership.workspace_id)
        .where(Membership.workspace_id.in_(workspace_ids), Membership.user_id != user_id)
        .distinct()
    )
