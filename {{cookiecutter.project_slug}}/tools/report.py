"""What the user sees of the setup."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tools.commands import venv_python


class Report:
    """A line for each step, with a tick and its time; and, when one fails, a line with the way on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.step_name = "setup"
        make = shutil.which("make")
        self.again = "make setup" if make else f"python {Path('tools', 'setup.py')}"
        self.python = "make" if make else f"{venv_python(Path('.venv'))} -m app"

    def show(self, text: str, *, end: str = "\n", error: bool = False) -> None:
        """Print a line in what the stream can encode; a reader that has gone away is not our failure."""
        stream = sys.stderr if error else sys.stdout
        if stream is None:  # closed from the start
            return
        encoding = stream.encoding or "ascii"
        for sign, ascii_sign in {"✓": "+", "✗": "x", "–": "-", "…": "..."}.items():  # noqa: RUF001
            if sign.encode(encoding, "ignore") == b"":
                text = text.replace(sign, ascii_sign)
        with contextlib.suppress(OSError):
            print(text.encode(encoding, "backslashreplace").decode(encoding), end=end, file=stream, flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step. What it appends to the list is said behind its name."""
        self.step_name = name
        started = time.perf_counter()
        if sys.stdout and sys.stdout.isatty():
            self.show(f"  … {name}\r", end="")
        said: list[str] = []
        yield said
        self.show(f"  ✓ {name:<12} {'; '.join(said)} ({time.perf_counter() - started:.1f} s)")

    def failed(self, reason: str) -> None:
        self.show(f"  ✗ {self.step_name:<12} {reason}. To finish: `{self.again}`. (Details: .setup.log)", error=True)

    def finished(self) -> None:
        self.show("\nReady. What to type next:")
        here = os.path.relpath(self.root, os.environ.get("PWD", self.root))
        if here != ".":
            self.show(f"  cd {here}")
        address = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/docs"
        self.show(f"  {self.python} dev     the API, with its documentation on {address}")
        self.show("  make test    the tests" if self.python == "make" else "  pytest       the tests")
