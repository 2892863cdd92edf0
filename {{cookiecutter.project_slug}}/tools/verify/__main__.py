"""`python -m tools.verify`: measures, prints one table, and exits with 1 if the project should not be deployed."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from app.config import get_settings
from tools.embedded_postgres import EmbeddedPostgresError, serving
from tools.verify.lines import BAR, LINES
from tools.verify.measuring import Measuring, measure
from tools.verify.report import Report


def main() -> int:
    """0 if the project is accepted, 1 if it is refused, 2 if nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.verify",
        description=f"Measures, and refuses what scores under {BAR} of 100 or fails where it must not.",
        epilog="\n".join(f"  {line.name:<9} {line.points:>2}  {line.what}" for line in LINES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [line.name for line in LINES]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="LINE", help="some of the lines")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and the progress to stderr")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the result as a page, too")
    asked = parser.parse_args()
    settings = get_settings()
    try:
        with serving(settings.dsn):
            report = _measured(frozenset(asked.only), Console(stderr=asked.json))
    except EmbeddedPostgresError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.html:
        asked.html.parent.mkdir(parents=True, exist_ok=True)
        asked.html.write_text(report.as_html(f"{settings.app_name}: quality gate"), encoding="utf-8")
    if asked.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        report.show(Console())
    return 0 if report.accepted else 1


def _measured(names: frozenset[str], console: Console) -> Report:
    """Line by line, each said when it is known: together they take minutes."""
    found = []
    with Measuring(get_settings(), names) as measuring:
        for line in LINES:
            if line.name in names:
                with console.status(f"{line.name}: {line.what}"):
                    found.append(measure(line, measuring))
                sign = "ok" if found[-1].result.share == 1 else "NO"
                console.print(
                    f"{sign} {line.name}: {found[-1].result.said}", markup=False, highlight=False, soft_wrap=True
                )
    return Report(found)


if __name__ == "__main__":
    sys.exit(main())
