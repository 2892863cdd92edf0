"""Writing what is planned, and taking it back if the contract were another then."""

import difflib
import os
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path

from fastapi import FastAPI

from app import contract
from app.config import ROOT
from tools.eject.files import EjectError
from tools.eject.plan import Plan

_CONTRACT = "openapi.yaml"
_DESCRIPTION = "ir.json"


class Writing:
    """New texts of files, on their way to the disk."""

    def __init__(self, app: FastAPI, plan: Plan) -> None:
        self._app = app
        self._plan = plan
        self.before = {path: (ROOT / path).read_bytes() for path in plan.texts if (ROOT / path).exists()}
        self.verdict = "the contract is the same"

    @cached_property
    def changed(self) -> list[Path]:
        """The files that exist and get more than a `routes=False`."""
        return [path for path in self.before if path not in self._plan.models]

    def refuse_edited(self) -> None:
        """Raises `EjectError` for files with changes that git does not have yet: they could not be told apart."""
        command = ["git", "status", "--porcelain", "--", *map(str, self.changed)]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8")
        if self.changed and done.returncode == 0 and done.stdout:
            edited = ", ".join(path.as_posix() for path in self.changed if path.as_posix() in done.stdout)
            raise EjectError(f"There are changes that are not committed in {edited}: commit them first")

    def carry_out(self) -> None:
        """Raises `EjectError`, and leaves everything as it was, if the contract would change."""
        with tempfile.TemporaryDirectory() as directory:
            before, after = Path(directory, "before"), Path(directory, "after")
            before.mkdir()
            after.mkdir()
            contract.write(self._app, before)
            was_current = _DESCRIPTION not in contract.not_current(self._app, ROOT)
            try:
                self._write()
                self._compare(before, after)
            except BaseException:
                self._take_back()
                raise
            if was_current:
                (ROOT / _DESCRIPTION).write_bytes((after / _DESCRIPTION).read_bytes())
            else:
                self.verdict += f"; {_DESCRIPTION} was old before: make generate"

    def _write(self) -> None:
        for path, text in self._plan.texts.items():
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8")

    def _take_back(self) -> None:
        for path in self._plan.texts:
            if path in self.before:
                (ROOT / path).write_bytes(self.before[path])
            else:
                (ROOT / path).unlink(missing_ok=True)

    def _compare(self, before: Path, after: Path) -> None:
        """The application as it is now, in a process of its own."""
        command = [sys.executable, "-m", "app", "generate", "--into", str(after)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ, check=False, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise EjectError(f"Nothing is changed, because the application would not start:\n{done.stderr[-2000:]}")
        old, new = ((one / _CONTRACT).read_text(encoding="utf-8").splitlines() for one in (before, after))
        if old != new:
            told = "\n".join(list(difflib.unified_diff(old, new, "before", "after", lineterm="", n=5))[:60])
            raise EjectError(f"Nothing is changed, because the contract would be another:\n{told}")
