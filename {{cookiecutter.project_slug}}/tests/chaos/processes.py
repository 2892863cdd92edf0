"""The programs around the application: nginx as it is shipped, only its addresses changed, and Redis."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.config import ROOT
from tests.servers import PATIENCE, Server, until

SHIPPED = ROOT / "deploy" / "nginx"
DOCKERFILE = ROOT / "Dockerfile"


def program(name: str, package: str) -> str:
    """Where it is. A test that needs what is not there fails, and says what to install."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not on the PATH: install it (Debian: apt-get install {package}; brew install {name})")
    return found


def free_port() -> int:
    """One that nobody listens to at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_of(server: Server) -> int:
    return httpx.URL(server.url).port or 80


class Process:
    """A program that listens to a port of 127.0.0.1."""

    def __init__(self, command: list[str], output: IO[bytes], port: int) -> None:
        self.port = port
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    async def listens(self) -> bool:
        assert self._process.poll() is None, "it has ended by itself"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self._process.wait, PATIENCE)


class Nginx:
    """One that is up and running."""

    def __init__(self, directory: Path, url: str, plain: str) -> None:
        self.url = url
        self.plain = plain  # without TLS; the same if there is none
        self._log = directory / "log"

    def client(self, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        """Somebody whose address is this one: on Linux every one of 127.0.0.0/8 is this machine's."""
        transport = httpx.AsyncHTTPTransport(
            local_address=address, limits=httpx.Limits(max_connections=None), verify=False
        )
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=PATIENCE, **options)

    async def logged(self, request_id: str) -> dict[str, Any]:
        """The line of its access log about the request."""

        async def found() -> bool:
            return bool(self._lines(request_id))

        await until(found)
        (line,) = self._lines(request_id)
        entry: dict[str, Any] = json.loads(line)
        return entry

    def _lines(self, request_id: str) -> list[str]:
        return [line for line in self._log.read_text(encoding="utf-8").splitlines() if f'"{request_id}"' in line]


@asynccontextmanager
async def nginx(directory: Path, *backends: int, entry: str = "nginx.conf") -> AsyncIterator[Nginx]:
    """It stands in front of applications at these ports up until the block ends, and writes to `directory` only."""
    binary = program("nginx", "nginx-light")
    ports = {"8080": free_port(), "8443": free_port()}
    servers = " ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in backends)
    shutil.copytree(SHIPPED, directory / "conf")
    for path in (directory / "conf").iterdir():
        text = path.read_text(encoding="utf-8").replace("server backend:8000 resolve max_fails=0;", servers)
        text = re.sub(r"listen (\d+)", lambda found: f"listen 127.0.0.1:{ports[found[1]]}", text)
        path.write_text(re.sub(r"(?<= )/(tmp|run/secrets)/", f"{directory}/", text), encoding="utf-8")
    # For root, workers would be somebody else, whom this directory is closed to. In a container all is one user's.
    user = "user root; " if os.geteuid() == 0 else ""
    command = [binary, "-p", str(directory), "-c", str(directory / "conf" / entry), "-g", f"daemon off; {user}"]
    plain = url = f"http://127.0.0.1:{ports['8080']}"
    if entry == "tls.conf":
        url = f"https://127.0.0.1:{ports['8443']}"
        _write_certificate(directory)
    with (directory / "log").open("wb") as log:
        process = Process(command, log, ports["8080"])
    try:
        await until(process.listens)
        yield Nginx(directory, url, plain)
    finally:
        await process.stop()


def _write_certificate(directory: Path) -> None:
    """A certificate that signs itself, and its key: the secrets of docker-compose.tls.yml."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (directory / "tls_certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "tls_key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@asynccontextmanager
async def redis(directory: Path) -> AsyncIterator[Process]:
    """A Redis without anything in it, up until the block ends or somebody stops it."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(directory)]
    with (directory / "redis.log").open("wb") as log:
        process = Process([program("redis-server", "redis-server"), *options], log, port)
    try:
        await until(process.listens)
        yield process
    finally:
        await process.stop()
