"""What CHANGELOG.md says of a version: `python scripts/changelog.py v1.2.3` prints its section, or fails."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def section(changelog: str, version: str) -> str | None:
    """The text under `## 1.2.3`, whatever the line says after the number; None without one, or with nothing in it.

    The version may begin with a v, as tags do.
    """
    heading = rf"^## v?{re.escape(version.removeprefix('v'))}(?![\w.+-])[^\n]*\n"
    found = re.search(heading + r"(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return (found[1].strip() or None) if found else None


def main() -> None:
    (version,) = sys.argv[1:] or sys.exit("Which version? python scripts/changelog.py v1.2.3")
    text = section(CHANGELOG.read_text(encoding="utf-8"), version)
    if text is None:
        sys.exit(f"CHANGELOG.md says nothing of {version}: it wants a section `## {version.removeprefix('v')}`")
    print(text)


if __name__ == "__main__":
    main()
