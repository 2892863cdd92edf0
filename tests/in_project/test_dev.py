"""`python -m app dev`, as a process on a real port, with the embedded database of the project."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from clusters import ROOT


@pytest.fixture
def port() -> int:
    """A port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def dev(port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process group of its own, of which nothing is left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "dev"],
        cwd=ROOT,
        env=os.environ | {"PORT": str(port)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until_ready(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health/ready").raise_for_status()
            return
        time.sleep(0.1)
    pytest.fail("the server did not get ready in 20 s")


def wait_until_gone(group: int) -> None:
    """The last to go is multiprocessing's own tracker, a moment after the process that it belongs to."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it has left processes behind")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serves_and_takes_its_children_with_it(port: int, how: signal.Signals) -> None:
    with dev(port) as process:
        wait_until_ready(port)
        process.send_signal(how)
        output, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert f"http://127.0.0.1:{port}/docs" in output
        assert "Traceback" not in output + errors
        wait_until_gone(process.pid)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_in_use_is_one_line(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), dev(port) as process:
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, "")
    assert (
        errors == f"Cannot listen on 127.0.0.1:{port}: Address already in use. Another port: PORT={port + 1} make dev\n"
    )


def test_a_database_that_cannot_be_had_is_one_line(port: int) -> None:
    with dev(port, DATABASE_URL="postgresql://ada:secret-word@127.0.0.1:1/blog") as process:
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("The database of DATABASE_URL cannot be used: ")
    assert len(errors.splitlines()) == 1
    assert "secret-word" not in errors
