"""What two hundred entities cost a start, and the contract: `make bench`, or `python benchmarks/entities.py PROJECT`.

They are written into a copy of the project, each a model in a file of its own as a user would have it: eight columns
beside those of every model, a reference to another one, and the list of those that refer to it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from command import carry_out, positive
from stage import copy_code, interpreter

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 200
RUNS = 5

MODEL = '''\
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Numeric, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Timestamped, WorkspaceScoped, text_enum
from app.models.resource import Resource

if TYPE_CHECKING:
    from app.models.thing_{other} import Thing{other}
    from app.models.thing_{next} import Thing{next}


class State{this}(StrEnum):
    planned = "planned"
    done = "done"


class Thing{this}(WorkspaceScoped, Timestamped, Base):
    """One of many."""

    __tablename__ = "things_{this}"
    __resource__ = Resource(searchable=("name",), sort="name")

    name: Mapped[str] = mapped_column(String(100))
    state: Mapped[State{this}] = mapped_column(text_enum(State{this}, "state"))
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    pieces: Mapped[int]
    note: Mapped[str | None] = mapped_column(Text)
    due: Mapped[date | None]
    active: Mapped[bool]
    other_id: Mapped[int | None] = mapped_column(BigInteger)

    other: Mapped["Thing{other} | None"] = relationship(
        lazy="raise", back_populates="followers", remote_side="Thing{other}.id, Thing{other}.workspace_id"
    )
    followers: Mapped[list["Thing{next}"]] = relationship(lazy="raise", back_populates="other")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        ForeignKeyConstraint(["workspace_id", "other_id"], ["things_{other}.workspace_id", "things_{other}.id"]),
        Index("ix_things_{this}_other_id", "workspace_id", "other_id"),
    )
'''

START = """
import asyncio, time
started = time.perf_counter()
from app.main import app
async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}
async def send(message):
    answered.append(message)
answered = []
scope = {"type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "headers": [],
         "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1), "root_path": "", "asgi":
         {"version": "3.0"}, "http_version": "1.1", "state": {}}
class Reader:
    pass
class NoDatabase:
    reader = unit_of_work = Reader
app.state.database = NoDatabase()
asyncio.run(app(scope, receive, send))
assert answered[0]["status"] == STATUS, answered
print(time.perf_counter() - started)
"""


def write_models(project: Path, count: int) -> None:
    """Add so many models to the project."""
    for number in range(count):
        names = {"this": number, "other": (number - 1) % count, "next": (number + 1) % count}
        text = MODEL.format(**{key: f"{value:03}" for key, value in names.items()})
        (project / "app" / "models" / f"thing_{number:03}.py").write_text(text, encoding="utf-8")


def python(project: Path, with_python: Path, *arguments: str) -> tuple[float, str]:
    """Seconds that the interpreter takes, and what it prints."""
    started = time.perf_counter()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [with_python, *arguments], cwd=project, env=env, check=False, capture_output=True, encoding="utf-8"
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def starting(project: Path, with_python: Path, path: str, status: int) -> float:
    """Seconds from nothing to the answer to the first request."""
    code = START.replace("PATH", repr(path)).replace("STATUS", str(status))
    return float(python(project, with_python, "-c", code)[1].splitlines()[-1])  # after what is logged


def run(project: Path, own: Path | None = None, count: int = COUNT) -> None:
    """Measure, and print a table."""
    with_python = interpreter(project, own)
    print(f"\n| {count} entities | median | budget | the project without them |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        without, many = Path(directory, "without"), Path(directory, "many")
        for copy in (without, many):
            copy_code(project, copy)
        write_models(many, count)

        def to_any(place: Path) -> float:
            return starting(place, with_python, "/health/live", 200)

        def to_generated(place: Path) -> float:
            return starting(place, with_python, "/things-000" if place == many else "/tags", 401)

        def generate(place: Path) -> float:
            return python(place, with_python, "-m", "app", "generate", "--into", directory)[0]

        measures: dict[str, tuple[Callable[[Path], float], str]] = {
            "start, to the first answer": (to_any, "2 s"),
            "start, to that of a generated route": (to_generated, "2 s"),
            "`python -m app generate`": (generate, "3 s"),
        }
        for what, (measure, budget) in measures.items():
            # The first one compiles.
            seconds = [(measure(many), measure(without)) for _ in range(RUNS + 1)][1:]
            with_them, without_them = (median(times) for times in zip(*seconds, strict=True))
            print(f"| {what} | {with_them:.2f} s | {budget} | {without_them:.2f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path, help="a project that can run: its settings in .env or the environment")
    parser.add_argument("--python", type=Path, help="instead of that in the project's .venv")
    parser.add_argument("--count", type=positive, default=COUNT)
    given = parser.parse_args()
    run(given.project, given.python, given.count)


if __name__ == "__main__":
    carry_out(main)
