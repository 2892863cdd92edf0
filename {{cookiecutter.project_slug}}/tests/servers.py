"""The application and PostgreSQL as processes of their own, which a test may stop and kill."""

import asyncio
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from app.config import ROOT
from tests.people import PASSWORD
from tools.embedded_postgres import new_database_url
from tools.postgres_cluster import Address, Cluster

PATIENCE = 30.0  # seconds, for what takes a fraction of one on a machine that is not busy
POOL_SIZE = 15

# Whatever .env says. Development, because its logs are for people, who read them when a test fails.
_SETTINGS = {
    "ENVIRONMENT": "development",
    "RATE_LIMIT_ENABLED": "false",
    "REGISTRATION_BY_MAIL": "false",
    "WORKER_IN_PROCESS": "false",
    "DATABASE_POOL_SIZE": str(POOL_SIZE),
    "DATABASE_POOL_TIMEOUT": "1",
    "WEB_CONCURRENCY": "1",
    "SHUTDOWN_DELAY": "0",
}


async def until(condition: Callable[[], Awaitable[object]], within: float = PATIENCE) -> None:
    """Ask again and again until the answer is yes. Raises `TimeoutError` when that takes more seconds than `within`."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110  # what happens in another process sets no event here
            await asyncio.sleep(0.01)


class Server:
    """The application on a database, served as in production. Its log is a file in `logs`.

    `options` are those of `python -m app serve`, `settings` the application's.
    """

    def __init__(self, dsn: str, logs: Path, *options: str, **settings: str) -> None:
        self.url = ""
        self._log = logs / f"{secrets.token_hex(4)}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--port", "0", *options],
                cwd=ROOT,
                env=os.environ | _SETTINGS | {"DATABASE_URL": dsn} | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8")

    def complaints(self) -> list[str]:
        """What it has said of trouble that nobody foresaw."""
        return re.findall(r".*(?:\[error|\[critical|Traceback).*", self.log())

    def kill(self) -> None:
        """End it, if it has not ended, with the processes that it has started: nobody else would."""
        family = [psutil.Process(self.process.pid)] if self.process.poll() is None else []
        for process in [*family, *(child for parent in family for child in parent.children(recursive=True))]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    async def started(self) -> bool:
        """Whether it is up. The system has chosen its port, and uvicorn tells which, maybe before it listens there."""
        assert self.process.poll() is None, self.log()
        if told := re.search(r"running on (http://[\d.]+:\d+)", self.log()):
            self.url = told[1]
        return bool(self.url) and not await self.refuses()

    async def refuses(self) -> bool:
        """Whether nobody can connect any more."""
        try:
            self.connect().close()
        except ConnectionError:
            return True
        return False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let it do nothing while the block runs; what arrives meanwhile waits for it."""
        process = psutil.Process(self.process.pid)
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def connect(self) -> socket.socket:
        """A bare connection, for what no proper client does."""
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port or 80), timeout=PATIENCE)

    def client(self) -> httpx.AsyncClient:
        """A client with as many connections as it needs, and without the machine's proxies."""
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(base_url=self.url, timeout=PATIENCE, limits=limits, trust_env=False)

    @asynccontextmanager
    async def member(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of somebody who has registered and logged in, as everybody does."""
        name = f"user{secrets.token_hex(4)}"
        async with self.client() as client:
            account = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
            assert (await client.post("/auth/register", json=account)).status_code == 201
            login = {"username": name, "password": PASSWORD, "scope": "offline_access"}
            response = await client.post("/auth/login", data=login)
            client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
            yield client


@asynccontextmanager
async def served(dsn: str, logs: Path, *options: str, **settings: str) -> AsyncIterator[Server]:
    """The application on this database, up until the block ends."""
    server = Server(dsn, logs, *options, **settings)
    try:
        await until(server.started)
        yield server
    finally:
        server.kill()


class OwnPostgres:
    """A PostgreSQL that nobody else uses, with the settings of the embedded one: what it says it keeps, it keeps."""

    def __init__(self, directory: Path) -> None:
        self.dsn = new_database_url("app")
        self._cluster = Cluster(directory)
        self._cluster.prepare()

    def start(self) -> None:
        """Start it, and recover what has to be recovered."""
        self._cluster.bring_up(Address.of(self.dsn))

    def stop(self) -> None:
        """Stop it as an operator does; whoever is connected is sent away."""
        self._cluster.stop()

    def kill(self) -> None:
        """Kill every process of it, none of which has time to tidy up."""
        postmaster = psutil.Process(int((self._cluster.data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + PATIENCE
        while any(map(_lives, processes)):
            assert time.monotonic() < deadline, "PostgreSQL does not die"
            time.sleep(0.01)


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A new one, up until the block ends."""
    # Not under tmp_path: for root, every pytest that starts closes what all its tmp_paths are in, while `nobody` is in.
    directory = Path(tempfile.mkdtemp(prefix="embedded-")).resolve()
    postgres = OwnPostgres(directory)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(directory)


def _lives(process: psutil.Process) -> bool:
    try:
        status: str = process.status()
    except psutil.NoSuchProcess:
        return False
    return status != str(psutil.STATUS_ZOMBIE)  # dead, and nobody has asked after it
