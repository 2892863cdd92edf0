"""What the tests share: the template as git would hand it on, renders of it, and one project that is set up."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bakes import COMBINATIONS, bake, bake_hostile, run_cookiecutter
from template import commit, export

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the developer's settings out of the renders, and the renders out of the developer's home."""
    place = tmp_path_factory.mktemp("cookiecutter")
    config = place / "config.yaml"
    config.write_text(f'cookiecutters_dir: "{place}/templates"\nreplay_dir: "{place}/replay"\n', encoding="utf-8")
    uv = place / "bin" / "uv"
    uv.parent.mkdir()
    uv.symlink_to(Path(sys.executable).parent / "uv")
    # Where tests run in the background SIGINT is ignored, and what they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(uv.parent), prepend=os.pathsep)
        for name in ("DATABASE_URL", "PORT", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH"):
            patch.delenv(name, raising=False)
        patch.setenv("COOKIECUTTER_CONFIG", str(config))
        patch.setenv("FASTAPI_TEMPLATE_SETUP", "0")
        patch.setenv("PYTHONUTF8", "1")
        patch.setenv("PYTHONPYCACHEPREFIX", str(place / "pycache"))  # not among the files of a render
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that holds the template as it stands, committed."""
    target = tmp_path_factory.mktemp("template") / "fastapi-template"
    export(target)
    commit(target, "The template under test")
    return target


@pytest.fixture(scope="session", params=[*COMBINATIONS, "hostile"])
def baked(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered project, for each combination of answers in turn."""
    target = tmp_path_factory.mktemp("baked")
    if request.param == "hostile":
        return bake_hostile(template, target)
    return bake(template, target, COMBINATIONS[request.param])


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A directory for projects whose embedded PostgreSQL runs.

    For root that server runs as an account without privileges, which has to get through to it; but each pytest that
    starts, such as a project's own, closes the directory above tmp_path to everybody else.
    """
    with tempfile.TemporaryDirectory(prefix="fastapi-template-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def project(template: Path, place: Path) -> Path:
    """A project as cookiecutter leaves it with a user: with environment, database and tables.

    It takes a while to make: the tests that use it are all in one xdist group, so that only one worker does.
    """
    done = run_cookiecutter(template, place, "--no-input")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return place / "fastapi-blog"
