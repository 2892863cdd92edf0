"""What the commands of this directory have in common: how they begin, and how they end before their time."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def positive(text: str) -> int:
    """A number of rounds, seconds or runs, as argparse reads it."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def carry_out(main: Callable[[], None]) -> None:
    """Run a command so that all it has started is stopped, whatever ends it."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # there are terminals without ≥
    try:
        main()
    except BrokenPipeError:
        # What is still to be written goes nowhere: Python would fail once more with it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit("Stopped: nobody reads what this prints")


def carry_out_on_project(run: Callable[[Path], None], description: str | None) -> None:
    """The same for a command that is told a project and nothing else."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("project", type=Path)
    carry_out(lambda: run(parser.parse_args().project))


def stop(*_: object) -> None:
    """End the command. A second signal does not interrupt the stop that the first has begun."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit("Stopped")
