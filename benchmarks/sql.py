"""SQL over a pipe, by the project's own Python and driver: a statement as JSON on each line, its rows on another.

`python sql.py ADDRESS`. The benchmarks themselves have no driver.
"""

from __future__ import annotations

import asyncio
import json
import sys

import asyncpg


async def main(address: str) -> None:
    connection = await asyncpg.connect(address)
    for line in sys.stdin:
        rows = await connection.fetch(json.loads(line))
        print(json.dumps([list(row.values()) for row in rows], default=str), flush=True)
    await connection.close()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1]))
    except (OSError, asyncpg.PostgresError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
