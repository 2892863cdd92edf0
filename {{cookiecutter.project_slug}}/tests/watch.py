"""A look at an application from its database's side, and ways to be in its way there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx

from tests.databases import connect
from tests.servers import POOL_SIZE, until

_APPLICATION = "datname = current_database() AND backend_type = 'client backend' AND application_name <> 'tests'"


class Watch:
    """A connection to the database that an application uses, and uses alone but for the tests."""

    def __init__(self, dsn: str, connection: asyncpg.Connection) -> None:
        self._dsn = dsn
        self.connection = connection

    async def count(self, condition: str) -> int:
        """How many of the application's connections are so, by the columns of pg_stat_activity."""
        question = f"SELECT count(*) FROM pg_stat_activity WHERE {_APPLICATION} AND {condition}"  # noqa: S608  # ours
        return int(await self.connection.fetchval(question))

    async def none(self, condition: str = "true") -> bool:
        """Whether no connection of the application is so."""
        return await self.count(condition) == 0

    async def terminate(self) -> int:
        """End all of the application's connections, and wait until they are ended; how many there were."""
        order = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {_APPLICATION}"  # noqa: S608
        outcomes = [row[0] for row in await self.connection.fetch(order)]
        assert all(outcomes)
        return len(outcomes)

    @asynccontextmanager
    async def locked(self, article_id: int) -> AsyncIterator[None]:
        """Let nobody change the article while the block runs."""
        connection = await connect(self._dsn)
        try:
            async with connection.transaction():
                await connection.execute("SELECT FROM articles WHERE id = $1 FOR UPDATE", article_id)
                yield
        finally:
            await connection.close()

    @asynccontextmanager
    async def pool_in_use(self, client: httpx.AsyncClient, article_id: int) -> AsyncIterator[None]:
        """Have every connection of the pool held while the block runs, by changes that wait for the article.

        They succeed afterwards. So this proves as well that the pool has all its connections to give.
        """
        async with asyncio.TaskGroup() as requests:  # noqa: SIM117  # they end after the lock, not with it
            async with self.locked(article_id):
                changes = [
                    requests.create_task(client.patch(f"/articles/{article_id}", json={"title": f"Change {number}"}))
                    for number in range(POOL_SIZE)
                ]
                await until(self.all_wait)
                yield
        assert [change.result().status_code for change in changes] == [200] * POOL_SIZE

    async def all_wait(self) -> bool:
        """Whether each connection of the pool waits for a row that somebody has locked."""
        return await self.waiting(POOL_SIZE)

    async def waiting(self, number: int) -> bool:
        """Whether so many of the application's connections wait for a lock."""
        return await self.count("wait_event_type = 'Lock'") == number


@asynccontextmanager
async def watching(dsn: str) -> AsyncIterator[Watch]:
    """See what the application does with this database."""
    connection = await connect(dsn)
    try:
        yield Watch(dsn, connection)
    finally:
        await connection.close()
