"""What a run has found: kept in a file, compared with another one, beside the targets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import TYPE_CHECKING

from kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kinds import Kind

NAMES = {"limit": "the limit", "textbook": "textbook", "empty": "empty route", "first": "page 1", "ours": "**ours**"}
MOST_SPREAD = 3.0  # p99 to p50
MOST_MEMORY = 120.0  # MiB
MOST_START = 0.7  # seconds
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Sample:
    """One load of one server. Times are milliseconds, those of the CPU for each request."""

    per_second: float
    p50: float
    p99: float
    cpu: float
    database_cpu: float


Samples = dict[str, list[Sample]]


@dataclass
class Results:
    """The samples of each kind of request, by what is compared; and what is measured once."""

    machine: str
    samples: dict[str, Samples] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    start: float | None = None

    def middle(self, kind: str, name: str) -> Sample:
        """The median of each figure."""
        seen = self.samples[kind][name]
        return Sample(**{one.name: median(getattr(sample, one.name) for sample in seen) for one in fields(Sample)})

    def ratio(self, kind: str, name: str) -> float:
        """How many times as many requests as of the other are answered: the median of the rounds."""
        pairs = zip(self.samples[kind]["ours"], self.samples[kind][name], strict=True)
        return median(ours.per_second / other.per_second for ours, other in pairs)

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Results:
        """What was saved. Raises `OSError`, `ValueError`, `LookupError`, `TypeError` or `AttributeError` if the file is
        none of ours.
        """
        kept = json.loads(file.read_text(encoding="utf-8"))
        samples = {
            kind: {name: [Sample(**one) for one in seen] for name, seen in by_name.items()}
            for kind, by_name in kept["samples"].items()
        }
        found = cls(kept["machine"], samples, dict(kept["memory"]), kept["start"])
        for kind, by_name in samples.items():
            for name in by_name:
                found.middle(kind, name)  # now, and not after the run that is compared with it
                found.ratio(kind, name)
        return found


HEAD = """\
| request | by | req/s | p50 ms | p99 ms | CPU ms: app | PostgreSQL | ours to it | target |
|---|---|---:|---:|---:|---:|---:|---:|---|"""


def lines(results: Results, kind: Kind) -> Iterator[str]:
    """The table's rows for one kind of request."""
    for name in results.samples[kind.name]:
        seen = results.middle(kind.name, name)
        figures = f"{seen.per_second:.0f} | {seen.p50:.2f} | {seen.p99:.2f} | {seen.cpu:.3f} | {seen.database_cpu:.3f}"
        if name == "ours":
            spread = seen.p99 / seen.p50
            ratio, target = "", f"p99 : p50 = {spread:.1f} {at_most(spread, MOST_SPREAD)}"
        else:
            times = results.ratio(kind.name, name)
            ratio, target = f"{times:.2f}", at_least(times, kind.floors[name]) if name in kind.floors else ""
        yield f"| {kind.title} | {NAMES[name]} | {figures} | {ratio} | {target} |"


def at_least(value: float, least: float) -> str:
    return f"≥ {round(least, 2):g}: {'met' if value >= least else '**missed**'}"


def at_most(value: float, most: float) -> str:
    return f"≤ {most:g}: {'met' if value <= most else '**missed**'}"


def rest(results: Results) -> Iterator[str]:
    """What is not of one kind of request."""
    yield "| | limit | textbook | ours | target |"
    yield "|---|---:|---:|---:|---|"
    if any(results.memory.values()):  # it is known
        held = " | ".join(f"{results.memory[name]:.0f} MiB" for name in ("limit", "textbook", "ours"))
        yield f"| memory of the worker, after the run | {held} | {at_most(results.memory['ours'], MOST_MEMORY)} |"
    if results.start is not None:
        yield f"| `import app.main` | | | {results.start:.2f} s | {at_most(results.start, MOST_START)} |"


def changes(now: Results, before: Results) -> Iterator[str]:
    """Each figure of both runs, and how much more or less it is now."""
    yield f"Before: {before.machine}. Now: {now.machine}."
    yield ""
    yield "| request | by | req/s | p50 ms | p99 ms | CPU ms: app | PostgreSQL | ours to it |"
    yield "|---|---|---|---|---|---|---|---|"
    for kind, samples in now.samples.items():
        for name in samples:
            if name not in before.samples.get(kind, {}):
                continue
            new, old = (asdict(one.middle(kind, name)) for one in (now, before))
            figures = [_change(old[key], new[key]) for key in new]
            figures.append("" if name == "ours" else _change(before.ratio(kind, name), now.ratio(kind, name)))
            yield f"| {BY_NAME[kind].title} | {NAMES[name]} | {' | '.join(figures)} |"
    for name in (name for name in now.memory if name in before.memory):
        yield f"| memory, MiB | {NAMES[name]} | {_change(before.memory[name], now.memory[name])} | | | | | |"
    if now.start is not None and before.start is not None:
        yield f"| `import app.main`, s | {NAMES['ours']} | {_change(before.start, now.start)} | | | | | |"


def _change(old: float, new: float) -> str:
    change = f" ({(new / old - 1) * 100:+.0f} %)" if old else ""
    return f"{_short(old)} → {_short(new)}{change}"


def _short(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"  # noqa: PLR2004  # three digits say enough
