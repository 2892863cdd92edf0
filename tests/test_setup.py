"""tools/setup.py in trouble: whatever fails, the project stays whole and the last line says how to go on."""

from __future__ import annotations

import ast
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bakes import bake, programs, run_cookiecutter

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSED_PORT = "postgresql://someone:s3cret@127.0.0.1:1/blog"
OFFLINE = {"UV_OFFLINE": "1", "UV_NO_CACHE": "1"}  # the quickest way to have the setup fail after .env and git


def assert_whole(project: Path, rendered: Path) -> None:
    """Everything that rendering makes is there, unchanged."""
    for path in rendered.rglob("*"):
        if path.is_file():
            assert (project / path.relative_to(rendered)).read_bytes() == path.read_bytes(), path


def failure(text: str) -> str:
    """The one line that tells what has failed, if that is all there is to see."""
    assert "Traceback" not in text, text
    (line,) = [line for line in text.splitlines() if line.lstrip().startswith("✗")]
    assert "`make setup`" in line
    return line


@pytest.fixture(scope="session")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(template, tmp_path_factory.mktemp("rendered"))


def bake_and_fail(template: Path, rendered: Path, target: Path, *arguments: str, **env: str) -> str:
    """Make a project in circumstances in which a step of the setup fails; return the line that says so."""
    done = run_cookiecutter(template, target, "--no-input", *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    project = target / "fastapi-blog"
    assert_whole(project, rendered)
    assert "s3cret" not in done.stdout + done.stderr
    assert not (project / ".env").exists() or "s3cret" not in (project / ".setup.log").read_text(encoding="utf-8")
    return failure(done.stderr)


def test_no_network_with_uv(template: Path, rendered: Path, tmp_path: Path) -> None:
    proxy = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
    env = proxy | {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "cache")}
    line = bake_and_fail(template, rendered, tmp_path, **env)
    assert "✗ environment" in line
    assert "is there a network?" in line
    assert (tmp_path / "fastapi-blog" / ".git").is_dir()


def test_no_network_with_pip(template: Path, rendered: Path, tmp_path: Path) -> None:
    env = {
        "PATH": programs(tmp_path / "bin", "git", "make"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }
    line = bake_and_fail(template, rendered, tmp_path, **env)
    assert "✗ environment" in line
    assert "is there a network?" in line


def test_an_offline_cache_that_lacks_a_package(template: Path, rendered: Path, tmp_path: Path) -> None:
    assert "is there a network?" in bake_and_fail(template, rendered, tmp_path, **OFFLINE)


def test_a_database_that_cannot_be_reached(template: Path, rendered: Path, tmp_path: Path) -> None:
    line = bake_and_fail(template, rendered, tmp_path, DATABASE_URL=CLOSED_PORT)
    assert "✗ migrations" in line
    assert "127.0.0.1" in line


@pytest.mark.parametrize(
    "url", ["sqlite:///blog.db", "mysql://root:s3cret@127.0.0.1/blog", "postgresql", "postgresql://a:s3cret@h:99999/x"]
)
def test_a_database_that_is_not_postgresql(url: str, template: Path, rendered: Path, tmp_path: Path) -> None:
    line = bake_and_fail(template, rendered, tmp_path, DATABASE_URL=url)
    assert "✗ .env" in line
    assert "DATABASE_URL in the environment" in line
    assert not (tmp_path / "fastapi-blog" / ".env").exists()


def test_no_git(template: Path, rendered: Path, tmp_path: Path) -> None:
    env = {"PATH": programs(tmp_path / "bin", "make", "uv"), **OFFLINE}
    assert "✗ environment" in bake_and_fail(template, rendered, tmp_path, **env)
    assert not (tmp_path / "fastapi-blog" / ".git").exists()


def test_no_make_names_the_line_behind_it(rendered: Path, tmp_path: Path) -> None:
    done = set_up(rendered, PATH=programs(tmp_path / "bin", "uv"), DATABASE_URL="sqlite://")
    assert "To finish: `python tools/setup.py`" in done.stderr


def test_no_uv_and_one_from_pip_that_fails(template: Path, rendered: Path, tmp_path: Path) -> None:
    unable = {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1"}
    env = {"PATH": programs(tmp_path / "bin", "git", "make"), "DATABASE_URL": CLOSED_PORT} | unable
    assert "✗ migrations" in bake_and_fail(template, rendered, tmp_path, **env)


def test_no_uv_but_pip_gets_it(template: Path, rendered: Path, tmp_path: Path) -> None:
    env = {"PATH": programs(tmp_path / "bin", "git", "make"), "DATABASE_URL": CLOSED_PORT}
    assert "✗ migrations" in bake_and_fail(template, rendered, tmp_path, **env)


def test_a_home_that_cannot_be_written(template: Path, rendered: Path, tmp_path: Path) -> None:
    home = Path(os.devnull, "home")  # nobody can write there, not even root
    env = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "DATABASE_URL": CLOSED_PORT}
    assert "✗ migrations" in bake_and_fail(template, rendered, tmp_path, **env)


def set_up(project: Path, *python: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the setup of a project as `make setup` does."""
    command = [sys.executable, *python, "tools/setup.py"]
    return subprocess.run(
        command, cwd=project, env=os.environ | env, check=False, capture_output=True, encoding="utf-8"
    )


@pytest.fixture
def fresh(template: Path, tmp_path: Path) -> Path:
    return bake(template, tmp_path)


def test_a_python_too_old_is_told_what_to_do(fresh: Path) -> None:
    for module in ("setup", "commands", "env_file", "environment", "report"):
        source = (fresh / "tools" / f"{module}.py").read_text(encoding="utf-8")
        ast.parse(source, feature_version=(3, 8))
    program = "import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path('tools/setup.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=fresh, check=False, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert "Python 3.8.18 is too old: install Python 3.11 or newer" in failure(done.stderr)
    assert not (fresh / ".env").exists()


def test_a_python_without_ensurepip(fresh: Path, tmp_path: Path) -> None:
    """As Debian has it when python3-venv is not installed."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n", encoding="utf-8")
    done = set_up(fresh, PATH=programs(tmp_path / "bin", "make"), PYTHONPATH=str(tmp_path))
    assert "this Python has no ensurepip: install uv, or python3." in failure(done.stderr)


@pytest.mark.parametrize(("size", "step"), [(100, ".env"), (20_000, "environment")])
def test_a_disk_that_is_full(size: int, step: str, fresh: Path, rendered: Path) -> None:
    """Simulated with a limit on the size of files: what exceeds it cannot be written."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    done = subprocess.run(
        [sys.executable, "tools/setup.py"],
        cwd=fresh,
        check=False,
        capture_output=True,
        encoding="utf-8",
        preexec_fn=limit,  # nothing here runs in threads
    )
    assert done.returncode == 1
    assert f"✗ {step}" in failure(done.stderr)
    assert (fresh / ".env").exists() == (step != ".env"), "half a .env would be kept for good"
    assert_whole(fresh, rendered)


@pytest.mark.parametrize("redirection", ["| true", ">&- 2>&-"])
def test_an_output_that_nobody_reads(redirection: str, fresh: Path) -> None:
    command = f'"{sys.executable}" tools/setup.py 2>&1 {redirection}'
    subprocess.run(command, shell=True, cwd=fresh, check=False, env=os.environ | OFFLINE)  # noqa: S602
    assert (fresh / ".env").exists()
    assert "requirements-dev.txt" in (fresh / ".setup.log").read_text(encoding="utf-8")


def test_a_terminal_without_unicode(fresh: Path) -> None:
    done = set_up(fresh, PYTHONUTF8="0", PYTHONIOENCODING="ascii", **OFFLINE)
    assert done.stdout.splitlines()[0].startswith("  + .env ")
    assert done.stderr.startswith("  x environment ")


# -------------------------------------------------------------------------------------------------------- .env


def test_the_env_file_is_private_and_its_secrets_are_fresh(template: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        project = bake(template, tmp_path / name)
        set_up(project, **OFFLINE)
        assert (project / ".env").stat().st_mode & 0o777 == 0o600
        texts.append((project / ".env").read_text(encoding="utf-8"))
    values = [dict(re.findall(r"^(SECRET_KEY|DATABASE_URL)=(.+)$", text, re.MULTILINE)) for text in texts]
    assert len(values[0]) == 2
    for name in values[0]:
        assert values[0][name] != values[1][name]
    assert len(values[0]["SECRET_KEY"]) >= 64
    assert values[0]["DATABASE_URL"].endswith("/fastapi_blog")


def test_the_rest_of_the_env_file_is_the_example(fresh: Path) -> None:
    set_up(fresh, **OFFLINE)
    example, made = ((fresh / name).read_text(encoding="utf-8").splitlines() for name in (".env.example", ".env"))
    assert [old.split("=")[0] for old, new in zip(example, made, strict=True) if old != new] == [
        "DATABASE_URL",
        "SECRET_KEY",
    ]


def test_an_env_file_is_never_overwritten(fresh: Path) -> None:
    (fresh / ".env").write_text("SECRET_KEY=mine\n", encoding="utf-8")
    done = set_up(fresh, DATABASE_URL=CLOSED_PORT, **OFFLINE)
    assert "kept; it names another database, but DATABASE_URL of the environment wins for this run" in done.stdout
    assert (fresh / ".env").read_text(encoding="utf-8") == "SECRET_KEY=mine\n"


def test_the_database_url_of_the_environment_goes_into_the_env_file(fresh: Path) -> None:
    set_up(fresh, DATABASE_URL=CLOSED_PORT, **OFFLINE)
    assert f"DATABASE_URL={CLOSED_PORT}" in (fresh / ".env").read_text(encoding="utf-8").splitlines()
    assert "kept as it is" in set_up(fresh, DATABASE_URL=CLOSED_PORT, **OFFLINE).stdout


# --------------------------------------------------------------------------------------------------------- git


def test_a_repository_around_the_project_is_enough(fresh: Path) -> None:
    subprocess.run(["git", "init", "--quiet", fresh.parent], check=True)
    set_up(fresh, **OFFLINE)
    assert not (fresh / ".git").exists()


def test_a_new_repository_is_empty_and_on_main(fresh: Path) -> None:
    # As inside a git hook: these variables name the repository of the hook, which is none of ours.
    set_up(fresh, GIT_DIR=str(fresh / "elsewhere"), GIT_INDEX_FILE=str(fresh / "index"), **OFFLINE)
    head = subprocess.run(["git", "symbolic-ref", "HEAD"], cwd=fresh, check=True, capture_output=True, text=True)
    assert head.stdout == "refs/heads/main\n"
    assert subprocess.run(["git", "log"], cwd=fresh, check=False, capture_output=True).returncode != 0
    assert not (fresh / "elsewhere").exists()


# ------------------------------------------------------------------------------------------------- the environment


def interpreter_gone(project: Path) -> Path:
    (project / ".venv" / "bin" / "python").unlink()
    return project


def half_made(project: Path) -> Path:
    (project / ".venv" / "installed.txt").unlink()
    return project


def moved(project: Path) -> Path:
    return project.rename(project.with_name("moved"))


def outdated(project: Path) -> Path:
    with (project / "requirements-dev.txt").open("a", encoding="utf-8") as file:
        file.write("\n# another package would stand here\n")
    return project


@pytest.mark.parametrize("harm", [interpreter_gone, half_made, moved, outdated])
def test_an_environment_that_is_not_right_is_made_anew(harm: Callable[[Path], Path], fresh: Path) -> None:
    assert "✓ environment  .venv made by uv" in set_up(fresh, DATABASE_URL=CLOSED_PORT).stdout
    assert "✓ environment  .venv is current" in set_up(fresh, DATABASE_URL=CLOSED_PORT).stdout
    project = harm(fresh)
    assert "✓ environment  .venv made by uv" in set_up(project, DATABASE_URL=CLOSED_PORT).stdout
    subprocess.run([project / ".venv" / "bin" / "pytest", "--version"], check=True, capture_output=True)


# -------------------------------------------------------------------------------------------------- interruptions


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until the file is there; a process that ends before is a failure."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "the setup has ended already"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_setup_says_so_and_can_be_run_again(number: signal.Signals, fresh: Path) -> None:
    command = [sys.executable, "tools/setup.py"]
    process = subprocess.Popen(
        command, cwd=fresh, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True
    )
    wait_for(fresh / ".venv" / "bin", process)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in failure(errors)
    done = set_up(fresh, DATABASE_URL=CLOSED_PORT)
    assert "✓ environment  .venv made by uv" in done.stdout
