"""What logins do to everybody else: `make bench`, or `python benchmarks/accounts.py PROJECT`.

Many log in at once, and somebody asks another thing meanwhile, of the same worker.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import processes
import wrk
from asking import ask, form, request
from command import carry_out_on_project
from stage import LOGIN, staged

if TYPE_CHECKING:
    from concurrent.futures import Future

AT_ONCE = 64
SECONDS = 4


def waits(port: int, meanwhile: Future[wrk.Seen]) -> list[float]:
    """Milliseconds that each answer takes to a request which needs nothing but the worker's attention."""
    times = []
    while not meanwhile.done():
        started = time.perf_counter()
        ask(port, request("GET", "/health/live"))
        times.append((time.perf_counter() - started) * 1000)
    return times


def run(project: Path) -> None:
    """Measure, and print a table."""
    wrk.demand()
    print(f"\n| {AT_ONCE} logins at once, one worker | | budget |\n|---|---|---|", flush=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        staged(project, None, Path(directory), ["ours"]) as stage,
        ThreadPoolExecutor() as threads,
    ):
        server = stage.servers["ours"]
        before = processes.memory(server.pid)
        logins = threads.submit(wrk.load, server.port, [form("/auth/login", LOGIN)], SECONDS, AT_ONCE)
        p99 = quantiles(waits(server.port, logins), n=100)[98]
        seen = logins.result()
        print(f"| each of them, p50 | {seen.p50 / 1000:.1f} s | |")
        print(f"| `/health/live` meanwhile, p99 | {p99:.0f} ms | 100 ms |")
        print(f"| memory that they took | {processes.memory(server.pid) - before:.0f} MiB | 200 MiB |", flush=True)


if __name__ == "__main__":
    carry_out_on_project(run, __doc__)
