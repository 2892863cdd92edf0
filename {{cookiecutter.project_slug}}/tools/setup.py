"""Make the project ready to run: `make setup`, which is `python tools/setup.py`.

Makes what is missing and leaves alone what is there: `.env`, a git repository, `.venv`, the database, its tables, and
the entities that `entities.yaml` lists, which it removes when they are made.
It may be run any number of times, and finishes what an earlier run could not. Its own needs are the standard library
and Python 3.11; on an older one it still has to be readable to say so. What the commands behind it print is in
`.setup.log`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
ENTITIES = "entities.yaml"
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # for `tools` as a package, although this was started as a file in it

from tools.commands import SetupError, culprit, log, run, venv_python  # noqa: E402
from tools.env_file import DATABASE_URL, checked, create_env  # noqa: E402
from tools.environment import create_environment  # noqa: E402
from tools.report import Report  # noqa: E402


def create_repository(root: Path) -> str:
    """Run `git init` unless a repository is there or around; never commit. Without git, the project is as good."""
    if any((directory / ".git").exists() for directory in (root, *root.parents)):
        return "there already"
    if not shutil.which("git"):
        return "not installed; skipped"
    # Inside a git hook these name the repository of the hook.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    run(root, "git", "init", "--quiet", env=clean)
    run(root, "git", "symbolic-ref", "HEAD", "refs/heads/main", env=clean)  # every version of git can do that
    return "repository made, branch main, nothing committed"


def database_url(root: Path, python: Path) -> tuple[str, str]:
    """The URL that the application will use, and where it comes from."""
    given = os.environ.get(DATABASE_URL)
    if given:
        return given, "the environment"
    # As the application reads it: with the library that reads it there.
    program = f"import dotenv; print(dotenv.dotenv_values('.env').get('{DATABASE_URL}') or '')"
    return checked(run(root, python, "-c", program, secret=True), ".env"), ".env"


@contextlib.contextmanager
def database(root: Path, python: Path) -> Iterator[str]:
    """Keep the embedded PostgreSQL running for as long as the block does; another server is left to its owner."""
    from tools.embedded_postgres import is_embedded  # noqa: PLC0415  # newer syntax than this file's

    url, source = database_url(root, python)
    if not is_embedded(url):
        parts = urlsplit(url)
        yield f"{parts.hostname or 'local socket'}:{parts.port or 5432}{parts.path}, as {source} says"
        return
    server = subprocess.Popen(
        [python, "-m", "tools.embedded_postgres"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        assert server.stdout  # noqa: S101  # for mypy: it is a pipe
        ready = server.stdout.readline().strip()
        if not ready:
            _, errors = server.communicate()
            log(root, errors)
            raise SetupError(culprit(errors) or "the embedded PostgreSQL did not start")
        yield ready
    finally:
        server.terminate()
        server.communicate()


def make_entities(root: Path, python: Path) -> str:
    """Make what the file lists, and take it away: from then on the models say it."""
    try:
        said = run(root, python, "-m", "tools.scaffold", "entities", ENTITIES)
    except SetupError as error:
        raise SetupError(f"{ENTITIES}: {error}", error.output) from error
    (root / ENTITIES).unlink()
    return said.splitlines()[-1]


def set_up(root: Path, report: Report) -> None:
    with report.step(".env") as said:
        said.append(create_env(root))
    with report.step("git") as said:
        said.append(create_repository(root))
    with report.step("environment") as said:
        said.append(create_environment(root))
    python = venv_python(root / ".venv")
    with contextlib.ExitStack() as stack:
        with report.step("database") as said:
            said.append(stack.enter_context(database(root, python)))
        with report.step("migrations") as said:
            said.append(run(root, python, "-m", "app", "migrate") or "the tables are up to date")
        if (root / ENTITIES).exists():
            with report.step("entities") as said:
                said.append(make_entities(root, python))


def main() -> int:
    report = Report(ROOT)
    if sys.version_info < (3, 11):  # noqa: UP036  # this is the line that says so
        version = ".".join(map(str, sys.version_info[:3]))
        way = "`make setup` (or `python3.11 tools/setup.py`)"
        report.show(f"  ✗ Python {version} is too old: install Python 3.11 or newer, then run {way}", error=True)
        return 1
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)  # ends as Ctrl-C does
    with contextlib.suppress(OSError):
        (ROOT / ".setup.log").unlink()
    try:
        set_up(ROOT, report)
    except SetupError as error:
        report.failed(str(error))
    except OSError as error:
        report.failed(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except KeyboardInterrupt:
        report.failed("interrupted")
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets one line and the rest is in the log
        log(ROOT, traceback.format_exc())
        report.failed(f"{type(error).__name__}: {error}")
    else:
        report.finished()
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
