"""Make the project ready to run: `make setup`, which is `python tools/setup.py`.

Makes what is missing and leaves alone what is there: `.env`, a git repository, `.venv`, the database, its tables.
It may be run any number of times, and finishes what an earlier run could not. Its own needs are the standard library
and Python 3.11; on an older one it still has to be readable to say so. What the commands behind it print is in
`.setup.log`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
DATABASE_URL = "DATABASE_URL"


class SetupError(Exception):
    """A step cannot be done; the message is one line for the user, the output that of the command that failed."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


# ---------------------------------------------------------------------------------------------- what the user sees


class Report:
    """A line for each step, with a tick and its time; and, when one fails, a line with the way on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.step_name = "setup"
        make = shutil.which("make")
        self.again = "make setup" if make else f"python {Path('tools', 'setup.py')}"
        self.python = "make" if make else f"{venv_python(Path('.venv'))} -m app"

    def show(self, text: str, *, end: str = "\n", error: bool = False) -> None:
        """Print a line in what the stream can encode; a reader that has gone away is not our failure."""
        stream = sys.stderr if error else sys.stdout
        if stream is None:  # closed from the start
            return
        encoding = stream.encoding or "ascii"
        for sign, ascii_sign in {"✓": "+", "✗": "x", "–": "-", "…": "..."}.items():  # noqa: RUF001
            if sign.encode(encoding, "ignore") == b"":
                text = text.replace(sign, ascii_sign)
        with contextlib.suppress(OSError):
            print(text.encode(encoding, "backslashreplace").decode(encoding), end=end, file=stream, flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step. What it appends to the list is said behind its name."""
        self.step_name = name
        started = time.perf_counter()
        if sys.stdout and sys.stdout.isatty():
            self.show(f"  … {name}\r", end="")
        said: list[str] = []
        yield said
        self.show(f"  ✓ {name:<12} {'; '.join(said)} ({time.perf_counter() - started:.1f} s)")

    def failed(self, reason: str) -> None:
        self.show(f"  ✗ {self.step_name:<12} {reason}. To finish: `{self.again}`. (Details: .setup.log)", error=True)

    def finished(self) -> None:
        self.show("\nReady. What to type next:")
        here = os.path.relpath(self.root, os.environ.get("PWD", self.root))
        if here != ".":
            self.show(f"  cd {here}")
        self.show(f"  {self.python} dev     the API, with its documentation on http://127.0.0.1:8000/docs")
        self.show("  make test    the tests" if self.python == "make" else "  pytest       the tests")


# ------------------------------------------------------------------------------------------------- child processes


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def log(root: Path, text: str) -> None:
    """Keep details for whoever looks for them. A full disk must not hide the failure that they are about."""
    with contextlib.suppress(OSError), (root / ".setup.log").open("a", encoding="utf-8", errors="replace") as file:
        file.write(text.rstrip("\n") + "\n")


def run(root: Path, *command: str | Path, env: dict[str, str] | None = None, secret: bool = False) -> str:
    """Run a command in the project and return what it prints; raise SetupError with its reason when it fails.

    What is secret stays out of the log.
    """
    arguments = [str(part) for part in command]
    log(root, "$ " + " ".join(arguments))
    try:
        done = subprocess.run(
            arguments,
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SetupError(f"cannot run {arguments[0]}: {error.strerror}") from error
    if done.returncode or not secret:
        log(root, done.stdout)
    if done.returncode:
        raise SetupError(culprit(done.stdout) or f"{arguments[0]} ended with {done.returncode}", done.stdout)
    return done.stdout.strip()


def culprit(output: str) -> str:
    """The one line of a failed command's output that says why: its first error and the deepest cause, or its last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"error: ", line, re.IGNORECASE)]
    causes = [line for line in lines if re.match(r"(caused by|cause): ", line, re.IGNORECASE)]
    reason = " <- ".join(line.split(": ", 1)[1] for line in errors[:1] + causes[-1:]) or "".join(lines[-1:])
    return reason.rstrip(".")


# -------------------------------------------------------------------------------------------------- .env and git


def quoted(value: str) -> str:
    """A value as python-dotenv reads it back unchanged. `${` would name a variable; `${:-$}` stands for its dollar."""
    if re.fullmatch(r"[\w.:/@%?&=+,~-]*", value, re.ASCII):
        return value
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("${", "${:-$}{")
    return f'"{escaped}"'


def fill(example: str, values: dict[str, str]) -> str:
    """The text of `.env.example` with these settings given; every other line stays as it is."""
    for name, value in values.items():
        line = f"{name}={quoted(value)}".replace("\\", r"\\")
        example, found = re.subn(rf"^{name}=.*$", line, example, count=1, flags=re.MULTILINE)
        if not found:
            raise SetupError(f".env.example has no line that begins with {name}=")
    return example


def checked(url: str, source: str) -> str:
    """The URL itself, if it is one of PostgreSQL. Messages never hold the URL: there is a password in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SetupError(f"{DATABASE_URL} in {source} is no URL; percent-encode what is special in it") from error
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", parts.scheme) or "://" not in url:
        raise SetupError(f"{DATABASE_URL} in {source} is not for PostgreSQL: it must begin with postgresql://")
    if not url.isprintable():
        raise SetupError(f"{DATABASE_URL} in {source} holds a control character")
    return url


def create_env(root: Path) -> str:
    """Write `.env` with fresh secrets unless there is one. Nobody but its owner can read it, at no moment."""
    given = os.environ.get(DATABASE_URL)
    if given:
        checked(given, "the environment")
    env = root / ".env"
    if env.exists():
        if given and f"{DATABASE_URL}={quoted(given)}" not in env.read_text(encoding="utf-8").splitlines():
            return f"kept; it names another database, but {DATABASE_URL} of the environment wins for this run"
        return "kept as it is"
    example = (root / ".env.example").read_text(encoding="utf-8")
    values = {"SECRET_KEY": secrets.token_urlsafe(48), DATABASE_URL: given or embedded_url(example)}
    text = fill(example, values)
    handle = os.open(env, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except BaseException:
        env.unlink()  # half a file would be kept by the next run
        raise
    return "made with fresh secrets" + (f" and {DATABASE_URL} of the environment" if given else "")


def embedded_url(example: str) -> str:
    from tools.embedded_postgres import new_database_url  # noqa: PLC0415  # newer syntax than this file's

    line = re.search(rf"^{DATABASE_URL}=(.*)$", example, re.MULTILINE)
    if line is None:
        raise SetupError(f".env.example has no line that begins with {DATABASE_URL}=")
    return new_database_url(urlsplit(line[1]).path.lstrip("/"))


def create_repository(root: Path) -> str:
    """Run `git init` unless a repository is there or around; never commit. Without git, the project is as good."""
    if any((directory / ".git").exists() for directory in (root, *root.parents)):
        return "there already"
    if not shutil.which("git"):
        return "not installed; skipped"
    # Inside a git hook these name the repository of the hook.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    run(root, "git", "init", "--quiet", env=clean)
    run(root, "git", "symbolic-ref", "HEAD", "refs/heads/main", env=clean)  # every version of git can do that
    return "repository made, branch main, nothing committed"


# ------------------------------------------------------------------------------------------------------ environment


def create_environment(root: Path) -> str:
    """Have in `.venv` what requirements-dev.txt lists, by uv if it can be had.

    The last thing written is a stamp of what was installed and where: an environment without the right one is half
    made, outdated, moved or broken, and is made anew.
    """
    venv, requirements = root / ".venv", root / "requirements-dev.txt"
    python, stamp = venv_python(venv), venv / "installed.txt"
    wanted = f"{hashlib.sha256(requirements.read_bytes()).hexdigest()} {venv}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == f"{wanted} {version_of(python)}":
        return ".venv is current"
    uv = shutil.which("uv")
    if uv is None and importlib.util.find_spec("ensurepip") is None:
        minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(f"this Python has no ensurepip: install uv, or python{minor}-venv (Debian, Ubuntu)")
    # The Python that this one was made from: an environment cannot be made anew while it runs the making.
    base = getattr(sys, "_base_executable", None) or sys.executable
    run(root, base, "-m", "venv", "--clear", *(["--without-pip"] if uv else []), venv)
    try:
        by = install(root, python, requirements, uv)
    except SetupError as error:
        if no_network(error):
            raise SetupError(f"packages cannot be fetched; is there a network? ({error})") from error
        raise
    stamp.write_text(f"{wanted} {version_of(python)}", encoding="utf-8")
    return f".venv made by {by}"


def version_of(python: Path) -> str | None:
    """The version of Python that answers there; None when none does."""
    try:
        answer = subprocess.run([python, "-V"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def install(root: Path, python: Path, requirements: Path, uv: str | None) -> str:
    """Install with uv: the given one, or one that pip puts into the environment; with pip when that fails."""
    arguments = ["--require-hashes", "-r", str(requirements)]
    if uv:
        run(root, uv, "pip", "install", "--python", python, *arguments, env=uv_environment(root, uv))
        return "uv"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    try:
        run(root, *pip, "--retries", "1", "uv")
        run(root, python, "-m", "uv", "pip", "install", "--python", python, *arguments)
    except SetupError:
        run(root, *pip, *arguments)
        return "pip"
    return "uv, which pip has put there"


def uv_environment(root: Path, uv: str) -> dict[str, str]:
    """The environment for uv: without its cache where that cannot be written, as in a read-only home."""
    try:
        cache = Path(run(root, uv, "cache", "dir"))
        cache.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
    except (OSError, SetupError):
        return {**os.environ, "UV_NO_CACHE": "1"}
    return dict(os.environ)


def no_network(error: SetupError) -> bool:
    return (
        re.search(r"NewConnectionError|Failed to fetch|network was disabled|from versions: none", error.output)
        is not None
    )


# --------------------------------------------------------------------------------------------------------- database


def database_url(root: Path, python: Path) -> tuple[str, str]:
    """The URL that the application will use, and where it comes from."""
    given = os.environ.get(DATABASE_URL)
    if given:
        return given, "the environment"
    # As the application reads it: with the library that reads it there.
    program = f"import dotenv; print(dotenv.dotenv_values('.env').get('{DATABASE_URL}') or '')"
    return checked(run(root, python, "-c", program, secret=True), ".env"), ".env"


@contextlib.contextmanager
def database(root: Path, python: Path) -> Iterator[str]:
    """Keep the embedded PostgreSQL running for as long as the block does; another server is left to its owner."""
    from tools.embedded_postgres import is_embedded  # noqa: PLC0415  # newer syntax than this file's

    url, source = database_url(root, python)
    if not is_embedded(url):
        parts = urlsplit(url)
        yield f"{parts.hostname or 'local socket'}:{parts.port or 5432}{parts.path}, as {source} says"
        return
    server = subprocess.Popen(
        [python, "-m", "tools.embedded_postgres"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        assert server.stdout  # noqa: S101  # for mypy: it is a pipe
        ready = server.stdout.readline().strip()
        if not ready:
            _, errors = server.communicate()
            log(root, errors)
            raise SetupError(culprit(errors) or "the embedded PostgreSQL did not start")
        yield ready
    finally:
        server.terminate()
        server.communicate()


# ------------------------------------------------------------------------------------------------------- the whole


def set_up(root: Path, report: Report) -> None:
    with report.step(".env") as said:
        said.append(create_env(root))
    with report.step("git") as said:
        said.append(create_repository(root))
    with report.step("environment") as said:
        said.append(create_environment(root))
    python = venv_python(root / ".venv")
    with contextlib.ExitStack() as stack:
        with report.step("database") as said:
            said.append(stack.enter_context(database(root, python)))
        with report.step("migrations") as said:
            said.append(run(root, python, "-m", "app", "migrate") or "the tables are up to date")


def main() -> int:
    report = Report(ROOT)
    if sys.version_info < (3, 11):  # noqa: UP036  # this is the line that says so
        version = ".".join(map(str, sys.version_info[:3]))
        way = "`make setup` (or `python3.11 tools/setup.py`)"
        report.show(f"  ✗ Python {version} is too old: install Python 3.11 or newer, then run {way}", error=True)
        return 1
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)  # ends as Ctrl-C does
    with contextlib.suppress(OSError):
        (ROOT / ".setup.log").unlink()
    try:
        set_up(ROOT, report)
    except SetupError as error:
        report.failed(str(error))
    except OSError as error:
        report.failed(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except KeyboardInterrupt:
        report.failed("interrupted")
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets one line and the rest is in the log
        log(ROOT, traceback.format_exc())
        report.failed(f"{type(error).__name__}: {error}")
    else:
        report.finished()
        return 0
    return 1


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # for `tools` as a package, and nothing in tools/ as a module of its own
    sys.exit(main())
