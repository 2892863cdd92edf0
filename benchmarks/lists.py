"""What a generated list costs beside one written by hand, on the same rows: `make bench`.

`python benchmarks/lists.py PROJECT` for a project whose `.venv` and database are there. The route by hand is what one
would write without the runtime: a query, and Pydantic's schema for each row. Both are asked in turns, so that a noisy
machine is noisy for both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from accounts import register, server
from load import Connection, load, request

if TYPE_CHECKING:
    from load import Result

ROUNDS = 5
ROWS = 100

BY_HAND = '''\
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from app.auth.dependencies import WorkspaceReads
from app.dependencies import Links
from app.models.tag import Tag
from app.repositories.base import read_page
from app.schemas.base import Output
from app.schemas.page import PageQuery, SortBy

router = APIRouter(prefix="/by-hand", tags=["by hand"])


class TagOfHand(Output):
    id: int
    name: str
    created_at: datetime
    updated_at: datetime


class TagQuery(PageQuery):
    sort: Annotated[str, SortBy("id", "name", "created_at", "updated_at")] = "name"


@router.get("", response_model=list[TagOfHand])
async def list_by_hand(query: Annotated[TagQuery, Query()], reader: WorkspaceReads, links: Links) -> list[Tag]:
    """The tags of your workspace."""
    page = await read_page(reader, select(Tag), Tag, query)
    links.announce(page, query)
    return list(page.items)
'''


async def write_tags(port: int, headers: dict[str, str]) -> None:
    body = json.dumps([{"name": f"Tag {number:03}"} for number in range(ROWS)])
    connection = await Connection.open(port)
    sent = headers | {"Content-Length": str(len(body)), "Content-Type": "application/json"}
    status, answer = await connection.ask(request("POST", "/tags", sent) + body.encode())
    if status != 201:  # noqa: PLR2004
        raise RuntimeError(f"{status}: {answer!r}")
    bodies = [json.loads((await connection.ask(request("GET", path, headers)))[1]) for path in ("/tags", "/by-hand")]
    if bodies[0] != bodies[1]:
        raise RuntimeError("The two lists differ")
    await connection.close()


async def measure(port: int) -> None:
    headers = {"Authorization": f"Bearer {await register(port)}"}
    await write_tags(port, headers)
    results: dict[str, list[Result]] = {"/tags": [], "/by-hand": []}
    for _ in range(ROUNDS):
        for path, seen in results.items():
            seen.append(await load(port, request("GET", path, headers), connections=16, seconds=2))
    generated, by_hand = results.values()
    ratio = median(g.per_second / h.per_second for g, h in zip(generated, by_hand, strict=True))
    print(f"| list of 25, generated | {median(g.per_second for g in generated):.0f}/s | |")
    print(f"| list of 25, by hand | {median(h.per_second for h in by_hand):.0f}/s | |")
    print(f"| generated to by hand | {ratio:.2f} | 1.0 or more |")


def run(project: Path) -> None:
    """Measure, and print a table."""
    print("\n| one worker, 16 connections, authenticated | median | budget |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "project")
        # With the owners of files: where root runs this, PostgreSQL's data are somebody else's.
        subprocess.run(["cp", "-a", project, copy], check=True)
        (copy / "app" / "routers" / "by_hand.py").write_text(BY_HAND, encoding="utf-8")
        with server(copy) as (port, _):
            asyncio.run(measure(port))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    run(parser.parse_args().project)
