"""PgBouncer as a process of its own, with the configuration that deploy/ ships."""

import asyncio
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from app.config import ROOT
from tests.databases import connect
from tests.servers import until
from tools import unprivileged

SHIPPED = ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini"


class PgBouncer:
    """One in front of the server of `dsn`. What it says goes to a file in its directory."""

    def __init__(self, dsn: str, directory: Path, configuration: str) -> None:
        self._program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if self._program is None:
            pytest.fail("pgbouncer is not on the PATH: install it (Debian: apt-get install pgbouncer)", pytrace=False)
        account = unprivileged.account()  # like PostgreSQL it does not run as root
        assert account is not None
        self._account = account
        self._server = urlsplit(dsn)
        self._directory = directory
        self._port = _free_port()
        self._configuration = configuration

    @property
    def dsn(self) -> str:
        """The address of the same database, through PgBouncer."""
        here = self._server.netloc.rpartition("@")[0] + f"@127.0.0.1:{self._port}"
        return urlunsplit(self._server._replace(netloc=here))

    async def configure(self) -> None:
        """Write its files, as the comments in them say; in the configuration only addresses are replaced."""
        users = self._directory / "userlist.txt"
        connection = await connect(urlunsplit(self._server))
        try:
            secrets = await connection.fetch("SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")
        finally:
            await connection.close()
        users.write_text("".join(f'"{name}" "{secret}"\n' for name, secret in secrets), encoding="utf-8")
        text = self._configuration
        for shipped, here in (
            ("host=postgres port=5432", f"host={self._server.hostname} port={self._server.port}"),
            ("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1"),
            ("listen_port = 6432", f"listen_port = {self._port}"),
            ("/etc/pgbouncer/userlist.txt", str(users)),
        ):
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, here)
        (self._directory / "pgbouncer.ini").write_text(text, encoding="utf-8")
        for path in (self._directory, *self._directory.iterdir()):
            self._account.own(path)

    async def start(self) -> None:
        """Start it and wait until it lets somebody in."""
        with (self._directory / "log").open("ab") as log:
            assert self._program is not None
            self._process = subprocess.Popen(  # noqa: ASYNC220  # it runs beside the event loop
                [self._program, str(self._directory / "pgbouncer.ini")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._account.as_arguments,
            )
        await until(self._listens)

    def stop(self) -> None:
        """Stop it at once; whoever is connected is sent away."""
        self._process.terminate()
        self._process.wait()

    def complaints(self) -> list[str]:
        """What it has said of trouble."""
        log = (self._directory / "log").read_text(encoding="utf-8")
        return re.findall(r".*(?: ERROR | FATAL |rror:).*", log)

    async def _listens(self) -> bool:
        assert self._process.poll() is None, (self._directory / "log").read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except ConnectionRefusedError:
            return False
        return True


@asynccontextmanager
async def pgbouncer(dsn: str, configuration: str | None = None) -> AsyncIterator[PgBouncer]:
    """A new one in front of this server, up until the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    try:
        shipped = await asyncio.to_thread(SHIPPED.read_text, encoding="utf-8")
        bouncer = PgBouncer(dsn, directory, configuration or shipped)
        await bouncer.configure()
        await bouncer.start()
        try:
            yield bouncer
        finally:
            bouncer.stop()
    finally:
        shutil.rmtree(directory)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
