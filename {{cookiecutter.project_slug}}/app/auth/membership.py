from dataclasses import dataclass

from app.models.user import User
from app.roles import Role


@dataclass(frozen=True)
class Member:
    """A user in a workspace: who acts, where, and as what."""

    user: User
    workspace_id: int
    role: Role
