"""What a line of the gate is, and what it can use."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from app.config import Settings
from tools.verify.boot import Boot
from tools.verify.commands import last_line, run
from tools.verify.databases import scratch_database
from tools.verify.suite import Suite


@dataclass(frozen=True)
class Result:
    """What was found: the share of the line's points, a line to say, and what names the culprits."""

    share: float
    said: str
    details: str = ""


def passed(said: str) -> Result:
    """Every point."""
    return Result(1, said)


def failed(said: str, details: str = "") -> Result:
    """No point."""
    return Result(0, said, details)


class Measuring:
    """One run of the gate. What several lines need is made once; what was made is taken away at the end."""

    def __init__(self, settings: Settings, lines: frozenset[str]) -> None:
        self.settings = settings
        self._lines = lines
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @cached_property
    def directory(self) -> Path:
        """A place for files."""
        # The owner of the path may be somebody else's; the name is resolved for macOS, where /tmp is a link.
        return Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="verify-"))).resolve()

    @cached_property
    def suite(self) -> Suite:
        """The tests, which run once for all the lines that look at them."""
        return Suite.run(self.directory, self._lines)

    @cached_property
    def boot(self) -> Boot:
        """The application as it would be deployed, which is started once."""
        with self.database() as dsn:
            return Boot.run(self.directory, dsn)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new, empty database beside that of the settings."""
        with scratch_database(self.settings.dsn) as dsn:
            yield dsn


@dataclass(frozen=True)
class Line:
    """One line of the table. One that is critical refuses alone, whatever the score."""

    name: str
    what: str
    points: int
    measure: Callable[[Measuring], Result]
    critical: bool = False


@dataclass(frozen=True)
class Measured:
    """A line with what was found."""

    line: Line
    result: Result
    seconds: float

    @property
    def refuses(self) -> bool:
        """Whether it is reason enough to refuse."""
        return self.line.critical and self.result.share < 1


def measure(line: Line, measuring: Measuring) -> Measured:
    """Measure one line. What goes wrong with the measuring itself is a failure of the line: nothing was shown."""
    started = time.perf_counter()
    try:
        result = line.measure(measuring)
    except Exception as error:  # noqa: BLE001  # whatever it is, the other lines are worth knowing
        result = failed(f"could not be measured: {error or type(error).__name__}")
    return Measured(line, result, time.perf_counter() - started)


def by_command(*command: str | Path, good: str) -> Callable[[Measuring], Result]:
    """A line that a command decides by its exit code."""

    def measure_it(_measuring: Measuring) -> Result:
        done = run(*command)
        return passed(good) if done.code == 0 else failed(last_line(done.output), done.output)

    return measure_it
