"""Settings: one typed object, read from the environment and from `.env`, checked before anything starts."""

import sys
from email.errors import MessageError
from email.headerregistry import Address
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import from_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

ROOT: Final = Path(__file__).resolve().parent.parent

# RFC 7518, section 3.2: an HMAC key is at least as long as the hash that it is used with.
_KEY_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
# Random text of that length has about 25; fewer than this has "aaaa…" or a word repeated.
_DISTINCT_CHARACTERS: Final = 12


class Settings(BaseSettings):
    """Every setting of the application. `.env.example` says what each one is for."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_file_encoding="utf-8",
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
    database_url: SecretStr
    database_pool_size: int = Field(default=15, ge=1)
    database_pool_timeout: float = Field(default=1.0, gt=0)
    secret_key: SecretStr
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    access_token_expire_minutes: int = Field(default=30, ge=1, le=24 * 60)
    session_idle_days: int = Field(default=14, ge=1)
    session_max_days: int = Field(default=90, ge=1)
    registration_by_mail: bool = False
    verify_email_expire_hours: int = Field(default=48, ge=1)
    reset_password_expire_minutes: int = Field(default=30, ge=1)
    invitation_expire_days: int = Field(default=7, ge=1)
    frontend_url: str = ""
    mail_from: str = "no-reply@localhost"
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    worker_in_process: bool = False
    rate_limit_enabled: bool = True
    rate_limit_login: str = "10/minute"
    rate_limit_register: str = "10/hour"
    rate_limit_forgot_password: str = "5/hour"  # noqa: S105  # a limit, not a password
    rate_limit_refresh: str = "60/minute"
    rate_limit_per_address: str = "100/minute"
    redis_url: SecretStr | None = None
    trusted_proxies: Annotated[list[str], NoDecode] = []
    max_body_bytes: int = Field(default=2**20, ge=1)
    backend_cors_origins: Annotated[list[str], NoDecode] = []

    @property
    def dsn(self) -> str:
        """The database's address in the form that libpq, asyncpg and every tool understand."""
        return self.database_url.get_secret_value()

    @field_validator("database_url", mode="after")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        return SecretStr(_postgresql_dsn(value.get_secret_value()))

    @field_validator("backend_cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Accept `a,b` as well as the JSON list that other tools write."""
        if not isinstance(value, str) or value.lstrip().startswith("["):
            return from_json(value) if isinstance(value, str) else value
        return [item.strip() for item in value.split(",") if item.strip()]

    @field_validator("backend_cors_origins", mode="after")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.com (no path, no slash)")
        return origins

    @field_validator("mail_from", mode="after")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            Address(addr_spec=value).addr_spec.encode("ascii")
        except (ValueError, LookupError, MessageError) as error:
            raise ValueError(f"{value!r} is not an address such as no-reply@example.com") from error
        return value

    @field_validator("frontend_url", mode="after")
    @classmethod
    def _is_a_site(cls, value: str) -> str:
        parts = urlsplit(value)
        plain = parts.scheme in {"http", "https"} and parts.hostname and not set(value) & set("?# \t\r\n")
        if value and (not plain or value.endswith("/")):
            raise ValueError(
                f"{value!r} is not where a site begins, such as https://app.example.com (no slash, query or fragment)"
            )
        return value

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _are_networks(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            try:
                everybody = proxy == "*" or ip_network(proxy).prefixlen == 0
            except ValueError:
                raise ValueError(f"{proxy!r} is no address and no network such as 10.0.0.0/8") from None
            if everybody:
                raise ValueError(f"{proxy!r} would let every client choose the address that it is known by")
        return proxies

    @field_validator(
        "rate_limit_login",
        "rate_limit_register",
        "rate_limit_forgot_password",
        "rate_limit_refresh",
        "rate_limit_per_address",
        mode="after",
    )
    @classmethod
    def _is_a_limit(cls, value: str) -> str:
        try:
            (limit,) = parse_many(value)
        except ValueError:
            limit = None
        if limit is None or limit.amount < 1:
            raise ValueError(f"{value!r} is no limit such as 10/minute or 500/2 hours")
        return value

    @field_validator("redis_url", mode="after")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            if value is not None:  # a connection that is made has read everything, and does not connect yet
                ConnectionPool.from_url(value.get_secret_value()).make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, RedisError):
            raise ValueError(
                "it is no address such as redis://:password@host:6379/0 (rediss:// for TLS, unix:// for a socket); "
                "percent-encode special characters in the password"
            ) from None
        return value

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


def _postgresql_dsn(url: str) -> str:
    """The URL with the plain `postgresql` scheme.

    Platforms hand out `postgres://`, SQLAlchemy's examples say `postgresql+asyncpg://`; all mean the same server.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError(
            f"{scheme.partition(':')[0] or 'it'!r} is not PostgreSQL, which this application needs; "
            "write postgresql://user:password@host:5432/database"
        )
    dsn = f"postgresql://{rest}"
    try:
        parts = urlsplit(dsn)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        port_is_number = False
    if not port_is_number:
        raise ValueError("the port is no number from 1 to 65535; percent-encode special characters in the password")
    if not parts.path.strip("/"):
        raise ValueError("it names no database; write postgresql://user:password@host:5432/database")
    return dsn


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
