"""What Prometheus scrapes at /metrics.

In a single process it is in memory. Where `python -m app serve` runs several, each counts in files of its own, and the
one that is scraped adds them up (`prometheus_client.multiprocess`); what the system knows of a process (memory, CPU) is
then to be had from the container only.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from pydantic import SecretStr

from app.database.database import Database
from app.database.engine import Pool
from app.database.read_pool import ReadPool
from app.errors import Unauthenticated, Unavailable
from app.middleware.request_metrics import MeasuredRequests
from app.repositories.outbox import backlog

_SAMPLE: Final = 1.0  # seconds


class Metrics:
    """What is counted in this process, and how it is shown to whoever knows the token."""

    def __init__(self, token: SecretStr) -> None:
        self._expected = f"Bearer {token.get_secret_value()}".encode()
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
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

    def measure(self, app: FastAPI) -> None:
        """Count the requests that get past the middleware that is added later."""
        app.add_middleware(MeasuredRequests, registry=self._registry)

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


class _Collected:
    """Metrics that were made before: what takes a question to the database cannot be asked while they are written."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def _pools(database: Database) -> Iterator[tuple[str, Pool | ReadPool]]:
    """The pools of connections by their use: transactions, and single reads from the primary and from the replica."""
    pool = database.writes.kw["bind"].pool
    if isinstance(pool, Pool):
        yield "writes", pool
    yield "reads", database.reads.pool
    if database.replica is not None:
        yield "replica", database.replica.source.pool


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
