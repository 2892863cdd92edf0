"""What processes take, as Linux tells it in /proc."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _fields(pid: int | str) -> list[str]:
    """Of /proc/PID/stat, from the state on: the name before it may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # it has ended
        return []


def parent(pid: int) -> int:
    return int(_fields(pid)[1])


def family(pid: int) -> list[int]:
    """The process and its children."""
    others = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]  # noqa: PTH208  # names are enough
    return [pid, *(other for other in others if _fields(other)[1:2] == [str(pid)])]


def cpu(pid: int) -> float:
    """Seconds of CPU that the process and its children have had, with those children that have ended."""
    own = [int(ticks) for ticks in _fields(pid)[11:15]]
    children = [int(ticks) for child in family(pid)[1:] for ticks in _fields(child)[11:13]]
    return sum(own + children) / TICKS


def memory(pid: int) -> float:
    """MiB that the process and its children hold."""
    return sum(int(_fields(one)[21]) for one in family(pid)) * PAGE / 2**20


def is_postgres(pid: int) -> bool:
    try:
        return "postgres" in Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
    except OSError:
        return False
