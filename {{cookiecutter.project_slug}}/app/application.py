"""The application, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from app import contract, discovery, problems
from app.config import Settings
from app.database.database import Database, open_database
from app.middleware import plain_reads
from app.middleware.body_limit import BodyLimit
from app.middleware.head import Head
from app.middleware.proxies import ProxyHeaders
from app.middleware.request_context import RequestContext
from app.middleware.request_retries import Retries
from app.middleware.same_origin import SameOrigin
from app.middleware.time_limit import TimeLimit
from app.middleware.trailing_slash import TrailingSlash
from app.models.base import Declarative
from app.observability import logs, sentry, telemetry
from app.resources import runtime
from app.resources.catalog import Catalog, catalog_of
from app.shutdown import Shutdown
from app.throttling import Throttling

if TYPE_CHECKING:
    from app.observability.metrics import Metrics


def create_app(settings: Settings, catalog: Catalog | None = None) -> FastAPI:
    """A new application, which serves the models of the catalog: if none is given, every model of `Declarative`.

    It opens its database when it is started, not when it is made.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, sentry.flush)
            await stack.enter_async_context(telemetry.exporting(settings))
            await stack.enter_async_context(aclosing(app.state.throttling))
            app.state.database = database = await stack.enter_async_context(open_database(settings))
            await stack.enter_async_context(_worker(database, settings))
            if metrics:
                await stack.enter_async_context(metrics.sampling(database))
            stack.enter_context(shutdown.announced())
            yield

    logs.configure(settings)
    shutdown = Shutdown(settings.shutdown_delay)
    # FastAPIOffline serves the scripts of /docs and /redoc itself, where FastAPI sends the browser to a CDN.
    app = FastAPIOffline(
        title=settings.app_name,
        description=settings.app_description,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=contract.operation_id,
        responses=problems.ANY_OTHER,
        telemetry=_telemetry(settings),
    )
    app.state.settings = settings
    app.state.shutdown = shutdown
    metrics = _metrics(settings)
    app.state.throttling = Throttling(settings, on_refusal=metrics.refuse if metrics else None)
    problems.install(app)
    contract.install(app)
    routers = list(discovery.declared("app.routers", "router", APIRouter))
    for router in routers:
        app.include_router(router)
    if metrics:
        metrics.install(app)
    runtime.install(app, catalog or catalog_of(Declarative), routers)
    # The last one added is the first to see a request.
    app.add_middleware(Retries)
    app.add_middleware(Head)
    app.add_middleware(TrailingSlash)
    plain_reads.install(app)  # outside of what does nothing for a plain GET
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(TimeLimit, seconds=settings.request_timeout)
    app.add_middleware(SameOrigin, trusted_origins=settings.backend_cors_origins)
    app.add_middleware(RequestContext, shutdown=shutdown)
    if metrics:
        metrics.measure(app)
    if settings.backend_cors_origins:
        _allow_origins(app, settings.backend_cors_origins)
    # Outermost: what a trusted proxy says of the client is true for everything inside.
    app.add_middleware(ProxyHeaders, trusted=settings.trusted_proxies)
    return app


def _telemetry(settings: Settings) -> TelemetryConfig:
    """What FastAPI is to trace and measure: nothing, if nobody is told.

    Without the texts of exceptions, which may hold what nobody should see and are in the logs; spans of dependencies,
    endpoint and serialization each would tell less than they cost.
    """
    wanted = bool(settings.otel_exporter_otlp_endpoint)
    return {
        "auto_configure": False,
        "tracing": wanted,
        "metrics": wanted,
        "logs": False,
        "operation_spans": False,
    }


def _allow_origins(app: FastAPI, origins: list[str]) -> None:
    """Let pages of these origins call the API (CORS)."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            "ETag",
            "Idempotency-Replayed",
            "Link",
            "Location",
            "Retry-After",
            "X-Request-ID",
            "X-Total-Count",
        ],
    )


def _metrics(settings: Settings) -> "Metrics | None":
    """What counts for Prometheus, if that is wanted."""
    if settings.metrics_token is None:
        return None
    from app.observability.metrics import Metrics  # noqa: PLC0415  # its library takes a while to import

    return Metrics(settings.metrics_token)


def _worker(database: Database, settings: Settings) -> AbstractAsyncContextManager[None]:
    """What sends mail from within this process, if that is wanted."""
    if not settings.worker_in_process:
        return nullcontext()
    from app.worker import working  # noqa: PLC0415  # what mail needs takes a while to import

    return working(database, settings)
