from enum import StrEnum


class Role(StrEnum):
    """What somebody is in a workspace. Each may do what those before it may."""

    viewer = "viewer"
    member = "member"
    admin = "admin"
    owner = "owner"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
