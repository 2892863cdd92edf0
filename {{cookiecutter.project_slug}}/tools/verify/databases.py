"""Databases to try migrations and the application on, beside the one that DATABASE_URL names."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@contextmanager
def scratch_database(dsn: str) -> Iterator[str]:
    """A new, empty database on the same server; gives its address, and drops it when the block ends."""
    name = f"verify_{secrets.token_hex(6)}"
    asyncio.run(_execute(dsn, f'CREATE DATABASE "{name}"'))
    try:
        yield urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(dsn, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
