"""The project's tests, and what the lines of the gate read from their report."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tools.verify.commands import run

# Lines that look at some of the tests. All the others run only where the line `tests` or `coverage` is wanted.
FILES: Final = {
    "access": ("tests/test_access.py",),
    "tenancy": ("tests/test_tenants.py", "tests/tenancy"),
    "fuzz": ("tests/test_contract.py",),
}
_ALL: Final = {"tests", "coverage"}


@dataclass(frozen=True)
class Case:
    """One test: where it is, and how it went."""

    name: str
    outcome: str
    message: str = ""

    @property
    def reason(self) -> str:
        """The first line of what went wrong."""
        return self.message.strip().partition("\n")[0]

    def is_in(self, files: tuple[str, ...]) -> bool:
        """Whether it belongs to these files or folders."""
        modules = (file.removesuffix(".py").replace("/", ".") for file in files)
        return any(self.name.startswith((f"{module}.", f"{module}::")) for module in modules)


@dataclass(frozen=True)
class Suite:
    """A run of the tests."""

    cases: tuple[Case, ...]
    output: str
    coverage: float | None

    @classmethod
    def run(cls, directory: Path, lines: frozenset[str]) -> "Suite":
        """Run the tests that these lines look at."""
        whole = bool(_ALL & lines)
        paths = ["tests"] if whole else [path for name, paths in FILES.items() if name in lines for path in paths]
        report, covered = directory / "tests.xml", directory / "coverage.json"
        measured = ["--cov", f"--cov-report=json:{covered}", "--cov-fail-under=0"] if whole else []
        # Where everything fails, for one reason, a hundred failures are enough to see it.
        options = ("-q", "-n", "auto", "--maxfail=100", f"--junitxml={report}")
        done = run("pytest", *options, *measured, *paths)
        cases = tuple(_cases(report)) if report.exists() else ()
        percent = json.loads(covered.read_text())["totals"]["percent_covered"] if covered.exists() else None
        return cls(cases, done.output, percent)

    def of(self, files: tuple[str, ...]) -> tuple[Case, ...]:
        """The tests of these files and folders."""
        return tuple(case for case in self.cases if case.is_in(files))


def _cases(report: Path) -> Iterator[Case]:
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  # pytest has just written it
        name = f"{case.get('classname')}::{case.get('name')}"
        bad = next((one for one in case if one.tag in {"failure", "error", "skipped"}), None)
        yield Case(name, "passed") if bad is None else Case(name, bad.tag, bad.get("message") or "")


def summary(cases: tuple[Case, ...]) -> str:
    """`2 failure, 40 passed`."""
    counted = Counter(case.outcome for case in cases)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items()))
