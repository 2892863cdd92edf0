"""Lines about the migrations, each tried on an empty database."""

import json
import os

from tools.verify.commands import Done, last_line, run
from tools.verify.measuring import Measuring, Result, failed, passed


def measure_drift(measuring: Measuring) -> Result:
    """Whether the migrations make what the models say."""
    with measuring.database() as dsn:
        for command in (("upgrade", "head"), ("check",)):
            done = _alembic(dsn, *command)
            if done.code:
                return failed(last_line(done.output), done.output)
    return passed("the migrations make what the models say")


def measure_there_and_back(measuring: Measuring) -> Result:
    """Whether every migration can be taken back, leaves nothing behind, and goes up again."""
    with measuring.database() as dsn:
        for command in (("upgrade", "head"), ("downgrade", "base")):
            done = _alembic(dsn, *command)
            if done.code:
                return failed(last_line(done.output), done.output)
        left = run("tools.verify.leftovers", env=_on(dsn)).output
        if left:
            return failed(f"after the way down there is still {', '.join(left.splitlines())}", left)
        again = _alembic(dsn, "upgrade", "head")
        return failed(last_line(again.output), again.output) if again.code else passed("up, down and up again")


def measure_locks(measuring: Measuring) -> Result:
    """Whether a migration keeps others from a table for as long as it takes to read all of it."""
    with measuring.database() as dsn:
        done = run("tools.verify.locks", env=_on(dsn))
    if done.code:
        return failed(last_line(done.output), done.output)
    found = json.loads(done.output)
    if not found:
        return passed("none holds a table while it reads all of its rows")
    named = [f"{one['revision']}: {one['said']}\n    {one['statement']}" for one in found]
    return failed(named[0].splitlines()[0], "\n".join(named))


def _alembic(dsn: str, *command: str) -> Done:
    return run("alembic", *command, env=_on(dsn))


def _on(dsn: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": dsn}
