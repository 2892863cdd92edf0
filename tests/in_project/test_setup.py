"""tools/setup.py, in parts; the template's tests run it as a whole."""

import re
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from tools import commands, env_file, setup

EXAMPLE = (
    "# A comment\nSECRET_KEY=change-me\nDATABASE_URL=postgresql://user:password@127.0.0.1:5432/blog\nDEBUG=false\n"
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / ".env.example").write_text(EXAMPLE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "",
        "a b",
        "a#b",
        " #",
        "$x",
        "${HOME}",
        "$${x}",
        'say "hi"',
        "it's",
        "back\\slash",
        "\\",
        "p@ss:w/rd?x=%20",
    ],
)
def test_a_value_comes_back_from_the_env_file(value: str, root: Path) -> None:
    (root / ".env").write_text(env_file.fill(EXAMPLE, {"SECRET_KEY": value}), encoding="utf-8")
    assert dotenv_values(root / ".env")["SECRET_KEY"] == value


def test_the_env_file_is_the_example_with_secrets(root: Path) -> None:
    env_file.create_env(root)
    made = (root / ".env").read_text(encoding="utf-8")
    pattern = r"# A comment\nSECRET_KEY=[\w-]{64}\nDATABASE_URL=postgresql://embedded:[\w-]+@127.0.0.1:\d+/blog\nDEBUG=false\n"
    assert re.fullmatch(pattern, made)
    assert (root / ".env").stat().st_mode & 0o777 == 0o600


def test_an_env_file_is_kept(root: Path) -> None:
    (root / ".env").write_text("mine", encoding="utf-8")
    assert env_file.create_env(root) == "kept as it is"
    assert (root / ".env").read_text(encoding="utf-8") == "mine"


def test_an_example_without_the_setting_is_an_error(root: Path) -> None:
    (root / ".env.example").write_text("SECRET_KEY=\n", encoding="utf-8")
    with pytest.raises(commands.SetupError, match="DATABASE_URL="):
        env_file.create_env(root)


@pytest.mark.parametrize(
    "url", ["postgresql://a@h/x", "postgres://a:b@h:5432/x?sslmode=require", "postgresql+asyncpg://a@[::1]:5/x"]
)
def test_a_url_of_postgresql_is_accepted(url: str) -> None:
    assert env_file.checked(url, "here") == url


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x",
        "mysql://a:hidden@h/x",
        "hidden",
        "postgresql:hidden",
        "postgresql://a:hidden@h:x/y",
        "postgresql://a:hid[den@h/x",
    ],
)
def test_any_other_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(commands.SetupError, match="DATABASE_URL in here") as caught:
        env_file.checked(url, "here")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (
            "error: Request failed\n  cause: client error\n  cause: Connection refused\n",
            "Request failed <- Connection refused",
        ),
        ("WARNING: slow\nERROR: No space left on device\n", "No space left on device"),
        ("Traceback\n  File\nValueError: the last line\n\n", "ValueError: the last line"),
        ("", ""),
    ],
)
def test_the_culprit_is_one_line(output: str, line: str) -> None:
    assert commands.culprit(output) == line


def test_a_failing_command_is_told_by_its_own_words(root: Path) -> None:
    with pytest.raises(commands.SetupError, match=r"^no room$"):
        commands.run(root, sys.executable, "-c", "import sys; sys.exit('no room')")
    assert "no room" in (root / ".setup.log").read_text(encoding="utf-8")


def test_a_repository_is_made_once(root: Path) -> None:
    assert setup.create_repository(root).startswith("repository made")
    assert setup.create_repository(root) == "there already"
    assert (root / ".git" / "HEAD").read_text(encoding="utf-8") == "ref: refs/heads/main\n"
