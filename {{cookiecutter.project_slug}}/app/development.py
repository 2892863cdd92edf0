"""What is there in development only."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.config import Settings
from app.errors import Unavailable


@contextmanager
def database_server(settings: Settings) -> Iterator[None]:
    """The embedded PostgreSQL while the block runs, if it is the one that the settings name.

    Raises `Unavailable` when it cannot be started.
    """
    if settings.environment != "development":
        yield
        return
    from tools.embedded_postgres import EmbeddedPostgresError, serving  # noqa: PLC0415  # not there in production

    try:
        with serving(settings.dsn):
            yield
    except EmbeddedPostgresError as error:
        raise Unavailable(str(error)) from error
