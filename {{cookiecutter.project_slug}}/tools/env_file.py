"""`.env`, made from `.env.example` with secrets of its own."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from tools.commands import SetupError

DATABASE_URL = "DATABASE_URL"


def quoted(value: str) -> str:
    """A value as python-dotenv reads it back unchanged. `${` would name a variable; `${:-$}` stands for its dollar."""
    if re.fullmatch(r"[\w.:/@%?&=+,~-]*", value, re.ASCII):
        return value
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("${", "${:-$}{")
    return f'"{escaped}"'


def fill(example: str, values: dict[str, str]) -> str:
    """The text of `.env.example` with these settings given; every other line stays as it is."""
    for name, value in values.items():
        line = f"{name}={quoted(value)}".replace("\\", r"\\")
        example, found = re.subn(rf"^{name}=.*$", line, example, count=1, flags=re.MULTILINE)
        if not found:
            raise SetupError(f".env.example has no line that begins with {name}=")
    return example


def checked(url: str, source: str) -> str:
    """The URL itself, if it is one of PostgreSQL. Messages never hold the URL: there is a password in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SetupError(f"{DATABASE_URL} in {source} is no URL; percent-encode what is special in it") from error
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", parts.scheme) or "://" not in url:
        raise SetupError(f"{DATABASE_URL} in {source} is not for PostgreSQL: it must begin with postgresql://")
    if not url.isprintable():
        raise SetupError(f"{DATABASE_URL} in {source} holds a control character")
    return url


def create_env(root: Path) -> str:
    """Write `.env` with fresh secrets unless there is one. Nobody but its owner can read it, at no moment."""
    given = os.environ.get(DATABASE_URL)
    if given:
        checked(given, "the environment")
    env = root / ".env"
    if env.exists():
        if given and f"{DATABASE_URL}={quoted(given)}" not in env.read_text(encoding="utf-8").splitlines():
            return f"kept; it names another database, but {DATABASE_URL} of the environment wins for this run"
        return "kept as it is"
    example = (root / ".env.example").read_text(encoding="utf-8")
    values = {"SECRET_KEY": secrets.token_urlsafe(48), DATABASE_URL: given or embedded_url(root, example)}
    text = fill(example, values)
    handle = os.open(env, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except BaseException:
        env.unlink()  # half a file would be kept by the next run
        raise
    return "made with fresh secrets" + (f" and {DATABASE_URL} of the environment" if given else "")


def embedded_url(root: Path, example: str) -> str:
    from tools.embedded_postgres import new_database_url  # noqa: PLC0415  # newer syntax than this file's

    line = re.search(rf"^{DATABASE_URL}=(.*)$", example, re.MULTILINE)
    if line is None:
        raise SetupError(f".env.example has no line that begins with {DATABASE_URL}=")
    return new_database_url(urlsplit(line[1]).path.lstrip("/"), root / ".postgres")
