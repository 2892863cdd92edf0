"""What the settings take and refuse, seen as a user sees it: in the error of a process that does not start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.config import ROOT, Settings, get_settings

KEY = "q8Zr4kT1vX7mB2nP9sD6wF3hJ5yL0cGaQeUi"  # pragma: allowlist secret
DSN = "postgresql://ada:pass%2Fword@db.example.com:5432/blog?sslmode=require"
GOOD = {"DATABASE_URL": DSN, "SECRET_KEY": KEY, "ENVIRONMENT": "production"}


def settings(monkeypatch: pytest.MonkeyPatch, **change: str) -> Settings:
    for name, value in (GOOD | change).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def complaint(monkeypatch: pytest.MonkeyPatch, **change: str) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(monkeypatch, **change)
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_the_same_server(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    url = DSN.replace("postgresql", scheme, 1)
    assert settings(monkeypatch, DATABASE_URL=url).dsn == DSN


def test_a_database_may_have_several_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://ada:pass@a.example.com:5432,[::1]:5433,b.example.com/blog?target_session_attrs=primary"
    assert settings(monkeypatch, DATABASE_URL=url).dsn == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///blog.db", "'sqlite' is not PostgreSQL"),
        ("sqlite+aiosqlite:///blog.db", "is not PostgreSQL"),
        ("mysql://ada:secret-word@localhost/blog", "'mysql' is not PostgreSQL"),
        ("blog", "is not PostgreSQL"),
        ("postgresql://ada:secret-word@localhost", "names no database"),
        ("postgresql://ada:secret-word@localhost:port/blog", "port is no number"),
        ("postgresql://ada:secret-word@localhost:5432,localhost:port/blog", "port is no number"),
        ("postgresql://ada:secret-word@localhost:0/blog", "port is no number"),
        ("postgresql://ada:secret/word@localhost/blog", "port is no number"),
    ],
)
def test_no_other_database(monkeypatch: pytest.MonkeyPatch, url: str, reason: str) -> None:
    message = complaint(monkeypatch, DATABASE_URL=url)
    assert reason in message
    assert "word@l" not in message


@pytest.mark.parametrize(
    ("algorithm", "length", "fits"),
    [
        ("HS256", 31, False),
        ("HS256", 32, True),
        ("HS384", 47, False),
        ("HS384", 48, True),
        ("HS512", 63, False),
        ("HS512", 64, True),
    ],
)
def test_robustness_22_the_key_is_as_long_as_the_hash(
    monkeypatch: pytest.MonkeyPatch, algorithm: str, length: int, fits: bool
) -> None:
    change = {"ALGORITHM": algorithm, "SECRET_KEY": (KEY * 2)[:length]}
    if fits:
        assert settings(monkeypatch, **change).algorithm == algorithm
    else:
        assert f"{algorithm} needs at least" in complaint(monkeypatch, **change)


@pytest.mark.parametrize("key", ["a" * 64, "secret" * 8, "change-me-change-me-change-me-1234567890"])
def test_robustness_22_a_placeholder_is_for_development_only(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    assert settings(monkeypatch, SECRET_KEY=key, ENVIRONMENT="development").secret_key == SecretStr(key)
    message = complaint(monkeypatch, SECRET_KEY=key, ENVIRONMENT="production")
    assert "placeholder" in message
    assert key not in message


def test_secrets_may_be_files_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Docker and Kubernetes hand them over: named like the setting, and editors end them with a line break."""
    for name in ("SECRET_KEY", "DATABASE_PASSWORD", "SMTP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada@db/blog?sslmode=require")
    (tmp_path / "secret_key").write_text(f"{KEY}\n")
    (tmp_path / "database_password").write_text("p@ss/wo:rd%\n")
    read = Settings(_env_file=None, _secrets_dir=tmp_path)
    assert read.secret_key == SecretStr(KEY)
    assert read.dsn == "postgresql://ada:p%40ss%2Fwo%3Ard%25@db/blog?sslmode=require"
    monkeypatch.setenv("SECRET_KEY", KEY[::-1])
    assert Settings(_env_file=None, _secrets_dir=tmp_path).secret_key == SecretStr(KEY[::-1])


@pytest.mark.parametrize("url", [DSN, "postgresql:///blog?host=/run/postgresql", "postgresql://db/blog"])
def test_a_password_apart_is_for_an_address_with_a_user_and_none(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert settings(monkeypatch, DATABASE_URL=url, DATABASE_PASSWORD="another").dsn == url


def test_who_does_not_say_where_gets_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    for name in ("DATABASE_URL", "SECRET_KEY"):
        monkeypatch.setenv(name, GOOD[name])
    assert Settings(_env_file=None).environment == "production"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = repr(settings(monkeypatch))
    assert KEY not in shown
    assert "pass%2Fword" not in shown


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", []),
        ("https://a.example.com", ["https://a.example.com"]),
        ("https://a.example.com, http://localhost:3000", ["https://a.example.com", "http://localhost:3000"]),
        ('["https://a.example.com"]', ["https://a.example.com"]),
    ],
)
def test_origins_are_listed_with_commas_or_as_json(
    monkeypatch: pytest.MonkeyPatch, value: str, origins: list[str]
) -> None:
    assert settings(monkeypatch, BACKEND_CORS_ORIGINS=value).backend_cors_origins == origins


@pytest.mark.parametrize("value", ["a.example.com", "https://a.example.com/", "ftp://a.example.com", "*", "[1"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "BACKEND_CORS_ORIGINS" in complaint(monkeypatch, BACKEND_CORS_ORIGINS=value).upper()


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("MAIL_FROM", "post@example.com"),
        ("MAIL_FROM", "no-reply@localhost"),
        ("FRONTEND_URL", ""),
        ("FRONTEND_URL", "https://app.example.com"),
        ("FRONTEND_URL", "http://localhost:3000/blog"),
    ],
)
def test_where_mails_come_from_and_lead_to(monkeypatch: pytest.MonkeyPatch, name: str, good: str) -> None:
    assert getattr(settings(monkeypatch, **{name: good}), name.lower()) == good


@pytest.mark.parametrize(
    ("name", "bad", "reason"),
    [
        ("MAIL_FROM", bad, "is not an address")
        for bad in (
            "post",
            "post@",
            "Ada <ada@example.com>",
            "a@example.com, b@example.com",
            "a b@c.de",
            "a@münchen.de",
        )
    ]
    + [
        ("FRONTEND_URL", bad, "is not where a site begins")
        for bad in (
            "app.example.com",
            "ftp://app.example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com?a=b",
            "https://app.example.com#",
            "https://app.example.com/a b",
        )
    ],
)
def test_mails_that_would_come_from_or_lead_nowhere_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, bad: str, reason: str
) -> None:
    message = complaint(monkeypatch, **{name: bad})
    assert name.lower() in message
    assert reason in message


def test_mail_needs_a_server_outside_development(monkeypatch: pytest.MonkeyPatch) -> None:
    change = {"WORKER_IN_PROCESS": "true", "SMTP_HOST": ""}
    assert "SMTP_HOST is not set" in complaint(monkeypatch, **change)
    assert settings(monkeypatch, **change, ENVIRONMENT="development").worker_in_process
    assert settings(monkeypatch, **change | {"SMTP_HOST": "mail.example.com"}).worker_in_process


@pytest.mark.parametrize(
    ("value", "proxies"),
    [
        ("10.0.0.1, ::1", ["10.0.0.1", "::1"]),
        ("10.0.0.0/8,2001:db8::/32", ["10.0.0.0/8", "2001:db8::/32"]),
        ('["10.0.0.1"]', ["10.0.0.1"]),
    ],
)
def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch, value: str, proxies: list[str]) -> None:
    assert settings(monkeypatch, TRUSTED_PROXIES=value).trusted_proxies == proxies


@pytest.mark.parametrize("culprit", ["*", "0.0.0.0/0", "::/0", "nginx", "10.0.0.1/8", "10.0.0", "10.0.0.0-10.0.0.9"])
def test_what_is_no_proxy_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, culprit: str) -> None:
    message = complaint(monkeypatch, TRUSTED_PROXIES=f"10.0.0.1,{culprit}")
    assert "trusted_proxies" in message
    assert repr(culprit) in message


@pytest.mark.parametrize("value", ["5/minute", "500/2 hours", "1 per day"])
def test_a_limit_is_an_amount_in_a_time(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert settings(monkeypatch, RATE_LIMIT_LOGIN=value).rate_limit_login == value


@pytest.mark.parametrize("name", ["LOGIN", "REGISTER", "MAIL", "REFRESH", "PER_ADDRESS"])
@pytest.mark.parametrize("value", ["often", "10", "0/minute", "-1/minute", "10/fortnight", "10/minute; 100/hour"])
def test_what_is_no_limit_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    message = complaint(monkeypatch, **{f"RATE_LIMIT_{name}": value})
    assert f"rate_limit_{name.lower()}" in message
    assert f"{value!r} is no limit such as 10/minute" in message


@pytest.mark.parametrize(
    "url", ["redis://localhost", "rediss://ada:pass%2Fword@redis:6380/1", "unix:///run/redis.sock"]
)
def test_redis_is_named_by_an_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert settings(monkeypatch, REDIS_URL=url).redis_url == SecretStr(url)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost:6379",
        "redis://:secret/word@localhost",
        "redis://localhost:99999",
        "redis://localhost?db=secret-word",
        "redis://localhost?colour=secret-word",
        "rediss://localhost?ssl_cert_reqs=secret-word",
    ],
)
def test_what_is_no_redis_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    message = complaint(monkeypatch, REDIS_URL=url)
    assert "redis_url" in message
    assert "no address such as redis://" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"DATABASE_URL": "sqlite:///blog.db"}, "DATABASE_URL: 'sqlite' is not PostgreSQL"),
        ({"SECRET_KEY": "change-me"}, "SECRET_KEY: HS256 needs at least 32 bytes"),
        ({"TRUSTED_PROXIES": "10.0.0.1,nginx"}, "TRUSTED_PROXIES: 'nginx' is no address"),
        ({"RATE_LIMIT_LOGIN": "often"}, "RATE_LIMIT_LOGIN: 'often' is no limit"),
        ({"ACCESS_TOKEN_EXPIRE_MINUTES": "soon"}, "ACCESS_TOKEN_EXPIRE_MINUTES: Input should be a valid integer"),
    ],
)
def test_bad_settings_end_the_process_with_a_line_for_each(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str], line: str
) -> None:
    for name, value in (GOOD | change).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=line):
        get_settings.__wrapped__()


def test_a_server_does_not_start_with_them_and_shows_no_traceback() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "uvicorn", "app.main:app"],
        cwd=ROOT,
        env=os.environ | GOOD | {"DATABASE_URL": "sqlite:///blog.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "DATABASE_URL: 'sqlite' is not PostgreSQL" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("token", ["short", "fifteen-letters", "sixteen letters and spaces", "sechzehn-ümlaute-"])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    message = complaint(monkeypatch, METRICS_TOKEN=token)
    assert "metrics_token" in message
    assert "it has to be at least 16 ASCII characters" in message
    assert token not in message


def test_every_setting_is_in_the_example_with_a_comment() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    explained = set()
    for block in "\n".join(lines).split("\n\n"):
        names = [line.partition("=")[0] for line in block.splitlines() if not line.startswith("#")]
        assert block.startswith("#"), f"nothing explains {names}"
        explained |= {name.lower() for name in names}
    assert explained == set(Settings.model_fields)
