"""Structured logs: for people in development, JSON lines elsewhere. Libraries' records take the same way out."""

import json
import logging
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor, WrappedLogger

from app.config import Settings
from app.observability import sentry, telemetry

_SECRET = re.compile(r"password|secret|token|authorization|cookie|dsn|database_url", re.IGNORECASE)


def describe(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Say how grave it is, who says so, and when."""
    record = event.get("_record")  # of a library
    event["level"] = _LEVELS.get(method, method)
    event["logger"] = record.name if record else logger.name
    event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return event


_LEVELS: Final = {"exception": "error", "warn": "warning"}


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide the values of whatever is named like a secret."""
    return {key: "[hidden]" if _is_secret(key) else value for key, value in event.items()}


@lru_cache(maxsize=1_000)  # the same names again and again
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """In ASCII, which every terminal knows. Of an object Pydantic would write more than it says of itself."""
    with suppress(ValueError):  # half a character: the standard library writes it all the same
        if _PLAIN.issuperset(map(type, event.values())):
            return to_json(event, ensure_ascii=True).decode()
    return json.dumps(event, default=repr)


_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class _Lines:
    """Where structlog's lines go, by itself: the way through the standard library's records takes twice the time."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        # In one piece, for there may be threads; and by its name, for whoever puts another in its place. A disk that is
        # full, a reader that is gone or a character that a terminal does not know is no reason for a request to fail.
        with suppress(OSError, ValueError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    debug = info = warning = error = critical = msg


# One list for good: loggers remember it from their first line on.
_processors: Final[list[Processor]] = []


def configure(settings: Settings) -> None:
    """Send every log record of this process to stdout, in the form that the environment asks for."""
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, describe, redact]
    if settings.otel_exporter_otlp_endpoint:
        shared.append(telemetry.name_trace)
    sentry.start(settings)
    shared.append(sentry.report)
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if settings.environment == "development"
        else [structlog.processors.format_exc_info, _as_json]
    )
    level = logging.DEBUG if settings.debug else logging.INFO
    _processors[:] = [*shared, *renderer]
    structlog.configure(
        processors=_processors,
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    _quieten()


def _quieten() -> None:
    """Let uvicorn's records come this way too, and leave its access log out: the application writes a better one."""
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False
    of_themselves = ("asyncio", "passlib", "alembic.runtime.plugins", "app.database.engine.Pool")
    for name in of_themselves:
        logging.getLogger(name).setLevel(logging.WARNING)
