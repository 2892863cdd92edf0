"""`python -m tools.verify.leftovers`: what is in the database of the settings, but for Alembic's own table."""

import asyncio
from typing import Final

import asyncpg

from app.config import get_settings

_QUERY: Final = """
SELECT 'table ' || tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'alembic_version'
UNION ALL
SELECT 'view ' || viewname FROM pg_views WHERE schemaname = current_schema()
UNION ALL
SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = current_schema()
UNION ALL
SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL
SELECT 'type ' || typname FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('e', 'd')
"""


async def main() -> None:
    """A line for each."""
    connection = await asyncpg.connect(get_settings().dsn)
    try:
        for (name,) in await connection.fetch(_QUERY):
            print(name)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
