"""A run as a page and a picture for the README."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results import BY_NAME, HEAD, lines, rest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from results import Results

WIDTH, LEFT, RIGHT = 760, 230, 130
BAR, GAP, TOP = 13, 16, 64
# GitHub shows pages dark or light; a picture follows by itself.
STYLE = """\
text { font: 13px -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.note { fill: #59636e; font-size: 12px }
.limit { fill: #eaeef2 } .ours { fill: #1a7f64 } .textbook { fill: #9a6700; opacity: .75 }
.floor { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } .limit { fill: #2a313c } .ours { fill: #2ea88a }
  .textbook { fill: #d29922 } .floor { stroke: #ff7b72 }
}"""


def write(results: Results, docs: Path) -> None:
    """Write `speed.md` and `pictures/speed.svg` into the directory."""
    (docs / "pictures").mkdir(parents=True, exist_ok=True)
    (docs / "pictures" / "speed.svg").write_text(chart(results), encoding="utf-8")
    (docs / "speed.md").write_text("\n".join(page(results)) + "\n", encoding="utf-8")


INTRODUCTION = """\
# Speed

Written by `python benchmarks/speed.py PROJECT --write`: one worker each, 16 connections, the same rows of the same
database, in turns, after a second that does not count. The limit is bare ASGI and asyncpg; the textbook is FastAPI as
tutorials write it; ours is the project as production runs it, with authentication, logs and request ids. The ratios are
what to compare: machines differ.
"""


def page(results: Results) -> Iterator[str]:
    yield INTRODUCTION
    yield "![Requests per second, as a share of the limit](pictures/speed.svg)"
    yield ""
    yield from summary(results)
    yield ""
    yield "## In full"
    yield ""
    yield f"{results.machine}. Medians of the rounds."
    yield ""
    yield HEAD
    for kind in results.samples:
        yield from lines(results, BY_NAME[kind])
    yield ""
    yield from rest(results)


def summary(results: Results) -> Iterator[str]:
    """One row for each kind of request."""
    yield "| request | req/s | p50 ms | p99 ms | of the limit | times the textbook |"
    yield "|---|---:|---:|---:|---:|---:|"
    for kind, samples in results.samples.items():
        seen = results.middle(kind, "ours")
        limit = f"{results.ratio(kind, 'limit'):.2f}" if "limit" in samples else ""
        textbook = f"{results.ratio(kind, 'textbook'):.1f}" if "textbook" in samples else ""
        figures = f"{seen.per_second:,.0f} | {seen.p50:.1f} | {seen.p99:.1f} | {limit} | {textbook}"
        yield f"| {BY_NAME[kind].title} | {figures} |"


def chart(results: Results) -> str:
    """Bars: of what the limit answers in a second, how much the others do."""
    kinds = [kind for kind, samples in results.samples.items() if "limit" in samples]
    body = "\n".join(part for place, kind in enumerate(kinds) for part in _bars(results, kind, place))
    height = TOP + len(kinds) * (2 * BAR + GAP) + 34
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">
<title>Requests per second, as a share of the limit</title>
<style>
{STYLE}
</style>
<text class="title" x="0" y="18">Requests per second, as a share of the limit (bare ASGI and asyncpg)</text>
<rect class="ours" x="0" y="32" width="{BAR}" height="{BAR}"/><text x="20" y="43">this template</text>
<rect class="textbook" x="130" y="32" width="{BAR}" height="{BAR}"/><text x="150" y="43">FastAPI as in tutorials</text>
<line class="floor" x1="321" x2="321" y1="32" y2="{32 + BAR}"/><text x="330" y="43">target</text>
{body}
<text class="note" x="0" y="{height - 10}">{results.machine}; one worker, 16 connections, in turns</text>
</svg>
"""


def _bars(results: Results, kind: str, place: int) -> Iterator[str]:
    full = WIDTH - LEFT - RIGHT
    top = TOP + place * (2 * BAR + GAP)
    yield f'<text x="0" y="{top + BAR + 4}">{BY_NAME[kind].title}</text>'
    yield f'<rect class="limit" x="{LEFT}" y="{top}" width="{full}" height="{2 * BAR}"/>'
    shares = {"ours": results.ratio(kind, "limit")}
    if "textbook" in results.samples[kind]:
        shares["textbook"] = shares["ours"] / results.ratio(kind, "textbook")
    for row, (name, share) in enumerate(shares.items()):
        y = top + row * BAR
        width = min(share, 1) * full
        per_second = results.middle(kind, name).per_second
        yield f'<rect class="{name}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}"/>'
        yield f'<text class="note" x="{LEFT + full + 8}" y="{y + 11}">{share:.0%}, {per_second:,.0f}/s</text>'
    if floor := BY_NAME[kind].floors.get("limit"):
        x = LEFT + floor * full
        yield f'<line class="floor" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 3}" y2="{top + BAR}"/>'
