"""Renders that are used as projects, without an environment of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import in_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Copy:
    """A render whose environment is the project's."""

    def __init__(self, path: Path, project: Path) -> None:
        self.path = path
        (path / ".venv").symlink_to(project / ".venv")
        # In a render the answers are in the contract.
        own = in_place.settings(path)
        self.settings = {name: value for name, value in own.items() if name not in in_place.NAMES}
        (path / ".env").write_bytes((path / ".env.example").read_bytes())

    @contextlib.contextmanager
    def database(self) -> Iterator[None]:
        """Its database is up while the block runs, and not only for each command."""
        command = [str(self.path / ".venv/bin/python"), "-m", "tools.embedded_postgres"]
        env = os.environ | self.settings
        with subprocess.Popen(command, cwd=self.path, env=env, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"PostgreSQL")
            try:
                yield
            finally:
                server.terminate()

    def run(self, *command: str, fails: bool = False) -> str:
        """What a command prints; unless it `fails`, it has to succeed."""
        program = self.path / ".venv" / "bin" / command[0]
        arguments = [str(program) if program.exists() else command[0], *command[1:]]
        env = os.environ | self.settings
        done = subprocess.run(arguments, cwd=self.path, env=env, check=False, capture_output=True, encoding="utf-8")
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr
