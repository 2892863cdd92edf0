"""Clients that are generated from a project's openapi.yaml, as its users generate them, against what it serves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from api import Api, served
from template import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("project")

# Programs that walk through the API with a client: from nobody to an article with tags and comments, and back.
CLIENTS = ROOT / "tests" / "clients"
TOOLS = Path(sys.executable).parent


def run(directory: Path, *command: str | Path) -> str:
    """Run a program there, which must not fail; what it prints."""
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"  # the generator calls ruff
    done = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"PATH": path},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def api(project: Path) -> Iterator[Api]:
    with served(project) as api:
        yield api


@pytest.fixture(scope="module")
def in_python(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the program, and with what openapi-python-client makes: all of it, without a warning."""
    directory = tmp_path_factory.mktemp("python")
    shutil.copytree(CLIENTS / "python", directory, dirs_exist_ok=True)
    generate = (TOOLS / "openapi-python-client", "generate", "--path", project / "openapi.yaml")
    options = ("--output-path", "blog_client", "--meta", "none", "--fail-on-warning")
    assert run(directory, *generate, *options) == "Generating blog_client\n"
    return directory


def test_the_types_of_a_python_client_hold(in_python: Path) -> None:
    run(in_python, TOOLS / "mypy")


def test_a_python_client_goes_all_the_way(in_python: Path, api: Api) -> None:
    run(in_python, TOOLS / "python", "-W", "error", "walk.py", f"http://127.0.0.1:{api.port}")


@pytest.fixture(scope="module")
def in_typescript(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the program, its packages, and what openapi-typescript makes."""
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is missing: install Node.js 18 or newer, with npm"
    directory = tmp_path_factory.mktemp("typescript")
    shutil.copytree(CLIENTS / "typescript", directory, dirs_exist_ok=True)
    run(directory, "npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
    # What has a default may be left out of a request.
    options = ("--output", "api.ts", "--default-non-nullable=false")
    run(directory, "node_modules/.bin/openapi-typescript", project / "openapi.yaml", *options)
    return directory


def test_a_typescript_client_compiles_and_goes_all_the_way(in_typescript: Path, api: Api) -> None:
    run(in_typescript, "node_modules/.bin/tsc")
    run(in_typescript, "node", "walk.js", f"http://127.0.0.1:{api.port}")
