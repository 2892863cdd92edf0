"""What PostgreSQL has done for somebody, by its own account: rows and pages, not time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

# Of each table: rows that were read one after the other, entries that were read of each index, and pages.
_COUNTERS = """
SELECT relname AS table, relname AS source, seq_tup_read AS read, heap_blks_read + heap_blks_hit AS pages
FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid, relname)
UNION ALL
SELECT relname, indexrelname, idx_tup_read, idx_blks_read + idx_blks_hit
FROM pg_stat_user_indexes JOIN pg_statio_user_indexes USING (indexrelid, relname, indexrelname)
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
# What does it, more often than not.
WAY_OUT = (
    "the model lacks an index that begins with the columns it is searched by and goes on with those it is sorted by, "
    'such as Index(None, "workspace_id", "created_at", "id") in its __table_args__, and a migration (make migration)'
)


@dataclass
class Work:
    """What was read, by table and by where it was read: in the table itself or in one of its indexes."""

    read: dict[tuple[str, str], int] = field(default_factory=dict)
    pages: int = 0

    def beyond(self, most: int) -> list[str]:
        """What was read more of than this."""
        return [
            f"reads {count} rows of {table} one after the other: {WAY_OUT}"
            if source == table
            else f"reads {count} entries of {source}: {WAY_OUT}"
            for (table, source), count in self.read.items()
            if count > most
        ]


@asynccontextmanager
async def accounted(connection: asyncpg.Connection) -> AsyncIterator[Work]:
    """The work that is done in the block, by connections that are open nowhere but in it: each gives its account when
    it ends.
    """
    before = await _counters(connection)
    work = Work()
    yield work
    async with asyncio.timeout(30):
        while await connection.fetchval(_OTHERS):  # noqa: ASYNC110  # PostgreSQL tells nobody that somebody has gone
            await asyncio.sleep(0.002)
    after = await _counters(connection)
    for key, (read, pages) in after.items():
        before_read, before_pages = before.get(key, (0, 0))
        if read > before_read:
            work.read[key] = read - before_read
        work.pages += pages - before_pages


async def _counters(connection: asyncpg.Connection) -> dict[tuple[str, str], tuple[int, int]]:
    rows = await connection.fetch(_COUNTERS)
    return {(row["table"], row["source"]): (row["read"], row["pages"]) for row in rows}
