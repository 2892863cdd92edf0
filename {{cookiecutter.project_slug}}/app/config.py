"""Settings: one typed object, read from the environment and from `.env`, checked before anything starts."""

import sys
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.setting_types import Limit, Listed, MailAddress, Origin, PostgresUrl, Proxy, RedisUrl, SentryDsn, Site, Token

ROOT: Final = Path(__file__).resolve().parent.parent

# Where Docker, Podman and Kubernetes put secrets as files, named like the settings in lower case.
_SECRETS: Final = Path("/run/secrets")

# RFC 7518, section 3.2: an HMAC key is at least as long as the hash that it is used with.
_KEY_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
# Random text of that length has about 25; fewer than this has "aaaa…" or a word repeated.
_DISTINCT_CHARACTERS: Final = 12


class Settings(BaseSettings):
    """Every setting of the application. `.env.example` says what each one is for."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_file_encoding="utf-8",
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,  # pydantic-settings warns of one that is not there
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # a refused secret must not be printed by the error that refuses it
    )

    app_name: str = "FastAPI Blog"
    app_description: str = ""
    # Strict unless told otherwise: who forgets to set it gets the checks of production.
    environment: Literal["development", "production"] = "production"
    debug: bool = False

    database_url: PostgresUrl
    database_password: SecretStr = SecretStr("")
    database_read_url: PostgresUrl | None = None
    database_pool_size: int = Field(default=8, ge=1)
    database_read_pool_size: int = Field(default=8, ge=1)
    database_pool_timeout: float = Field(default=1.0, gt=0)
    database_statement_timeout: float = Field(default=10.0, ge=0)
    database_lock_timeout: float = Field(default=5.0, ge=0)
    database_idle_timeout: float = Field(default=30.0, ge=0)

    secret_key: SecretStr
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    access_token_expire_minutes: int = Field(default=30, ge=1, le=24 * 60)
    session_idle_days: int = Field(default=14, ge=1)
    session_max_days: int = Field(default=90, ge=1)

    registration_by_mail: bool = False
    verify_email_expire_hours: int = Field(default=48, ge=1)
    reset_password_expire_minutes: int = Field(default=30, ge=1)
    invitation_expire_days: int = Field(default=7, ge=1)

    frontend_url: Site = ""
    mail_from: MailAddress = "no-reply@localhost"
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    worker_in_process: bool = False

    rate_limit_enabled: bool = True
    rate_limit_login: Limit = "10/minute"
    rate_limit_register: Limit = "10/hour"
    rate_limit_mail: Limit = "5/hour"
    rate_limit_invitations: Limit = "50/day"
    rate_limit_refresh: Limit = "60/minute"
    rate_limit_per_address: Limit = "100/minute"
    redis_url: RedisUrl | None = None

    trusted_proxies: Listed[Proxy] = []
    backend_cors_origins: Listed[Origin] = []
    max_body_bytes: int = Field(default=2**20, ge=1)
    request_timeout: float = Field(default=20.0, gt=0)

    log_slow_statement_ms: float = Field(default=500.0, ge=0)
    sentry_dsn: SentryDsn | None = None
    otel_exporter_otlp_endpoint: Site = ""
    metrics_token: Token | None = None

    web_concurrency: int = Field(default=1, ge=1)
    shutdown_delay: float = Field(default=0.0, ge=0)
    shutdown_timeout: int = Field(default=20, ge=1)

    @property
    def dsn(self) -> str:
        """The database's address, password included, in the form that libpq, asyncpg and every tool understand."""
        url, password = self.database_url.get_secret_value(), self.database_password.get_secret_value()
        parts = urlsplit(url)
        if not password or not parts.username or parts.password is not None:
            return url
        return url.replace("@", f":{quote(password, safe='')}@", 1)

    @model_validator(mode="after")
    def _has_a_strong_key(self) -> "Settings":
        key = self.secret_key.get_secret_value()
        needed = _KEY_BYTES[self.algorithm]
        if len(key.encode()) < needed:
            raise ValueError(f"SECRET_KEY: {self.algorithm} needs at least {needed} bytes; {_MAKE_KEY}")
        if self.environment != "development" and (len(set(key)) < _DISTINCT_CHARACTERS or "change" in key.lower()):
            raise ValueError(f"SECRET_KEY looks like a placeholder, fit for development only; {_MAKE_KEY}")
        return self

    @model_validator(mode="after")
    def _can_send_mail(self) -> "Settings":
        if self.worker_in_process and self.environment != "development" and not self.smtp_host:
            raise ValueError("SMTP_HOST is not set: outside development WORKER_IN_PROCESS needs a mail server")
        return self


_MAKE_KEY: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'


@lru_cache
def get_settings() -> Settings:
    """The settings of this process.

    Ends the process with one line per wrong setting, because nothing can run without them.
    """
    try:
        return Settings()
    except ValidationError as error:
        sys.exit("\n".join(["The settings are not usable:", *_explanations(error)]))


def _explanations(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else ""
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            message = "it is not set; `make setup` writes a .env that has it, .env.example says what it is for"
        lines.append(f"  {name}: {message}" if name else f"  {message}")
    return lines
