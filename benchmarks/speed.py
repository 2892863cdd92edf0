"""How fast the project is, beside the limit and the textbook: `make bench`, or `python benchmarks/speed.py PROJECT`.

In turns, on the same rows of the same database, with one worker and 16 connections each:

- the limit: bare ASGI and an asyncpg pool, see `limit.py`;
- the textbook: FastAPI as tutorials write it, see `textbook.py`;
- ours: the project as production runs it, with authentication, logs and all that is on by default, but for throttling.

The ratios are the figures to compare: machines differ, and are shared. Each is the median of those of the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pictures
import processes
import results
import wrk
from command import carry_out, positive
from kinds import KINDS
from results import Results, Sample
from stage import staged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinds import Calls, Kind
    from stage import Stage

DOCS = Path(__file__).resolve().parent.parent / "docs"
ROUNDS, SECONDS, STARTS = 4, 2, 5
BUSY = 0.3  # of the CPUs
START = "import time; began = time.perf_counter(); import app.main; print(time.perf_counter() - began)"


def machine(stage: Stage) -> str:
    """What the figures are of."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = subprocess.run([stage.python, "--version"], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    ((postgres,),) = stage.sql("SELECT current_setting('server_version')")
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()}, {python.strip()}, PostgreSQL {postgres}"


def warn_of_others() -> None:
    """Say so if the machine has something else to do: what takes the longest suffers most from that."""
    load = os.getloadavg()[0]
    if load > BUSY * (os.cpu_count() or 1):
        print(f"The load of this machine is {load:.1f} before the run: others are at work, and figures scatter.")


def sample(stage: Stage, calls: Calls, seconds: int) -> Sample:
    """What one load has found."""
    server = stage.servers[calls.server]
    watched = [server.pid, stage.postmaster]
    before = [processes.cpu(pid) for pid in watched]
    seen = wrk.load(server.port, calls.requests, seconds)
    after = [processes.cpu(pid) for pid in watched]
    own, database = ((b - a) * 1000 / seen.requests for a, b in zip(before, after, strict=True))
    return Sample(seen.requests / seen.seconds, seen.p50, seen.p99, own, database)


def measure(stage: Stage, kind: Kind, rounds: int, seconds: int) -> results.Samples:
    """The samples of all that are compared, one of each in every round."""
    calls = kind.checked(stage)
    samples: results.Samples = {name: [] for name in calls}
    # Not counted: connections open, statements are prepared and caches fill, which is most of the first p99.
    for one in calls.values():
        wrk.load(stage.servers[one.server].port, one.requests, 1)
    if kind.writes:
        stage.tidy()
    for _ in range(rounds):
        for name, one in calls.items():
            samples[name].append(sample(stage, one, seconds))
            if kind.writes:
                stage.tidy()
    return samples


def starting(stage: Stage) -> float:
    """Seconds that `import app.main` takes in a new process."""
    command = [str(stage.python), "-c", START]
    times = [
        subprocess.run(command, cwd=stage.project, env=stage.environment, check=True, stdout=subprocess.PIPE).stdout
        for _ in range(STARTS)
    ]
    return median(float(seconds.splitlines()[-1]) for seconds in times)


def run(
    project: Path,
    *,
    python: Path | None = None,
    kinds: Sequence[Kind] = KINDS,
    rounds: int = ROUNDS,
    seconds: int = SECONDS,
) -> Results:
    """Measure, and print tables."""
    wrk.demand()
    with tempfile.TemporaryDirectory() as directory, staged(project, python, Path(directory)) as stage:
        found = Results(machine(stage))
        print(f"\n{results.HEAD}", flush=True)
        for kind in kinds:
            found.samples[kind.name] = measure(stage, kind, rounds, seconds)
            print("\n".join(results.lines(found, kind)), flush=True)
        found.memory = {name: processes.memory(server.pid) for name, server in stage.servers.items()}
        found.start = starting(stage)
    print("", *results.rest(found), sep="\n", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, help="a project that can run: its settings in .env or the environment")
    parser.add_argument("--python", type=Path, help="instead of that in the project's .venv")
    parser.add_argument("--rounds", type=positive, default=ROUNDS)
    parser.add_argument("--seconds", type=positive, default=SECONDS, help="of each load")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], nargs="+", help="these requests")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep what is found, as JSON")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="print the change since what was kept there")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md and its picture")
    given = parser.parse_args()
    if given.write and given.only:
        parser.error("--write wants the whole run, without --only")
    if given.save and (given.save.is_dir() or not os.access(given.save.absolute().parent, os.W_OK)):
        parser.error(f"--save: {given.save} cannot be written: name a file in a directory that is there")
    before = load(given.compare) if given.compare else None
    kinds = [kind for kind in KINDS if not given.only or kind.name in given.only]
    warn_of_others()
    found = run(given.project, python=given.python, kinds=kinds, rounds=given.rounds, seconds=given.seconds)
    if given.save:
        found.save(given.save)
    if given.write:
        pictures.write(found, DOCS)
    if before:
        print("", *results.changes(found, before), sep="\n")


def load(file: Path) -> Results:
    try:
        return Results.load(file)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        sys.exit(f"{file} holds no run that this version has saved: {type(error).__name__}: {error}")


if __name__ == "__main__":
    carry_out(main)
