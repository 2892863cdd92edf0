"""What Prometheus scrapes at /metrics.

In a single process it is in memory. Where `python -m app serve` runs several, each counts in files of its own, and the
one that is scraped adds them up (`prometheus_client.multiprocess`); what the system knows of a process (memory, CPU) is
then to be had from the container only.
"""

import asyncio
import hmac
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database import Database
from app.engine import Pool
from app.errors import Unauthenticated, Unavailable
from app.repositories.outbox import backlog

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
# Whatever a client makes up, the number of time series is bounded: by these, and by the routes.
_METHODS: Final = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
_NO_ROUTE: Final = "unmatched"
_SAMPLE: Final = 1.0  # seconds


class Metrics:
    """What is counted in this process, and how it is shown to whoever knows the token."""

    def __init__(self, token: SecretStr) -> None:
        self._expected = f"Bearer {token.get_secret_value()}".encode()
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "http_requests", "Requests that were answered", ["method", "route", "status"], registry=registry
        )
        self.durations = Histogram(
            "http_request_duration_seconds",
            "From a request to the end of its answer",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "http_requests_in_flight", "Requests in hand", multiprocess_mode="livesum", registry=registry
        )
        self._throttled = Counter("throttled", "Attempts over a rate limit", ["limit"], registry=registry)
        self._pools = {
            name: Gauge(f"database_pool_{name}", what, ["pool"], multiprocess_mode="livesum", registry=registry)
            for name, what in (
                ("size", "Connections that the pool has at most"),
                ("checked_out", "Connections in use"),
                ("waiting", "Waiting for a connection"),
            )
        }

    def refuse(self, limit: str) -> None:
        """Count an attempt over this limit."""
        self._throttled.labels(limit).inc()

    def middleware(self, app: ASGIApp) -> "MeasuredRequests":
        """Counts the requests to the application."""
        return MeasuredRequests(app, self)

    def install(self, app: FastAPI) -> None:
        """Serve GET /metrics. It is no part of the contract: what is in it may change."""

        @app.get("/metrics", include_in_schema=False)
        async def read_metrics(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, self._expected):
                raise Unauthenticated
            database: Database = request.app.state.database
            self._sample(database)
            body = await asyncio.to_thread(self._exposition, await _of_database(database))
            return Response(body, media_type=CONTENT_TYPE_LATEST)

    @asynccontextmanager
    async def sampling(self, database: Database) -> AsyncIterator[None]:
        """Look at the pools again and again while the block runs, for a scrape that another process answers."""
        task = asyncio.create_task(self._keep_sampling(database))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_sampling(self, database: Database) -> None:
        while True:
            self._sample(database)
            await asyncio.sleep(_SAMPLE)

    def _sample(self, database: Database) -> None:
        for name, pool in _pools(database):
            self._pools["size"].labels(name).set(pool.size())
            self._pools["checked_out"].labels(name).set(pool.checkedout())
            self._pools["waiting"].labels(name).set(pool.waiting)

    def _exposition(self, of_database: Sequence[Metric]) -> bytes:
        registry = CollectorRegistry()
        registry.register(_Collected(of_database))
        return generate_latest(self._own()) + generate_latest(registry)

    def _own(self) -> CollectorRegistry:
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if directory is None:
            return self._registry
        _forget_the_dead(Path(directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class MeasuredRequests:
    """Counts requests and how long they take, by the template of their route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"  # the client has hung up, or the process ends
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(int(message["status"]))
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._metrics.in_flight.dec()
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path_format", _NO_ROUTE)
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.durations.labels(method, route).observe(time.perf_counter() - started)


class _Collected:
    """Metrics that were made before: what takes a question to the database cannot be asked while they are written."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def _pools(database: Database) -> Iterator[tuple[str, Pool]]:
    """The pools of connections by their use; one that is for both is for writes."""
    seen: list[Any] = []
    for name, sessions in (("writes", database.writes), ("reads", database.reads)):
        pool = sessions.kw["bind"].engine.pool
        if isinstance(pool, Pool) and pool not in seen:
            seen.append(pool)
            yield name, pool


async def _of_database(database: Database) -> list[Metric]:
    """What only the database knows. A scrape succeeds without it, or nobody would see that it is down."""
    try:
        row = await database.reader().row(backlog())
    except Unavailable:
        return [GaugeMetricFamily("database_up", "Whether the database answers", 0)]
    waiting, given_up, oldest = row or (0, 0, 0.0)
    messages = GaugeMetricFamily("outbox_messages", "Mails to be sent, and those given up", labels=["state"])
    messages.add_metric(["waiting"], waiting)
    messages.add_metric(["failed"], given_up)
    return [
        GaugeMetricFamily("database_up", "Whether the database answers", 1),
        messages,
        GaugeMetricFamily("outbox_oldest_age_seconds", "Since when the oldest mail waits", float(oldest)),
    ]


def _forget_the_dead(directory: Path) -> None:
    """Drop the gauges of processes that are gone, however they went."""
    if os.name != "posix":  # elsewhere the question would be a signal
        return
    for path in directory.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
