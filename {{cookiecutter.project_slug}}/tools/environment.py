"""`.venv`, with what requirements-dev.txt lists."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.commands import SetupError, run, venv_python


def create_environment(root: Path) -> str:
    """Have in `.venv` what requirements-dev.txt lists, by uv if it can be had.

    The last thing written is a stamp of what was installed and where: an environment without the right one is half
    made, outdated, moved or broken, and is made anew.
    """
    venv, requirements = root / ".venv", root / "requirements-dev.txt"
    python, stamp = venv_python(venv), venv / "installed.txt"
    wanted = f"{hashlib.sha256(requirements.read_bytes()).hexdigest()} {venv}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == f"{wanted} {version_of(python)}":
        return ".venv is current"
    uv = shutil.which("uv")
    if uv is None and importlib.util.find_spec("ensurepip") is None:
        minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(f"this Python has no ensurepip: install uv, or python{minor}-venv (Debian, Ubuntu)")
    # The Python that this one was made from: an environment cannot be made anew while it runs the making.
    base = getattr(sys, "_base_executable", None) or sys.executable
    run(root, base, "-m", "venv", "--clear", *(["--without-pip"] if uv else []), venv)
    try:
        by = install(root, python, requirements, uv)
    except SetupError as error:
        if no_network(error):
            raise SetupError(f"packages cannot be fetched; is there a network? ({error})") from error
        raise
    stamp.write_text(f"{wanted} {version_of(python)}", encoding="utf-8")
    return f".venv made by {by}"


def version_of(python: Path) -> str | None:
    """The version of Python that answers there; None when none does."""
    try:
        answer = subprocess.run([python, "-V"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def install(root: Path, python: Path, requirements: Path, uv: str | None) -> str:
    """Install with uv: the given one, or one that pip puts into the environment; with pip when that fails."""
    arguments = ["--require-hashes", "-r", str(requirements)]
    if uv:
        run(root, uv, "pip", "install", "--python", python, *arguments, env=uv_environment(root, uv))
        return "uv"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    try:
        uv_alone = python.parent.parent / "uv.txt"
        uv_alone.write_text(pinned("uv", requirements), encoding="utf-8")
        run(root, *pip, "--retries", "1", "--require-hashes", "-r", uv_alone)
        run(root, python, "-m", "uv", "pip", "install", "--python", python, *arguments)
    except SetupError:
        run(root, *pip, *arguments)
        return "pip"
    return "uv, which pip has put there"


def pinned(package: str, requirements: Path) -> str:
    """The lines that pin the package: its version and its hashes."""
    found = re.search(rf"^{package}==.*(\n +.*)*", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SetupError(f"{requirements.name} does not name {package}")
    return found[0] + "\n"


def uv_environment(root: Path, uv: str) -> dict[str, str]:
    """The environment for uv: without its cache where that cannot be written, as in a read-only home."""
    try:
        cache = Path(run(root, uv, "cache", "dir"))
        cache.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
    except (OSError, SetupError):
        return {**os.environ, "UV_NO_CACHE": "1"}
    return dict(os.environ)


def no_network(error: SetupError) -> bool:
    return (
        re.search(r"NewConnectionError|Failed to fetch|network was disabled|from versions: none", error.output)
        is not None
    )
