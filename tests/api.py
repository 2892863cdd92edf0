"""A running application, spoken to over a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Api:
    """The application as `make` serves it, on a port of its own."""

    def __init__(self, directory: Path, target: str, env: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.token: str | None = None
        self.process = subprocess.Popen(
            ["make", target, f"PORT={self.port}"],
            cwd=directory,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self.output = ""

    def wait(self) -> None:
        """Until it answers, however long packages take to arrive; a process that ends before is a failure."""
        deadline = time.monotonic() + 300
        while not self.ready():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def ready(self) -> bool:
        try:
            return self("GET", "/health/ready")[0] == 200
        except OSError:
            return False

    def __call__(
        self, method: str, path: str, data: Mapping[str, object] | None = None, *, form: bool = False
    ) -> tuple[int, Any, Any]:
        """Send a request; return the status, the body and the headers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)  # it is http
        if data:
            body = urllib.parse.urlencode(data) if form else json.dumps(data)
            request.data = body.encode()
            request.add_header("Content-Type", "application/x-www-form-urlencoded" if form else "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
            return (
                response.status,
                json.loads(text) if "json" in response.headers["content-type"] else text,
                response.headers,
            )

    def stop(self) -> None:
        """Press Ctrl-C. The output ends when the last process that could write to it has ended."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.output, _ = self.process.communicate(timeout=60)
        assert not self.ready()


@contextlib.contextmanager
def served(directory: Path, target: str = "dev", **env: str) -> Iterator[Api]:
    """Run `make dev`, or another target, until the block is left."""
    api = Api(directory, target, env)
    try:
        api.wait()
        yield api
    finally:
        api.stop()
