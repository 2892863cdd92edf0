"""Structured logs: for people in development, JSON lines elsewhere. Libraries' records take the same way out."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app import sentry, telemetry
from app.config import Settings

_SECRET = re.compile(r"password|secret|token|authorization|cookie|dsn|database_url", re.IGNORECASE)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide the values of whatever is named like a secret."""
    return {key: "[hidden]" if _SECRET.search(key) else value for key, value in event.items()}


def configure(settings: Settings) -> None:
    """Send every log record of this process to stdout, in the form that the environment asks for."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    if settings.otel_exporter_otlp_endpoint:
        shared.append(telemetry.name_trace)
    sentry.start(settings)
    shared.append(sentry.report)
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if settings.environment == "development"
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
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
    root.setLevel(logging.DEBUG if settings.debug else logging.INFO)
    _quieten()


def _quieten() -> None:
    """Let uvicorn's records come this way too, and leave its access log out: `app.middleware` writes a better one."""
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False
    for name in ("asyncio", "passlib", "alembic.runtime.plugins", "app.engine.Pool"):  # they tell of themselves
        logging.getLogger(name).setLevel(logging.WARNING)
