"""Source as the project has it: by its own rules of ruff."""

import subprocess
import sys
from pathlib import Path

from app.config import ROOT
from tools.scaffold.grammar import Refused


def formatted(path: Path, source: str) -> str:
    """The source as it will stand at the path: imports that are used, in order, and lines that are short."""
    return _ruff(path, _ruff(path, source, "check", "--fix-only", "--quiet"), "format")


def refuse_faults(path: Path, source: str) -> None:
    """Raises `Refused` for what the project's rules do not allow, such as a field that is called `l`."""
    if found := _ruff(path, source, "check", "--quiet", "--output-format", "concise"):
        where, _, rule = found.splitlines()[0].partition(": ")
        raise Refused(f"{Path(where).stem}: ruff would say {rule}. Choose another name")


def _ruff(path: Path, source: str, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", str(path), "-"],
        cwd=ROOT,
        input=source,
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    if done.stderr.strip():
        raise RuntimeError(f"ruff refuses {path}: {done.stderr.strip()}")
    return done.stdout
