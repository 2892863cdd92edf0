"""`python -m tools.scaffold.rehearsal DIRECTORY`: whether the application starts with these models too.

What it would refuse is told before anything is written.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from app.config import ROOT
from tools.scaffold.grammar import Refused


def rehearse(models: Mapping[str, str]) -> None:
    """Start the application with these modules among its models, in a process of its own. Raises `Refused`."""
    with tempfile.TemporaryDirectory() as directory:
        for name, source in models.items():
            Path(directory, name).write_text(source, encoding="utf-8")
        command = [sys.executable, "-m", "tools.scaffold.rehearsal", directory]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise Refused(f"The application would not start: {done.stderr.strip().splitlines()[-1].rstrip('.')}")


def main(directory: str) -> None:
    """Make the application, and all that it makes at the first request."""
    from app import models  # noqa: PLC0415  # only in the process that is there for it

    models.__path__.append(directory)
    from app.main import app  # noqa: PLC0415  # after that

    app.openapi()


if __name__ == "__main__":
    main(sys.argv[1])
