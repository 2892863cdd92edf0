"""What somebody may do in a workspace, from reading to handing it over."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is in a workspace. Each may do what those before it may."""

    viewer = "viewer"
    member = "member"
    admin = "admin"
    owner = "owner"

    @property
    def rank(self) -> int:
        """The place in that order."""
        return list(Role).index(self)

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what the other may."""
        return self.rank >= other.rank
