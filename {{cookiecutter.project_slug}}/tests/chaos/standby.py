"""A replica of a PostgreSQL, fed by streaming replication."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.databases import connect
from tests.servers import OwnPostgres, until
from tools.embedded_postgres import new_database_url
from tools.postgres_cluster import HOST, USER, Address


class Standby(OwnPostgres):
    """A server that replays what another one commits."""

    def __init__(self, directory: Path, primary: OwnPostgres) -> None:
        super().__init__(directory)
        self.dsn = new_database_url("app", primary._cluster.directory)  # with the primary's password
        self._primary = primary

    def copy(self) -> None:
        """Copy the primary's data, and note where what follows comes from."""
        self._cluster.data.mkdir(mode=0o700)
        self._cluster.account.own(self._cluster.data)
        address = Address.of(self._primary.dsn)
        whence = ("-h", HOST, "-p", str(address.port), "-U", USER)
        options = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "-D", "data")
        code, output = self._cluster._run("pg_basebackup", *whence, *options, PGPASSWORD=address.password)
        assert code == 0, output
        # What it replays has to wait for no reader: a statement that is in the way is cancelled.
        with (self._cluster.data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("max_standby_streaming_delay = 0\n")

    async def catch_up(self) -> None:
        """Wait until it knows all that is committed by now."""
        committed = await _value(self._primary.dsn, "SELECT pg_current_wal_lsn()::text")

        async def caught_up() -> object:
            return await _value(self.dsn, f"SELECT pg_last_wal_replay_lsn() >= '{committed}'")

        await until(caught_up)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Have it learn nothing while the block runs, and everything afterwards."""
        await self.catch_up()
        await _value(self.dsn, "SELECT pg_wal_replay_pause()::text")

        async def is_paused() -> bool:
            return await _value(self.dsn, "SELECT pg_get_wal_replay_pause_state()") == "paused"

        await until(is_paused)
        try:
            yield
        finally:
            await _value(self.dsn, "SELECT pg_wal_replay_resume()::text")
            await self.catch_up()


@contextmanager
def standby_of(primary: OwnPostgres) -> Iterator[Standby]:
    """A new one, up until the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="standby-")).resolve()
    standby = Standby(directory, primary)
    try:
        standby.copy()
        standby.start()
        yield standby
    finally:
        standby.stop()
        shutil.rmtree(directory)


async def _value(dsn: str, query: str) -> object:
    connection = await connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
