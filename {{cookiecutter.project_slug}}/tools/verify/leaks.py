"""Whether a secret lies in the tree, where git would hand it on."""

import re
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

from app.config import ROOT
from tools.verify.measuring import Measuring, Result, failed, passed

# The two that go by the names of variables find every test and example; the secrets themselves are known by shape.
_BY_NAME: Final = {"Secret Keyword", "Basic Auth Credentials"}
# Of hashes, and what is written by programs.
_NOT_READ: Final = {"requirements.txt", "requirements-dev.txt", "openapi.yaml", "ir.json"}
# Settings of .env that are secrets, or addresses that may hold one.
_SECRET: Final = re.compile("SECRET|PASSWORD|TOKEN|KEY|DSN|URL")
# Shorter ones are words: placeholders, and passwords of databases on a developer's machine.
_LONG_ENOUGH: Final = 16


def measure_leaks(_measuring: Measuring) -> Result:
    """Looks for the values of .env, and for whatever has the shape of a secret."""
    files = [file for file in _files() if file.name not in _NOT_READ]
    found = sorted({*_of_env(files), *_by_shape(files)})
    if found:
        return failed(f"{len(found)}, the first in {found[0]}", "\n".join(found))
    return passed(f"none in {len(files)} files")


def _files() -> list[Path]:
    """What git has or would take; where it knows nothing of the project, what is not hidden."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, encoding="utf-8")
        names = done.stdout.split("\0")
    except (OSError, subprocess.SubprocessError):
        names = []
    known = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return known or [path for path in ROOT.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(ROOT))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _of_env(files: list[Path]) -> Iterator[str]:
    env = ROOT / ".env"
    lines = env.read_text(encoding="utf-8").splitlines() if env.exists() else []
    pairs = (line.partition("=")[::2] for line in lines if _SECRET.search(line.partition("=")[0]))
    secrets = {part: name for name, value in pairs for part in _secret_parts(value) if len(part) >= _LONG_ENOUGH}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        yield from (f"{_where(file)}: the {name} of .env" for part, name in secrets.items() if part in text)


def _secret_parts(value: str) -> Iterator[str]:
    """The value, or the password in it where it is a URL."""
    text = value.strip().strip("\"'")
    in_url = re.search(r"://[^:/]*:([^@/]+)@", text)
    if in_url:
        yield in_url[1]
    elif "://" not in text and " " not in text:
        yield text


def _by_shape(files: list[Path]) -> Iterator[str]:
    known: dict[str, Any] = get_mapping_from_secret_type_to_class()
    plugins = [{"name": plugin.__name__} for kind, plugin in known.items() if kind not in _BY_NAME]
    with transient_settings({"plugins_used": plugins}):
        for secret in chain.from_iterable(scan_file(str(file)) for file in files):
            yield f"{_where(Path(secret.filename))}:{secret.line_number}: {secret.type}"


def _where(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()
