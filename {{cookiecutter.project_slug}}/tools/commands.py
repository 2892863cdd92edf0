"""Running the commands behind the setup, so that what they print is a line when they fail and a log always."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path


class SetupError(Exception):
    """A step cannot be done; the message is one line for the user, the output that of the command that failed."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def log(root: Path, text: str) -> None:
    """Keep details for whoever looks for them. A full disk must not hide the failure that they are about."""
    with contextlib.suppress(OSError), (root / ".setup.log").open("a", encoding="utf-8", errors="replace") as file:
        file.write(text.rstrip("\n") + "\n")


def run(root: Path, *command: str | Path, env: dict[str, str] | None = None, secret: bool = False) -> str:
    """Run a command in the project and return what it prints; raise SetupError with its reason when it fails.

    What is secret stays out of the log.
    """
    arguments = [str(part) for part in command]
    log(root, "$ " + " ".join(arguments))
    try:
        done = subprocess.run(
            arguments,
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SetupError(f"cannot run {arguments[0]}: {error.strerror}") from error
    if done.returncode or not secret:
        log(root, done.stdout)
    if done.returncode:
        raise SetupError(culprit(done.stdout) or f"{arguments[0]} ended with {done.returncode}", done.stdout)
    return done.stdout.strip()


def culprit(output: str) -> str:
    """The one line of a failed command's output that says why: its first error and the deepest cause, or its last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"error: ", line, re.IGNORECASE)]
    causes = [line for line in lines if re.match(r"(caused by|cause): ", line, re.IGNORECASE)]
    reason = " <- ".join(line.split(": ", 1)[1] for line in errors[:1] + causes[-1:]) or "".join(lines[-1:])
    return reason.rstrip(".")
