"""What processes take, as Linux tells it in /proc; elsewhere nothing is known of it, and 0."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int | None) -> float:
    """Seconds of CPU that the process and its children have had, those children included that have ended."""
    if pid is None or not (own := _fields(pid)):
        return 0.0
    children = [ticks for child in _children(pid) for ticks in _fields(child)[11:13]]
    return sum(map(int, own[11:15] + children)) / TICKS


def memory(pid: int) -> float:
    """MiB that the process and its children hold."""
    return sum(int(page) for one in (pid, *_children(pid)) for page in _fields(one)[21:22]) * PAGE / 2**20


def parent(pid: int) -> int:
    return int(_fields(pid)[1])


def name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    if not PROC.is_dir():
        return []
    others = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
    return [other for other in others if _fields(other)[1:2] == [str(pid)]]


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on: the name before it may hold anything. None of a process that has ended."""
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
