"""Run a command in the project where it stands in the template, unrendered: `python scripts/in_place.py make check`.

The project's Python holds no Jinja, so that it can be worked on as it lies. What a run leaves behind must not lie
there, though: cookiecutter would copy it into every project. So the command runs in a copy, with an environment and
a database of its own. `make generate` and `make lock` of the template are built on this.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = "{{cookiecutter.project_slug}}"
sys.path.insert(0, str(ROOT / "tests"))
from template import export  # noqa: E402  # the template as git would hand it on, as the tests have it

# What the answers would be: text that renders to them. Contract and settings then agree unrendered too.
NAMES: Final = {
    "APP_NAME": "{{ cookiecutter.__name_quoted }}",
    "APP_DESCRIPTION": "{{ cookiecutter.__description_quoted }}",
}


def stand(place: Path) -> Path:
    """A copy of the template in the directory, with the project ready to run; the project's path."""
    copy = place / "template"
    shutil.rmtree(copy, ignore_errors=True)
    export(copy)
    project = copy / PROJECT
    (project / ".venv").symlink_to(environment(place / "venv", project / "requirements-dev.txt"))
    return project


def environment(venv: Path, requirements: Path) -> Path:
    """An environment with what the project needs, made anew when that has changed."""
    installed = venv / "requirements-dev.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", venv, "-r", requirements], check=True)
        shutil.copy(requirements, installed)
    return venv


def settings(project: Path) -> dict[str, str]:
    """The environment variables that stand for the `.env` of a rendered project."""
    program = "from tools.embedded_postgres import new_database_url; print(new_database_url('in_place'))"
    python = project / ".venv" / "bin" / "python"
    url = subprocess.run([python, "-c", program], cwd=project, check=True, capture_output=True, text=True).stdout
    return NAMES | {
        "DATABASE_URL": url.strip(),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENVIRONMENT": "development",
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }


def write_contract(project: Path) -> None:
    """Bring openapi.yaml and ir.json up to date. The answers stand in double quotes, which they are escaped for."""
    subprocess.run(["python", "-m", "app", "generate"], cwd=project, env=os.environ | settings(project), check=True)
    for file in ("openapi.yaml", "ir.json"):
        shutil.copy(project / file, ROOT / PROJECT / file)


def lock(project: Path, *arguments: str) -> None:
    """Bring the project's requirements*.txt up to date. A distribution's name cannot hold Jinja, so it gets one."""
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(re.sub(r"\{\{ cookiecutter\.\w+ \}\}", "name", text), encoding="utf-8")
    # With the template's uv: the project's may be what the lock does not have yet.
    tools = f"VENV={ROOT / '.venv' / 'bin'}"
    subprocess.run(["make", "lock", tools, *arguments], cwd=project, env=os.environ | settings(project), check=True)
    for file in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(project / file, ROOT / PROJECT / file)


def main() -> int:
    project = stand(ROOT / "build" / "in_place")
    match sys.argv[1:]:
        case ["generate"]:
            write_contract(project)
        case ["lock", *arguments]:
            lock(project, *arguments)
        case command:
            return subprocess.run(command, cwd=project, env=os.environ | settings(project), check=False).returncode
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:  # it has said what was wrong
        sys.exit(error.returncode)
