"""How much of a request is SQL, and which statements are slow. Without values: those are hashes, addresses."""

import time
from contextvars import ContextVar
from typing import Any, Final

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

_LONGEST: Final = 2_000  # characters of a statement in the logs

log = structlog.get_logger("app.sql")


class SqlUse:
    """What a request has asked of the database so far."""

    __slots__ = ("seconds", "statements")

    def __init__(self) -> None:
        self.statements = 0
        self.seconds = 0.0


_current: ContextVar[SqlUse | None] = ContextVar("sql_use", default=None)


def measured() -> SqlUse:
    """From now on, what the statements of this request take is added here."""
    use = SqlUse()
    _current.set(use)
    return use


def note(statement: str, seconds: float, slow: float) -> None:
    """Count a statement, and log it if it took `slow` seconds or more; 0 is never."""
    if use := _current.get():
        use.statements += 1
        use.seconds += seconds
    if slow and seconds >= slow:
        text = " ".join(statement.split())[:_LONGEST]
        log.warning("slow_statement", statement=text, milliseconds=round(seconds * 1000, 1))


def install(engine: Engine, slow: float) -> None:
    """Note each statement of the engine, until its rows are here.

    One that fails counts too: the slowest of all are those that a time limit ended.
    """

    def begin(
        _connection: object, _cursor: object, _statement: str, _values: object, context: Any, _many: bool
    ) -> None:
        context._began = time.perf_counter()  # noqa: SLF001  # ours: SQLAlchemy offers no other place that lives as long

    def end(_connection: object, _cursor: object, statement: str, _values: object, context: Any, _many: bool) -> None:
        done(statement, context)

    def fail(failure: ExceptionContext) -> None:
        if failure.execution_context is not None and failure.statement is not None:
            done(failure.statement, failure.execution_context)

    def done(statement: str, context: Any) -> None:
        began = getattr(context, "_began", None)
        if began is not None:  # else it failed before it was sent
            note(statement, time.perf_counter() - began, slow)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)
