"""How fast the project is, beside the limit and the textbook: `make bench`, or `python benchmarks/speed.py PROJECT`.

In turns, on the same rows of the same database, with one worker and 16 connections each:

- the limit: bare ASGI and an asyncpg pool, see `limit.py`;
- the textbook: FastAPI as tutorials write it, see `textbook.py`;
- ours: the project as production runs it, with authentication, logs and all that is on by default, but for throttling.

The ratios are the figures to compare: machines differ, and are shared. Each is the median of those of the rounds.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import processes
import wrk
from kinds import KINDS
from stage import staged

if TYPE_CHECKING:
    from kinds import Calls, Kind
    from stage import Stage

ROUNDS, SECONDS = 5, 2
NAMES = {"limit": "the limit", "textbook": "textbook", "empty": "empty route", "first": "page 1", "ours": "ours"}


@dataclass(frozen=True)
class Sample:
    """One load of one server. Times are milliseconds, those of the CPU for each request."""

    per_second: float
    p50: float
    p99: float
    cpu: float
    database_cpu: float


def sample(stage: Stage, calls: Calls, seconds: int) -> Sample:
    server = stage.servers[calls.server]
    before = processes.cpu(server.pid), processes.cpu(stage.postmaster) if stage.postmaster else 0
    seen = wrk.load(server.port, calls.requests, seconds)
    after = processes.cpu(server.pid), processes.cpu(stage.postmaster) if stage.postmaster else 0
    own, database = ((b - a) * 1000 / seen.requests for a, b in zip(before, after, strict=True))
    return Sample(seen.requests / seen.seconds, seen.p50, seen.p99, own, database)


def measure(stage: Stage, kind: Kind, rounds: int, seconds: int) -> dict[str, list[Sample]]:
    """The samples of all that are compared, one of each in every round."""
    calls = kind.checked(stage)
    samples: dict[str, list[Sample]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, one in calls.items():
            samples[name].append(sample(stage, one, seconds))
            if kind.writes:
                stage.tidy()
    return samples


def run(project: Path, python: Path, kinds: list[Kind], rounds: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as directory, staged(project, python, Path(directory)) as stage:
        for kind in kinds:
            samples = measure(stage, kind, rounds, seconds)
            for name, seen in samples.items():
                m = {key: median(asdict(one)[key] for one in seen) for key in asdict(seen[0])}
                r = median(o.per_second / s.per_second for o, s in zip(samples["ours"], seen, strict=True))
                print(
                    f"| {kind.title} | {NAMES[name]} | {m['per_second']:.0f} | {m['p50']:.2f} | {m['p99']:.2f} "
                    f"| {m['cpu']:.3f} | {m['database_cpu']:.3f} | {r:.2f} | {kind.floors.get(name, '')}",
                    flush=True,
                )
        for name, server in stage.servers.items():
            print(f"{name}: {processes.memory(server.pid):.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, help="a project that can run: its settings in .env or the environment")
    parser.add_argument("--python", type=Path, help="instead of that in the project's .venv")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each load")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], nargs="+", help="these requests")
    given = parser.parse_args()
    wrk.demand()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped"))
    project = given.project.resolve()
    python = given.python.absolute() if given.python else project / ".venv" / "bin" / "python"
    kinds = [kind for kind in KINDS if not given.only or kind.name in given.only]
    try:
        run(project, python, kinds, given.rounds, given.seconds)
    except KeyboardInterrupt:
        sys.exit("Stopped")


if __name__ == "__main__":
    main()
