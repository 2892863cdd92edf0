"""What knowing the caller costs, and what logins do to everybody else: `make bench`.

One worker of a rendered project, on its embedded PostgreSQL, with logging and request ids on and throttling off.
Authenticated and anonymous reads are interleaved, so that a noisy machine is noisy for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from load import Connection, Result, load, request

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "correct horse battery staple"  # noqa: S105  # of nobody
ROUNDS = 5
LOGINS = 64


@contextlib.contextmanager
def server(project: Path) -> Iterator[tuple[int, int]]:
    """The port and the process id of a worker of the project, with 1,000 articles."""
    settings = os.environ | {"RATE_LIMIT_ENABLED": "false", "WORKER_IN_PROCESS": "false"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database, worker = start(project, "tools.embedded_postgres"), None
    try:
        start(project, "app", "seed", "--articles", "1000").wait()
        worker = start(project, "uvicorn", "app.main:app", "--port", str(port), "--no-proxy-headers", env=settings)
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        yield port, worker.pid
    finally:
        for process in (worker, database):
            if process:
                process.terminate()
                process.wait()


def start(project: Path, *module: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """One of the project's modules, as a process that says nothing."""
    command = [str(project / ".venv/bin/python"), "-m", *module]
    return subprocess.Popen(command, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def register(port: int) -> str:
    """A new account; its access token."""
    connection = await Connection.open(port)
    body = json.dumps({"email": "bench@example.com", "username": "bench", "password": PASSWORD})
    raw = request("POST", "/auth/register", {"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await connection.ask(raw + body.encode())
    _, answer = await connection.ask(log_in())
    await connection.close()
    return str(json.loads(answer)["access_token"])


def log_in() -> bytes:
    return request("POST", "/auth/login", body=urllib.parse.urlencode({"username": "bench", "password": PASSWORD}))


def memory(pid: int) -> float:
    """MiB that the process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def read(port: int, headers: dict[str, str] | None = None) -> Result:
    return await load(port, request("GET", "/articles", headers), connections=16, seconds=2)


async def reads(port: int, token: str) -> None:
    anonymous: list[Result] = []
    known: list[Result] = []
    for _ in range(ROUNDS):
        anonymous.append(await read(port))
        known.append(await read(port, {"Authorization": f"Bearer {token}"}))
    ratio = median(a.per_second / k.per_second for a, k in zip(anonymous, known, strict=True))
    print(f"| list of 25, anonymous | {median(a.per_second for a in anonymous):.0f}/s | |")
    print(f"| list of 25, authenticated | {median(k.per_second for k in known):.0f}/s | |")
    print(f"| anonymous to authenticated | {ratio:.2f} | 1.6 |")


async def logins(port: int, pid: int) -> None:
    before = memory(pid)

    async def one() -> None:
        connection = await Connection.open(port)
        status, _ = await connection.ask(log_in())
        if status != 200:  # noqa: PLR2004
            raise RuntimeError(f"login: {status}")
        await connection.close()

    probe = asyncio.create_task(load(port, request("GET", "/health/live"), connections=1, seconds=3))
    await asyncio.sleep(0.2)
    started = time.perf_counter()
    await asyncio.gather(*[one() for _ in range(LOGINS)])
    seconds = time.perf_counter() - started
    during = await probe
    print(f"| {LOGINS} logins at once | {seconds:.2f} s | |")
    print(f"| `/health/live` meanwhile, p99 | {during.percentile(99):.0f} ms | 100 ms |")
    print(f"| memory that they took | {memory(pid) - before:.0f} MiB | 200 MiB |")


async def measure(port: int, pid: int) -> None:
    token = await register(port)
    await reads(port, token)
    await logins(port, pid)


def run(project: Path) -> None:
    """Measure, and print a table."""
    print("\n| one worker, 16 connections | median | budget |\n|---|---|---|", flush=True)
    with server(project) as (port, pid):
        asyncio.run(measure(port, pid))
