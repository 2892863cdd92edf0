from dataclasses import dataclass

from app.errors import Forbidden
from app.models.user import User
from app.roles import Role


@dataclass(frozen=True)
class Member:
    """A user in a workspace: who acts, where, and as what."""

    user: User
    workspace_id: int
    role: Role


def demand(role: Role, required: Role) -> None:
    """Raises `Forbidden` if the one role does not include the other."""
    if not role.includes(required):
        raise Forbidden(f"Not authorized: this takes the role {required}")
