"""The result of the gate: as a table, as JSON, as a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from rich.console import Console
from rich.markup import escape as plain
from rich.table import Table

from tools.verify.lines import BAR
from tools.verify.measuring import Measured

_MOST_LINES: Final = 15


@dataclass(frozen=True)
class Report:
    """All that was measured."""

    measured: Sequence[Measured]

    @property
    def score(self) -> float:
        """Points out of 100 for the lines that were measured."""
        earned = sum(one.line.points * one.result.share for one in self.measured)
        return 100 * earned / sum(one.line.points for one in self.measured)

    @property
    def refusals(self) -> list[str]:
        """Critical lines that have failed."""
        return [one.line.name for one in self.measured if one.refuses]

    @property
    def accepted(self) -> bool:
        """Whether the project may go on."""
        return self.score >= BAR and not self.refusals

    @property
    def verdict(self) -> str:
        """One sentence."""
        score = f"{self.score:.0f} of 100"
        if self.refusals:
            return f"Refused: {score}, and {', '.join(self.refusals)} must not fail."
        return f"Accepted: {score}." if self.accepted else f"Refused: {score}, and {BAR} is the least."

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "score": round(self.score, 1),
            "accepted": self.accepted,
            "refusals": self.refusals,
            "lines": [
                {
                    "name": one.line.name,
                    "what": one.line.what,
                    "critical": one.line.critical,
                    "points": one.line.points,
                    "earned": round(one.line.points * one.result.share, 1),
                    "said": one.result.said,
                    "details": one.result.details,
                    "seconds": round(one.seconds, 1),
                }
                for one in self.measured
            ],
        }

    def show(self, console: Console) -> None:
        """For people at a terminal: the table, and the details of what has failed."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title, style in (("", ""), ("line", "bold"), ("points", ""), ("measured", ""), ("s", "dim")):
            table.add_column(title, style=style, justify="right" if title in {"points", "s"} else "left")
        for one in self.measured:
            earned = f"{one.line.points * one.result.share:.3g}/{one.line.points}"
            table.add_row(_sign(one), one.line.name, earned, plain(one.result.said), f"{one.seconds:.0f}")
        for one in self.measured:
            if one.result.share < 1 and one.result.details:
                console.print(f"\n[bold]{one.line.name}[/bold]: {one.line.what}")
                console.print(_shortened(one.result.details), markup=False, highlight=False, soft_wrap=True)
        console.print()
        console.print(table)
        console.print(f"\n[bold]{self.verdict}[/bold]")

    def as_html(self, title: str) -> str:
        """A page that stands for itself."""
        rows = "".join(map(_row, self.measured))
        return _PAGE.format(title=escape(title), verdict=escape(self.verdict), rows=rows)


def _sign(one: Measured) -> str:
    if one.result.share == 1:
        return "[green]✓[/green]"
    return "[red]✗[/red]" if one.refuses or one.result.share == 0 else "[yellow]–[/yellow]"  # noqa: RUF001


def _shortened(details: str) -> str:
    lines = details.splitlines()
    more = len(lines) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"… {more} more lines: --json has them"] if more > 0 else [])])


def _row(one: Measured) -> str:
    state = "good" if one.result.share == 1 else "bad"
    details = f"<details><summary>details</summary><pre>{escape(one.result.details)}</pre></details>"
    shown = details if one.result.details and one.result.share < 1 else ""
    critical = " (critical)" if one.line.critical else ""
    return (
        f'<tr class="{state}"><th scope="row">{one.line.name}<small>{escape(one.line.what)}{critical}</small></th>'
        f"<td>{one.line.points * one.result.share:.3g}/{one.line.points}</td>"
        f"<td>{escape(one.result.said)}{shown}</td><td>{one.seconds:.1f} s</td></tr>\n"
    )


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }}
  table {{ border-collapse: collapse; width: 100% }}
  th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem; border-top: 1px solid #8884 }}
  td:nth-child(2), td:last-child {{ text-align: right; white-space: nowrap }}
  small {{ display: block; font-weight: normal; opacity: .7 }}
  .good th {{ box-shadow: inset 4px 0 #2a9d4a }}  .bad th {{ box-shadow: inset 4px 0 #d33 }}
  pre {{ overflow: auto; max-height: 30rem }}
</style></head><body>
<h1>{title}</h1>
<p><strong>{verdict}</strong></p>
<table><thead><tr><th>line</th><td>points</td><th>measured</th><td>time</td></tr></thead>
<tbody>
{rows}</tbody></table>
</body></html>
"""
