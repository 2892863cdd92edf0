"""Errors that nobody foresaw, told to Sentry if SENTRY_DSN says where it is.

One rule says which: what is logged as an error with a traceback. So what is answered with 4xx or 503 is none of them. A
report says where it happened, never with what: no request, no variables, of the message only the first line, because
PostgreSQL and Pydantic show values in those that follow.
"""

import sys
from typing import TYPE_CHECKING, Any, Final

from structlog.typing import EventDict, WrappedLogger

from app.config import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_LONGEST: Final = 2.0  # seconds that the end of the process waits for what was not sent yet
_REPORTED: Final = {"error", "critical"}


def start(settings: Settings) -> None:
    """Report from now on, or no more, as the settings say."""
    if settings.sentry_dsn is None and "sentry_sdk" not in sys.modules:
        return  # it takes a while to load, and most need not
    import sentry_sdk  # noqa: PLC0415
    from sentry_sdk.integrations.dedupe import DedupeIntegration  # noqa: PLC0415

    secrets = _secrets(settings)

    def without_secrets(event: "Event", _hint: "Hint") -> "Event":
        for part in event.get("exception", {}).get("values", []):
            part["value"] = _first_line(str(part.get("value") or ""), secrets)
        return event

    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None,
        environment=settings.environment,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        # They would patch the framework to see requests and who sends them; here the logs are what reports. What
        # send_default_pii stood for is off unless told otherwise (the name itself is deprecated).
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[DedupeIntegration()],
        before_send=without_secrets,
    )


def report(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Pass every line of the log on, and report it if that is asked for."""
    if event.get("level") in _REPORTED and (sentry := sys.modules.get("sentry_sdk")):
        error = _error(event.get("exc_info"))
        if error is not None:
            with sentry.new_scope() as scope:
                scope.set_tags({name: event[name] for name in ("event", "request_id", "trace_id") if name in event})
                scope.capture_exception(error)
    return event


def flush() -> None:
    """Send what was not sent yet."""
    if sentry := sys.modules.get("sentry_sdk"):
        sentry.flush(timeout=_LONGEST)


def _error(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if exc_info is True:
        return sys.exc_info()[1]
    return exc_info[1] if isinstance(exc_info, tuple) else None


def _secrets(settings: Settings) -> list[str]:
    """What must not be in any report, wherever it comes from: the longest first, as one may be part of another."""
    values = [value.get_secret_value() for _, value in settings if hasattr(value, "get_secret_value")]
    return sorted(filter(None, values), key=len, reverse=True)


def _first_line(message: str, secrets: list[str]) -> str:
    line = message.partition("\n")[0]
    for secret in secrets:
        line = line.replace(secret, "[hidden]")
    return line
