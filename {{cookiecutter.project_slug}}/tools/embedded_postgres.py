"""A real PostgreSQL for development, without an installation: up for as long as somebody uses it.

`DATABASE_URL` decides: a URL for the user `embedded` on this machine belongs to the server of this project, whose port,
password and database are what the URL says. Any other server is left alone.

    python -m tools.embedded_postgres      keeps it up until Ctrl-C, for a debugger or psql
"""

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, urlsplit

from tools.postgres_cluster import HOST, KEPT_PASSWORD, MAJOR, USER, Address, Cluster, EmbeddedPostgresError

__all__ = ["EmbeddedPostgresError", "is_embedded", "new_database_url", "serving"]

ROOT = Path(__file__).resolve().parent.parent
# Below the range from which any system takes ports for outgoing connections: what is free now stays free.
PORTS = range(20_000, 30_000)


def is_embedded(database_url: str) -> bool:
    """Whether the URL belongs to the embedded server."""
    try:
        parts = urlsplit(database_url)
    except ValueError:
        return False
    scheme = parts.scheme in {"postgresql", "postgres", "postgresql+asyncpg"}
    return scheme and parts.username == USER and parts.hostname in {HOST, "localhost"}


def new_database_url(database: str, directory: Path | None = None) -> str:
    """A URL for an embedded server: a port that nobody has, and a password that nobody knows.

    With the directory of a cluster that is there already, it is that cluster's password: who has lost `.env` has not
    lost the data.
    """
    password = secrets.token_urlsafe(24)
    if directory is not None and (directory / KEPT_PASSWORD).exists():
        password = (directory / KEPT_PASSWORD).read_text(encoding="utf-8")
    return f"postgresql://{USER}:{quote(password, safe='')}@{HOST}:{_free_port()}/{quote(database, safe='')}"


def _free_port() -> int:
    for _ in range(100):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise EmbeddedPostgresError(f"No free port found between {PORTS[0]} and {PORTS[-1]}: stop what listens there")


@contextmanager
def serving(database_url: str, directory: Path = ROOT / ".postgres") -> Iterator[None]:
    """Have the database of the URL there while the block runs; do nothing for a URL that is not embedded.

    May be nested and used by any number of threads and processes: the last one to leave stops the server.
    Raises EmbeddedPostgresError, also where the project's packages are missing: this module is imported before they
    are installed, so whatever is not the standard library's is imported where it is needed.
    """
    if not is_embedded(database_url):
        yield
        return
    directory, pid = directory.resolve(), os.getpid()
    _enter(directory, Address.of(database_url))
    try:
        yield
    finally:
        if os.getpid() == pid:  # a child that was forked inside the block never came in
            _leave(directory)


class _Users:
    """Who uses a cluster. This process counts its own uses; a shared lock speaks for them to other processes.

    The system drops that lock when the process ends, however it ends, and no child inherits it.
    """

    def __init__(self, directory: Path) -> None:
        import fasteners  # noqa: PLC0415  # see serving()

        self._lock: Any = fasteners.InterProcessReaderWriterLock(directory / "users.lock")
        self._count = 0

    def join(self) -> None:
        if self._count == 0:
            self._lock.acquire_read_lock()
        self._count += 1

    def leave(self) -> None:
        self._count -= 1
        if self._count == 0:
            self._lock.release_read_lock()

    def nobody(self) -> bool:
        """Whether the cluster is not used by anybody."""
        if self._count:
            return False
        if self._lock.acquire_write_lock(blocking=False):
            self._lock.release_write_lock()
            return True
        # A failed attempt leaves its file open; this closes it.
        self._lock.acquire_read_lock()
        self._lock.release_read_lock()
        return False


class _Process:
    """What this process knows of its locks.

    POSIX locks are a process's, not a thread's, and closing any descriptor of a file drops them all: so there is one
    _Users for each directory, and one thread at a time touches any of this.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Know of no lock, as a forked child does: they stayed with its parent."""
        self.turn = threading.Lock()
        self.users: dict[Path, _Users] = {}


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.begin)


@contextmanager
def _transition(directory: Path, *, prepare: bool) -> Iterator[tuple[Cluster, _Users]]:
    """Alone among all threads and processes: nobody else comes, goes, starts or stops while the block runs."""
    with _process.turn:
        try:
            cluster = Cluster(directory)
            import fasteners  # noqa: PLC0415  # see serving()

            if prepare:
                cluster.prepare()
            with fasteners.InterProcessLock(directory / "transition.lock"):
                yield cluster, _process.users.setdefault(directory, _Users(directory))
        except (OSError, threading.ThreadError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            name = getattr(error, "filename", None) or directory
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot use {name} ({reason}): it needs room and the right to write there"
            ) from error


def _enter(directory: Path, address: Address) -> None:
    with _transition(directory, prepare=True) as (cluster, users):
        port = cluster.port()
        if port not in {None, address.port}:
            if not users.nobody():
                raise EmbeddedPostgresError(
                    f"The embedded PostgreSQL still runs on port {port} for another program, but DATABASE_URL says "
                    f"{address.port}: stop that program (make dev?) first"
                )
            cluster.stop()
        users.join()
        try:
            cluster.bring_up(address)
        except BaseException:
            _last_one_stops(cluster, users)
            raise


def _leave(directory: Path) -> None:
    with _transition(directory, prepare=False) as (cluster, users):
        _last_one_stops(cluster, users)


def _last_one_stops(cluster: Cluster, users: _Users) -> None:
    users.leave()
    if users.nobody():
        cluster.stop()


def main() -> None:
    """Keep the server of this project up until Ctrl-C or SIGTERM."""
    try:
        _on_signals(_interrupt)
        database_url = _configured_url()
        with serving(database_url):
            address = Address.of(database_url)
            print(f"PostgreSQL {MAJOR} on {HOST}:{address.port}, database {address.database}", flush=True)
            while True:
                time.sleep(3600)
    except EmbeddedPostgresError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    # A terminal and a parent often both send one; the second must not interrupt the stop that the first began.
    _on_signals(lambda _signum, _frame: None)
    raise KeyboardInterrupt


def _on_signals(action: Callable[[int, FrameType | None], None]) -> None:
    for name in {"SIGINT", "SIGTERM", "SIGHUP"} & {known.name for known in signal.Signals}:
        signal.signal(signal.Signals[name], action)


def _configured_url() -> str:
    from dotenv import dotenv_values  # noqa: PLC0415  # see serving()

    url = os.environ.get("DATABASE_URL") or dotenv_values(ROOT / ".env").get("DATABASE_URL")
    if not url:
        raise EmbeddedPostgresError("DATABASE_URL is not set: run `make setup`, which writes it into .env")
    if not is_embedded(url):
        raise EmbeddedPostgresError("DATABASE_URL names a server of your own: there is no embedded one to keep up")
    return url


if __name__ == "__main__":
    main()
