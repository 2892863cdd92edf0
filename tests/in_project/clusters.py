"""Projects with embedded servers of their own, and programs that use them."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
from tools.embedded_postgres import new_database_url, serving

ROOT = Path.cwd()  # the project whose environment runs these tests
# What people call their folders; longer than the path of a Unix socket may be.
AWKWARD = Path('my blog\'s "first" $draft', "ü" * 20, "x" * 100)
PATIENCE = 20

PRELUDE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from tools.embedded_postgres import serving
url, directory = sys.argv[1], Path(sys.argv[2])
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, and inherited so, where tests run in the background
"""
KEEP = "with serving(url, directory):\n    print('up', flush=True)\n    sys.stdin.readline()"


@dataclass
class Project:
    root: Path
    url: str

    @property
    def directory(self) -> Path:
        return self.root / ".postgres"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def password(self) -> str:
        return urlsplit(self.url).password or ""

    def serving(self, url: str = "") -> Any:
        return serving(url or self.url, self.directory)

    def with_new_port(self) -> str:
        new = str(urlsplit(new_database_url("x")).port)
        return self.url.replace(f":{self.port}/", f":{new}/")

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.directory / "data" / "postmaster.pid").read_text().split()[0]))

    def listens(self, url: str = "") -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", urlsplit(url or self.url).port or 0)) == 0

    def run(self, program: str, url: str = "", **options: Any) -> "subprocess.Popen[str]":
        """A process of its own that runs the program after the prelude."""
        command = [sys.executable, "-c", PRELUDE + program, url or self.url, str(self.directory)]
        return started(command, cwd=ROOT, **options)


def started(command: list[str], **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def line(process: "subprocess.Popen[str]") -> str:
    """The next line that the process prints; what it died of, if it does not."""
    assert process.stdout
    said = process.stdout.readline().strip()
    return said or process.communicate(timeout=PATIENCE)[1]


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    errors = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, errors


def ask(url: str, sql: str, **options: Any) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(url, timeout=PATIENCE, **options)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(answer())


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def new_project(root: Path) -> Project:
    root.mkdir(parents=True)
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    project = Project(root, new_database_url("my_blog"))
    (root / ".env").write_text(f"DATABASE_URL={project.url}\n")
    return project


@contextmanager
def cleaned_up(project: Project) -> Iterator[Project]:
    """No test leaves a server behind, least of all one that fails."""
    try:
        yield project
    finally:
        if (project.directory / "data" / "postmaster.pid").exists():
            with project.serving():
                pass
