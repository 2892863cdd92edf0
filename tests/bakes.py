"""Rendering the template, in the ways in which users do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cookiecutter.main import cookiecutter

# Every value of every question once; all but the first name what they differ in.
COMBINATIONS: dict[str, dict[str, str]] = {
    "defaults": {},
    "apache": {"license": "Apache-2.0"},
    "bsd": {"license": "BSD-3-Clause"},
    "proprietary": {"license": "Proprietary", "project_name": "My 2nd API"},
    "python-3.11": {"python_version": "3.11"},
    "python-3.12": {"python_version": "3.12"},
    "python-3.14": {"python_version": "3.14"},
}

# Everything that means something to TOML, YAML, JSON, dotenv, Markdown, HTML, SQL, a shell or Jinja.
HOSTILE = (
    r"""- It's "q" \n \\ {{ cookiecutter }} {% raw %} {# c #} ${HOME} $x$ `a` *b* _c_ [d](e) <f> &amp; # ~ | !"""
    "</script> '; DROP TABLE users; -- é 日本 🚀"
)


def bake(
    template: Path, target: Path, answers: dict[str, str] | None = None, *, overwrite_if_exists: bool = False
) -> Path:
    """Render with these answers and the defaults for the others; nothing is set up."""
    rendered = cookiecutter(
        str(template),
        no_input=True,
        output_dir=str(target),
        extra_context=answers,
        overwrite_if_exists=overwrite_if_exists,
    )
    return Path(rendered)


def run_cookiecutter(
    template: Path | str, target: Path, *arguments: str, env: dict[str, str] | None = None, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run cookiecutter as a user does: a process that sets the project up, unless `env` says otherwise."""
    whole = {name: value for name, value in os.environ.items() if name != "FASTAPI_TEMPLATE_SETUP"} | (env or {})
    command = [sys.executable, "-m", "cookiecutter", str(template), "--output-dir", str(target), *arguments]
    return subprocess.run(command, env=whole, check=False, capture_output=True, encoding="utf-8", **options)  # type: ignore[call-overload,no-any-return]


def answer(template: Path, target: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """Type answers at the prompts; nothing is set up. Unlike on the command line, Jinja in an answer is text here."""
    first = ("project_name", "project_slug", "description", "author_name", "author_email")
    typed = "".join(answers.get(question, "") + "\n" for question in (*first, "license", "python", "entities"))
    return run_cookiecutter(template, target, env={"FASTAPI_TEMPLATE_SETUP": "0"}, input=typed)


def bake_hostile(template: Path, target: Path) -> Path:
    done = answer(
        template, target, project_name=HOSTILE, project_slug="hostile", description=HOSTILE, author_name=HOSTILE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target / "hostile"


def programs(directory: Path, *names: str) -> str:
    """A PATH with these programs and no others."""
    directory.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found, f"the tests need {name}"
        (directory / name).symlink_to(found)
    return str(directory)
