"""The types of settings that are more than a string or a number: what is wrong with one is said in a sentence."""

from email.errors import MessageError
from email.headerregistry import Address
from ipaddress import ip_network
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import from_json
from pydantic_settings import NoDecode

Item = TypeVar("Item")
_SHORTEST_TOKEN: Final = 16


def _postgresql_dsn(value: SecretStr) -> SecretStr:
    """The URL with the plain `postgresql` scheme.

    Platforms hand out `postgres://`, SQLAlchemy's examples say `postgresql+asyncpg://`; all mean the same server.
    """
    scheme, separator, rest = value.get_secret_value().partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError(
            f"{scheme.partition(':')[0] or 'it'!r} is not PostgreSQL, which this application needs; "
            "write postgresql://user:password@host:5432/database"
        )
    dsn = f"postgresql://{rest}"
    try:
        parts = urlsplit(dsn)
        ports_are_numbers = all(urlsplit(f"//{host}").port != 0 for host in parts.netloc.split("@")[-1].split(","))
    except ValueError:
        ports_are_numbers = False
    if not ports_are_numbers:
        raise ValueError("the port is no number from 1 to 65535; percent-encode special characters in the password")
    if not parts.path.strip("/"):
        raise ValueError("it names no database; write postgresql://user:password@host:5432/database")
    return SecretStr(dsn)


def _redis_url(value: SecretStr) -> SecretStr:
    from redis.asyncio import ConnectionPool  # noqa: PLC0415  # takes a while to load, and most need not
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:  # a connection that is made has read everything, and does not connect yet
        ConnectionPool.from_url(value.get_secret_value()).make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, RedisError):
        raise ValueError(
            "it is no address such as redis://:password@host:6379/0 (rediss:// for TLS, unix:// for a socket); "
            "percent-encode special characters in the password"
        ) from None
    return value


def _sentry_dsn(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in {"http", "https"} or not (parts.username and parts.hostname and parts.path.strip("/")):
        raise ValueError("it is no address such as https://key@sentry.example.com/1, which Sentry shows for a project")
    return value


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"it has to be at least {_SHORTEST_TOKEN} ASCII characters without a space; make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(24))"'
        )
    return value


def _limit(value: str) -> str:
    try:
        (limit,) = parse_many(value)
    except ValueError:
        limit = None
    if limit is None or limit.amount < 1:
        raise ValueError(f"{value!r} is no limit such as 10/minute or 500/2 hours")
    return value


def _mail_address(value: str) -> str:
    try:
        Address(addr_spec=value).addr_spec.encode("ascii")
    except (ValueError, LookupError, MessageError) as error:
        raise ValueError(f"{value!r} is not an address such as no-reply@example.com") from error
    return value


def _site(value: str) -> str:
    parts = urlsplit(value)
    plain = parts.scheme in {"http", "https"} and parts.hostname and not set(value) & set("?# \t\r\n")
    if value and (not plain or value.endswith("/")):
        raise ValueError(
            f"{value!r} is not where a site begins, such as https://app.example.com (no slash, query or fragment)"
        )
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
        raise ValueError(f"{value!r} is not an origin such as https://app.example.com (no path, no slash)")
    return value


def _proxy(value: str) -> str:
    try:
        everybody = value == "*" or ip_network(value).prefixlen == 0
    except ValueError:
        raise ValueError(f"{value!r} is no address and no network such as 10.0.0.0/8") from None
    if everybody:
        raise ValueError(f"{value!r} would let every client choose the address that it is known by")
    return value


def _split(value: object) -> object:
    """Accept `a,b` as well as the JSON list that other tools write."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return from_json(value) if isinstance(value, str) else value
    return [item.strip() for item in value.split(",") if item.strip()]


PostgresUrl = Annotated[SecretStr, AfterValidator(_postgresql_dsn)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
SentryDsn = Annotated[SecretStr, AfterValidator(_sentry_dsn)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Limit = Annotated[str, AfterValidator(_limit)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Site = Annotated[str, AfterValidator(_site)]
Origin = Annotated[str, AfterValidator(_origin)]
Proxy = Annotated[str, AfterValidator(_proxy)]
Listed = Annotated[list[Item], NoDecode, BeforeValidator(_split)]
