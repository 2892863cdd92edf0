"""Where speed is measured: a database with articles, and three servers on it with one worker each.

The database is made for the run, on the server that the project's settings name, and dropped at its end; the embedded
PostgreSQL of the project is started if that is what they name.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import processes
from asking import ask, form, with_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
DATABASE = "speed_benchmark"
CLAIM = 73_120_946  # the number of a lock, by which runs know of each other
LOGIN = {"username": "bench", "password": secrets.token_urlsafe(16)}
ARTICLES = 2_000
AUTHORS = 100
ALL = ("limit", "textbook", "ours")
PAGE = 25
DEEP_PAGE = 10_000

ADD_AUTHORS = f"""
INSERT INTO users (email, username, hashed_password)
SELECT 'author' || n || '@example.com', 'author' || n, '' FROM generate_series(1, {AUTHORS}) n
"""  # noqa: S608  # a number of ours
# Of about 400 bytes each, as JSON. One in seven is about a harbour.
ADD_ARTICLES = """
INSERT INTO articles (title, content, published, author_id, workspace_id, created_at, updated_at)
SELECT (ARRAY['Notes on the harbour', 'A garden', 'The mill', 'Rivers', 'What was told', 'Rain', 'On foot'])[1 + n % 7]
           || ', part ' || n,
       rpad('Number ' || n || ', in which ', 170 + n % 20, md5(n::text) || ' is what one reads, and '),
       {published}, (SELECT min(id) FROM users WHERE username LIKE 'author%') + n * 7 % {authors}, {workspace},
       now() - interval '1 hour' - n * interval '1 minute', now() - interval '1 hour'
FROM generate_series({first}, {last}) n
"""


class Sql:
    """A connection, kept by the project's own Python."""

    def __init__(self, python: Path, address: str) -> None:
        command = [str(python), str(HERE / "sql.py"), address]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
        )

    def __call__(self, statement: str) -> list[list[Any]]:
        """The rows of one statement."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018  # they are pipes
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(statement), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"PostgreSQL does not answer: {' '.join(statement.split())}")
        rows: list[list[Any]] = json.loads(answer)
        return rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@dataclass(frozen=True)
class Server:
    """One of those that are compared."""

    port: int
    pid: int
    token: str


@dataclass(frozen=True)
class Stage:
    """All that is there while the run goes on."""

    sql: Sql
    servers: dict[str, Server]
    workspace: int
    articles: list[int]
    project: Path
    python: Path
    environment: dict[str, str]
    postmaster: int | None

    def tidy(self) -> None:
        """Take away what requests have written, so that each load finds the same rows."""
        self.sql(f"DELETE FROM articles WHERE id > {self.articles[-1]}")  # noqa: S608  # a number
        self.sql("VACUUM ANALYZE articles")

    def grow(self) -> str:
        """Have drafts for 10,000 pages in all; the time of the last article before page 10,000."""
        rows = DEEP_PAGE * PAGE
        self._add(ARTICLES + 1, rows, published="false")
        self.sql("VACUUM ANALYZE articles")
        newest = "SELECT created_at FROM articles ORDER BY created_at DESC, id DESC"
        ((moment,),) = self.sql(f"{newest} OFFSET {rows - PAGE - 1} LIMIT 1")
        return str(moment)

    def fill(self) -> None:
        """Add the articles and those who wrote them."""
        self.sql(ADD_AUTHORS)
        self._add(1, ARTICLES, published="n % 5 > 0")
        self.articles.extend(number for (number,) in self.sql("SELECT id FROM articles ORDER BY id"))
        self.sql("VACUUM ANALYZE")

    def _add(self, first: int, last: int, published: str) -> None:
        facts = {"authors": AUTHORS, "workspace": self.workspace, "published": published}
        self.sql(ADD_ARTICLES.format(first=first, last=last, **facts))


@contextlib.contextmanager
def staged(  # noqa: PLR0913  # two of them have a default that is right for most
    project: Path,
    python: Path | None,
    directory: Path,
    names: Sequence[str] = ALL,
    *,
    ours: Sequence[str] = ("-m", "app"),
    code: Path | None = None,
) -> Iterator[Stage]:
    """Have it all there while the block runs, with these servers.

    Without another one, Python is that of the project's .venv; `ours` is what it runs as the project, or as a copy of
    it that `code` names. What the servers say goes into files of the directory.
    """
    project = project.resolve()
    python = interpreter(project, python)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_embedded(project, python))
        address = _address(project, python)
        of_run = urlsplit(address)._replace(path=f"/{DATABASE}").geturl()
        admin = stack.enter_context(Sql(python, address))
        _claim(admin)
        admin(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin(f"CREATE DATABASE {DATABASE}")
        stack.callback(admin, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        environment = _environment(of_run)
        _migrate(project, python, environment)
        sql = stack.enter_context(Sql(python, of_run))
        ports = {
            name: stack.enter_context(_serving(command, code or project, environment, directory / f"{name}.log"))
            for name, command in _commands(python, ours).items()
            if name in names
        }
        workspace = _register(ports["ours"][0], sql)
        servers = {name: Server(*which, token=_log_in(which[0])) for name, which in ports.items()}
        stage = Stage(sql, servers, workspace, [], project, python, environment, _postmaster(sql))
        stage.fill()
        yield stage


def interpreter(project: Path, python: Path | None = None) -> Path:
    """That of the project's .venv, or another one; ends the run if it is not there."""
    python = python.absolute() if python else project.resolve() / ".venv" / "bin" / "python"
    if not python.exists():
        sys.exit(f"{python} is not there: is {project} a project, and was it set up (make setup)?")
    return python


def copy_code(project: Path, place: Path) -> None:
    """The project without its environment and its data: a server may be at work on those."""
    ignored = shutil.ignore_patterns(".git", ".postgres", ".venv", "__pycache__")
    shutil.copytree(project, place, symlinks=True, ignore=ignored)


def _address(project: Path, python: Path) -> str:
    """Of the database that the project's settings name."""
    command = [str(python), "-c", "from app.config import get_settings; print(get_settings().dsn)"]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{project} is no project that can run (make setup?):\n{done.stderr}")
    return done.stdout.strip()


def _claim(admin: Sql) -> None:
    """End the run if another one is on the same server: this one would drop its database.

    A claim ends with its connection. Those of all databases are seen, whatever the settings of each run name.
    """
    admin(f"SELECT pg_advisory_lock_shared({CLAIM})::text")
    others = "locktype = 'advisory' AND classid = 0 AND pid <> pg_backend_pid()"
    if admin(f"SELECT pid FROM pg_locks WHERE objid = {CLAIM} AND {others}"):  # noqa: S608  # a number of ours
        sys.exit("Another run of the benchmarks is on this PostgreSQL: wait for its end, both would be slow")


@contextlib.contextmanager
def _embedded(project: Path, python: Path) -> Iterator[None]:
    """The project's embedded PostgreSQL. It says so and ends where the settings name a server of the user's own."""
    command = [str(python), "-m", "tools.embedded_postgres"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None  # a pipe  # noqa: S101
    try:
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate()


def _environment(address: str) -> dict[str, str]:
    """The settings of all three: those of production, with secrets of their own and no limits that a load meets."""
    as_usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return as_usual | {
        "ENVIRONMENT": "production",
        "MALLOC_ARENA_MAX": "1",  # as the image of the project sets it
        "APP_NAME": "Speed",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATABASE_URL": address,
        "WEB_CONCURRENCY": "1",
        "RATE_LIMIT_ENABLED": "false",
        "WORKER_IN_PROCESS": "false",
        "REGISTRATION_BY_MAIL": "false",
    }


def _migrate(project: Path, python: Path, environment: dict[str, str]) -> None:
    command = [str(python), "-m", "app", "migrate"]
    done = subprocess.run(command, cwd=project, env=environment, check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"The database could not be made:\n{done.stdout}{done.stderr}")


def _commands(python: Path, ours: Sequence[str]) -> dict[str, list[str]]:
    bare = ["--app-dir", str(HERE), "--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    bare += ["--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-keep-alive", "75"]
    return {
        "limit": [str(python), "-m", "uvicorn", "limit:app", *bare],
        "textbook": [str(python), "-m", "uvicorn", "textbook:app", *bare],
        "ours": [str(python), *ours, "serve"],
    }


@contextlib.contextmanager
def _serving(command: list[str], project: Path, environment: dict[str, str], log: Path) -> Iterator[tuple[int, int]]:
    """The port and the process of a server that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=project,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _answers(port):
            if process.poll() is not None:
                sys.exit(f"{' '.join(command)} has ended:\n{log.read_text(encoding='utf-8')[-3000:]}")
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _register(port: int, sql: Sql) -> int:
    """An account, by which everything is asked; the workspace that it works in."""
    account = LOGIN | {"email": "bench@example.com"}
    answer = ask(port, with_json("POST", "/auth/register", account))
    if answer.status != 201:  # noqa: PLR2004
        sys.exit(f"Registering was answered with {answer.status}: {answer.body.decode()}")
    ((workspace,),) = sql("SELECT active_workspace_id FROM users WHERE username = 'bench'")
    return int(workspace)


def _log_in(port: int) -> str:
    answer = ask(port, form("/auth/login", LOGIN))
    if answer.status != 200:  # noqa: PLR2004
        sys.exit(f"The login was answered with {answer.status}: {answer.body.decode()}")
    return str(json.loads(answer.body)["access_token"])


def _postmaster(sql: Sql) -> int | None:
    """The process above all of PostgreSQL's, if it is one of this machine."""
    ((pid,),) = sql("SELECT pg_backend_pid()")
    return processes.parent(pid) if processes.name(pid) == "postgres" else None
