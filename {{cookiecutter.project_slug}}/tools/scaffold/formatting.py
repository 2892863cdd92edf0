"""Source as the project has it: by its own rules of ruff."""

import subprocess
import sys
from pathlib import Path

from app.config import ROOT


def formatted(path: Path, source: str) -> str:
    """The source as it will stand at the path: imports that are used, in order, and lines that are short."""
    for command in (["check", "--fix-only", "--quiet", "--no-cache"], ["format", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            cwd=ROOT,
            input=source,
            check=False,
            capture_output=True,
            encoding="utf-8",
        )
        if done.returncode:
            raise RuntimeError(f"ruff refuses {path}: {done.stderr.strip()}")
        source = done.stdout
    return source
