"""What a start does, and what it leaves for later."""

import gc
import os
import secrets
import subprocess
import sys

import pytest

from app.config import ROOT
from app.discovery import assembling

# What only some requests, some commands or some settings need. Each takes 10 ms to load, or some hundred.
FOR_LATER = {
    *("aiosmtplib", "alembic", "argon2", "jinja2", "opentelemetry.sdk", "passlib", "prometheus_client", "redis"),
    *("requests", "sentry_sdk", "typer", "yaml"),
}
SETTINGS = ("METRICS_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "REDIS_URL", "SENTRY_DSN")
PROGRAM = """
import sys
from app.config import Settings
Settings.model_config["env_file"] = None  # it may ask for more
import app.main
print(*sys.modules)
"""


def test_a_start_loads_only_what_every_server_needs() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/nothing",
        "SECRET_KEY": secrets.token_urlsafe(48),
    }
    loaded = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "app.application" in loaded.stdout.split()
    assert FOR_LATER & set(loaded.stdout.split()) == set()


def test_garbage_is_looked_for_again_after_the_outermost_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "freeze", lambda: None)  # what other tests have made is to go some day
    with assembling():
        with assembling():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), assembling():
        raise ImportError
    assert gc.isenabled()
