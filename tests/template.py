"""The template as git would hand it on: what is tracked or would be, never what lies about in a working copy.

`python tests/template.py DIRECTORY` writes it there; the tests use the functions.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run git and return what it prints."""
    # Inside a git hook these name the repository and the index of the hook.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=cwd, env=clean | (env or {}), check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


def export(target: Path) -> None:
    """Write the working copy there, with edits and new files, without what git ignores."""
    with tempfile.TemporaryDirectory() as directory:
        # An index of our own: git decides what belongs to the template, and the developer's index stays as it is.
        index = {"GIT_INDEX_FILE": str(Path(directory, "index"))}
        git("add", "--all", env=index)
        git("checkout-index", "--all", f"--prefix={target.resolve()}/", env=index)


def export_previous(target: Path, than: str) -> bool:
    """Write the newest commit that can be rendered and has another tree there; False when history holds none."""
    for revision in git("rev-list", "--max-count=100", "HEAD").split():
        names = git("ls-tree", "--name-only", revision).splitlines()
        if "cookiecutter.json" in names and git("rev-parse", f"{revision}^{{tree}}") != than:
            export_commit(target, revision)
            return True
    return False


def export_commit(target: Path, revision: str) -> None:
    """Write the files of a commit there."""
    with tempfile.TemporaryDirectory() as directory:
        index = {"GIT_INDEX_FILE": str(Path(directory, "index"))}
        git("read-tree", revision, env=index)
        git("checkout-index", "--all", f"--prefix={target.resolve()}/", env=index)


def commit(repository: Path, message: str) -> str:
    """Commit whatever lies in the directory, which becomes a repository if it is none; return the commit's hash."""
    if not (repository / ".git").exists():
        git("init", "--quiet", cwd=repository)
        git("symbolic-ref", "HEAD", "refs/heads/main", cwd=repository)
    git("add", "--all", cwd=repository)
    person = ("-c", "user.name=A Developer", "-c", "user.email=developer@example.com", "-c", "commit.gpgsign=false")
    git(*person, "commit", "--quiet", "--allow-empty", "--message", message, cwd=repository)
    return git("rev-parse", "HEAD", cwd=repository)


if __name__ == "__main__":
    export(Path(sys.argv[1]))
