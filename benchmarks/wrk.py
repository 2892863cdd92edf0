"""A load by wrk, which has to be on the system."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTIONS = 16
SCRIPT = Path(__file__).with_name("cycle.lua")


@dataclass(frozen=True)
class Seen:
    """What wrk has seen. Percentiles are in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    broken: int


def demand() -> None:
    """End the run with a line that says what to install, if wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit(
            "wrk is missing, which makes the load: install it (apt install wrk, brew install wrk, dnf install wrk)"
        )


def load(port: int, requests: Sequence[bytes], seconds: int, connections: int = CONNECTIONS) -> Seen:
    """Send the requests, one after the other and again. Ends the run when one was not answered with success."""
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        file.write(b"".join(one + b"\0" for one in requests))
        file.flush()
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command += ["--timeout", "10s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}", "--", file.name]
        done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"wrk failed:\n{done.stdout}{done.stderr}")
    seen = Seen(**json.loads(done.stdout.splitlines()[-1]))
    if seen.refused or seen.broken or not seen.requests:
        what = requests[0].partition(b"\r\n")[0].decode()
        sys.exit(f"{what}: {seen.requests} answers, {seen.refused} of them errors, {seen.broken} connections broken")
    return seen
