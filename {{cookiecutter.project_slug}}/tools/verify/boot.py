"""The application, installed from its lock into an empty environment, started and called.

What the tests cannot see: they run with the packages of development, in a tree where everything lies about.
"""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from app.config import ROOT
from tools.commands import SetupError, venv_python
from tools.environment import install
from tools.verify.commands import last_line, run

# What an image holds.
_SHIPPED: Final = ("app", "alembic", "alembic.ini")
# Of this shell's environment: nothing that is exported for development.
_KEPT: Final = {"PATH", "HOME", "SYSTEMROOT", "TMPDIR"}
_PATIENCE: Final = 60.0
_PASSWORD: Final = "correct horse battery staple"  # noqa: S105  # of nobody, in a database that is dropped


@dataclass(frozen=True)
class Boot:
    """How it went: what is wrong, the log, and the seconds to the first answer if there was one."""

    wrong: tuple[str, ...]
    log: str
    seconds: float | None = None

    @classmethod
    def run(cls, directory: Path, dsn: str) -> "Boot":
        """Install, migrate, start and call it."""
        installed = _Installed(directory, dsn)
        try:
            installed.install()
            installed.migrate()
            with installed.serving() as (client, seconds):
                wrong = tuple(_wrong_answers(client))
        except SetupError as error:
            return cls((str(error),), error.output)
        return cls(wrong, installed.log.read_text(encoding="utf-8"), seconds)


class _Installed:
    def __init__(self, directory: Path, dsn: str) -> None:
        self._root = directory / "installed"
        self._python = venv_python(directory / "venv")
        self._env = {name: value for name, value in os.environ.items() if name in _KEPT} | {
            "DATABASE_URL": dsn,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ENVIRONMENT": "production",
        }
        self.log = directory / "log"

    def install(self) -> None:
        """Raises `SetupError` with what does not install."""
        self._root.mkdir()
        for name in _SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self._root / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, self._root / name)
        venv = run("venv", "--without-pip", self._python.parent.parent)
        if venv.code:
            raise SetupError(last_line(venv.output), venv.output)
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        install(ROOT, self._python, ROOT / "requirements.txt", uv)

    def migrate(self) -> None:
        """Raises `SetupError`."""
        done = run(self._python, "-m", "app", "migrate", env=self._env, cwd=self._root)
        if done.code:
            raise SetupError(f"it does not migrate: {last_line(done.output)}", done.output)

    @contextmanager
    def serving(self) -> Iterator[tuple[httpx.Client, float]]:
        """Serve as in production while the block runs; gives a client and the seconds that it took.

        Raises `SetupError` if it does not come up.
        """
        command: list[str | Path] = [self._python, "-m", "app", "serve", "--port", "0"]
        started = time.perf_counter()
        with self.log.open("wb") as log:
            process = subprocess.Popen(command, cwd=self._root, env=self._env, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not (address := re.search(r"running on (http://[\d.]+:\d+)", self.log.read_text(encoding="utf-8"))):
                if process.poll() is not None or time.perf_counter() - started > _PATIENCE:
                    text = self.log.read_text(encoding="utf-8").strip()
                    raise SetupError(f"it does not start: {last_line(text)}", text)
                time.sleep(0.02)
            with httpx.Client(base_url=address[1], timeout=_PATIENCE, trust_env=False) as client:
                client.get("/health/live").raise_for_status()
                yield client, time.perf_counter() - started
        finally:
            process.terminate()
            process.wait()


def _wrong_answers(client: httpx.Client) -> Iterator[str]:
    """What is not answered as it should be, good requests and bad ones."""
    name = f"user{secrets.token_hex(4)}"
    account = {"email": f"{name}@example.com", "username": name, "password": _PASSWORD}
    yield from _call(client, 200, "GET", "/health/ready")
    yield from _call(client, 200, "GET", "/openapi.json")
    yield from _call(client, 401, "GET", "/users/me")
    yield from _call(client, 404, "GET", "/no-such-thing")
    yield from _call(client, 422, "POST", "/auth/register", json={"email": "nobody", "password": "short"})
    yield from _call(client, 201, "POST", "/auth/register", json=account)
    answer = client.post("/auth/login", data={"username": name, "password": _PASSWORD})
    token = answer.json().get("access_token") if answer.is_success else None
    if token is None:
        yield f"POST /auth/login: {answer.status_code} {answer.text[:200]}"
        return
    client.headers["Authorization"] = f"Bearer {token}"
    yield from _call(client, 200, "GET", "/users/me")
    yield from _call(client, 200, "GET", "/workspaces")


def _call(client: httpx.Client, status: int, method: str, path: str, **sent: Any) -> Iterator[str]:
    answer = client.request(method, path, **sent)
    if answer.status_code != status:
        yield f"{method} {path}: {answer.status_code} instead of {status}: {answer.text[:200]}"
