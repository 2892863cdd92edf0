"""What a generated list costs beside one written by hand, on the same rows: `make bench`.

`python benchmarks/lists.py PROJECT` for a project whose `.venv` and database are there. The route by hand is what one
would write without the runtime: a query, and Pydantic's schema for each row. Both are asked in turns, so that a noisy
machine is noisy for both.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

import wrk
from asking import ask, request, with_json
from command import carry_out_on_project
from stage import copy_code, interpreter, staged

ROUNDS, SECONDS = 5, 2
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


def write_tags(port: int, headers: dict[str, str]) -> None:
    tags = [{"name": f"Tag {number:03}"} for number in range(ROWS)]
    answer = ask(port, with_json("POST", "/tags", tags, headers))
    if answer.status != 201:  # noqa: PLR2004
        sys.exit(f"Tags were answered with {answer.status}: {answer.body.decode()}")
    generated, by_hand = (json.loads(ask(port, request("GET", path, headers)).body) for path in ("/tags", "/by-hand"))
    if generated != by_hand:
        sys.exit("The two lists differ")


def measure(port: int, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    write_tags(port, headers)
    speeds: dict[str, list[float]] = {"/tags": [], "/by-hand": []}
    for _ in range(ROUNDS):
        for path, seen in speeds.items():
            load = wrk.load(port, [request("GET", path, headers)], SECONDS)
            seen.append(load.requests / load.seconds)
    generated, by_hand = speeds.values()
    ratio = median(g / h for g, h in zip(generated, by_hand, strict=True))
    print(f"| list of 25, generated | {median(generated):.0f}/s | |")
    print(f"| list of 25, by hand | {median(by_hand):.0f}/s | |")
    print(f"| generated to by hand | {ratio:.2f} | 1.0 or more |", flush=True)


def run(project: Path) -> None:
    """Measure, and print a table."""
    wrk.demand()
    interpreter(project)
    print("\n| one worker, 16 connections, authenticated | median | budget |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "project")
        copy_code(project, copy)
        (copy / "app" / "routers" / "by_hand.py").write_text(BY_HAND, encoding="utf-8")
        with staged(project, None, Path(directory), ["ours"], code=copy) as stage:
            server = stage.servers["ours"]
            measure(server.port, server.token)


if __name__ == "__main__":
    carry_out_on_project(run, __doc__)
