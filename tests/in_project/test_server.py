"""The embedded server, for real: every behaviour holds for root (whose PostgreSQL runs as `nobody`) and for anybody."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import threading
from contextlib import suppress

import asyncpg
import psutil
import pytest
from clusters import KEEP, Project, ask, ended, line, wait_for
from tools import postgres_cluster, unprivileged
from tools.embedded_postgres import new_database_url


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
            assert names == {".gitignore", "data", "log", "password", "transition.lock", "users.lock"}
            assert stat.S_IMODE((project.directory / "password").stat().st_mode) == 0o600
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

    def test_is_not_lost_with_the_env_file(self, project: Project) -> None:
        found = new_database_url("my_blog", project.directory)
        assert found != project.url
        with project.serving(found):
            assert ask(found, "SELECT text FROM note") == "kept"


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

        # An initdb whose parent was killed goes on for a moment. What it leaves goes with the next one who comes.
        def cleaned() -> bool:
            with fresh.serving():
                return not list(fresh.directory.glob("new-*"))

        wait_for(cleaned)

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
        victims: list[subprocess.Popen[str] | psutil.Process] = [process, postmaster, *postmaster.children()]
        for victim in victims:
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
