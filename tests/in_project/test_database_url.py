"""The embedded server, for real: every behaviour holds for root (whose PostgreSQL runs as `nobody`) and for anybody."""

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from clusters import ROOT
from tools.embedded_postgres import EmbeddedPostgresError, is_embedded, new_database_url, serving
from tools.postgres_cluster import Address


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
