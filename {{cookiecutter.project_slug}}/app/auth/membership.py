"""Who acts: a user, and as what he is in which workspace."""

from dataclasses import dataclass

from app.errors import Forbidden
from app.models.user import User
from app.roles import Role


@dataclass(frozen=True)
class Actor:
    """Who acts: nobody known, a user, or one in a role in the active workspace."""

    user: User | None = None
    role: Role | None = None

    def may_change(self, owner_id: int) -> bool:
        """Whether this is the owner, or an admin of the workspace."""
        return (self.user is not None and self.user.id == owner_id) or (
            self.role is not None and self.role.includes(Role.admin)
        )


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
