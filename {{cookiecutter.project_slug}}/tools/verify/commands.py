"""Running commands, with all that they say."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.config import ROOT

# Seconds for one command. The suite is the longest, and takes minutes where a machine is busy.
PATIENCE: Final = 1_800


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    output: str


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> Done:
    """Run one of the environment's modules, or a program if the first part is a path."""
    program = list(map(str, command)) if isinstance(command[0], Path) else [sys.executable, "-m", *map(str, command)]
    try:
        done = subprocess.run(
            program,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Done(1, f"{command[0]} had not ended after {PATIENCE} s")
    return Done(done.returncode, done.stdout.strip())


def last_line(output: str) -> str:
    """What most tools say at the end."""
    return output.splitlines()[-1] if output else "it said nothing"
