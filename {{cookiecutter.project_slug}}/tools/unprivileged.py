"""PostgreSQL refuses to run as root: lend its commands an account that has no privileges and reaches their files.

No account is made for it. Everything here does nothing for an ordinary user, and on Windows.
"""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "nobody"


@dataclass(frozen=True)
class Account:
    """Whom the commands run as, and on behalf of which user."""

    user: int
    uid: int
    gid: int

    @property
    def lent(self) -> bool:
        """Whether it is not simply the user's own account."""
        return self.uid != self.user

    @property
    def as_arguments(self) -> dict[str, Any]:
        """What subprocess needs to run a command as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.lent else {}

    def own(self, path: Path) -> None:
        """Hand a file or directory over to the account."""
        if sys.platform != "win32" and self.lent:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def share(self, directory: Path) -> None:
        """Close a directory of the user to everybody else, save that the account may pass through."""
        if sys.platform != "win32" and self.lent:
            os.chown(directory, -1, self.gid)
        directory.chmod(0o710 if self.lent else 0o700)

    def let_in(self, *targets: Path) -> list[Path]:
        """Let the account reach the targets; return the directories that had to be opened.

        They get the search bit alone: whoever knows a name in there may pass, nobody new may list it.
        """
        if not self.lent:
            return []
        way = {parent for target in targets for parent in target.resolve().parents}
        closed = sorted(directory for directory in way if not self._may(directory, stat.S_IXOTH))
        for directory in closed:
            directory.chmod(stat.S_IMODE(directory.stat().st_mode) | stat.S_IXOTH)
        return closed

    def let_read(self, tree: Path) -> None:
        """Undo what a strict umask at installation did to a tree of public files."""
        if not self.lent:
            return
        for folder, _, files in os.walk(tree):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                mode = path.stat().st_mode
                wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
                if not self._may(path, wanted):
                    path.chmod(stat.S_IMODE(mode) | wanted)

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & wanted == wanted


def account() -> Account | None:
    """The account for PostgreSQL's commands: `nobody` for root, else this process's own; None where there is none."""
    if sys.platform == "win32":
        return Account(user=0, uid=0, gid=0)  # what stat says there
    user = os.geteuid()
    if user != 0:
        return Account(user=user, uid=user, gid=os.getegid())
    import pwd  # noqa: PLC0415  # Windows has none

    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return Account(user=user, uid=entry.pw_uid, gid=entry.pw_gid)
