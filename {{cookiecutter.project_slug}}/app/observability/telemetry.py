"""Traces and metrics for OpenTelemetry, if OTEL_EXPORTER_OTLP_ENDPOINT says where to send them.

FastAPI makes a span of each request and measures it, by the API of OpenTelemetry that it brings along. Here is what it
leaves to the application: where all this goes, statements, and whatever else takes time. The other variables of the
standard (OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES, …) its SDK reads by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import structlog
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from structlog.typing import EventDict, WrappedLogger

from app.config import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

_LONGEST: Final = 5.0  # seconds that the end of the process waits for what was not sent yet

_UNTRACED: Final = nullcontext()

_tracer = trace.get_tracer("app")
log = structlog.get_logger(__name__)


@asynccontextmanager
async def exporting(settings: Settings) -> AsyncIterator[None]:
    """Send what is traced and measured while the block runs. A collector that does not answer is no reason to fail."""
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    providers = _providers(settings)
    try:
        yield
    finally:
        ends = [asyncio.to_thread(provider.shutdown, *arguments) for provider, arguments in providers]
        await asyncio.gather(*ends)


def _providers(settings: Settings) -> list[tuple[Any, tuple[float, ...]]]:
    # The SDK takes a while to load, and most do not need it.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    endpoint = settings.otel_exporter_otlp_endpoint
    ours = {"service.name": settings.app_name, "service.instance.id": uuid4().hex}
    resource = Resource.create(ours).merge(OTELResourceDetector().detect())  # what the environment says is preferred
    tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracing.add_span_processor(_without_query())
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_LONGEST)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=_LONGEST))
    measuring = MeterProvider(resource=resource, metric_readers=[reader], shutdown_on_exit=False)
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(measuring)
    return [(tracing, ()), (measuring, (_LONGEST * 1000,))]


def _without_query() -> "SpanProcessor":
    from opentelemetry.sdk.trace import Span, SpanProcessor  # noqa: PLC0415  # as above

    class WithoutQuery(SpanProcessor):
        """Addresses may carry what nobody should see; the logs leave their queries out too."""

        def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK names it
            if span.attributes and "url.query" in span.attributes:
                span.set_attribute("url.query", "[hidden]")

    return WithoutQuery()


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """The block as a part of what is traced: a call of another system."""
    with _tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as this:
        try:
            yield
        except Exception as error:
            this.set_attribute("error.type", type(error).__qualname__)
            this.set_status(StatusCode.ERROR)
            raise


def note_request_id(request_id: str) -> None:
    """Have the span of this request name the id that the client and the logs know."""
    trace.get_current_span().set_attribute("request_id", request_id)


def name_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Have a line of the log name the trace and the span that it was written in."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event.update({"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"})
    return event


def statement(sql: str) -> AbstractContextManager[None]:
    """The block as a statement that is part of something that is traced: its SQL, without values."""
    return _statement(sql) if trace.get_current_span().get_span_context().is_valid else _UNTRACED


@contextmanager
def _statement(sql: str) -> Iterator[None]:
    this = _started(sql)
    try:
        yield
    except BaseException as error:
        _fail(this, error)
        raise
    finally:
        this.end()


def _started(sql: str) -> trace.Span:
    operation = sql.lstrip().partition(" ")[0].upper()
    attributes = {"db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": sql}
    return _tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=attributes)


def _fail(this: trace.Span, error: BaseException | None) -> None:
    this.set_attribute("error.type", str(getattr(error, "sqlstate", None) or type(error).__qualname__))
    this.set_status(StatusCode.ERROR)


def trace_statements(engine: Engine) -> None:
    """The same for each statement of an engine."""

    def begin(_connection: object, _cursor: object, sql: str, _values: object, context: Any, _many: bool) -> None:
        if trace.get_current_span().get_span_context().is_valid:
            context._span = _started(sql)  # noqa: SLF001  # ours

    def end(_connection: object, _cursor: object, _sql: str, _values: object, context: Any, _many: bool) -> None:
        if this := getattr(context, "_span", None):
            this.end()

    def fail(failure: ExceptionContext) -> None:
        if this := getattr(failure.execution_context, "_span", None):
            _fail(this, failure.original_exception)
            this.end()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)
