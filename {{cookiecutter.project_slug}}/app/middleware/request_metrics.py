"""How many requests, how long they take, how many are in hand."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
# Whatever a client makes up, the number of time series is bounded: by these, and by the routes.
_METHODS: Final = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
_NO_ROUTE: Final = "unmatched"


class MeasuredRequests:
    """Counts requests by the template of their route, never by their path."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "http_requests", "Requests that were answered", ["method", "route", "status"], registry=registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "From a request to the end of its answer",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "http_requests_in_flight", "Requests in hand", multiprocess_mode="livesum", registry=registry
        )

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

        self._in_flight.inc()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._in_flight.dec()
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path_format", _NO_ROUTE)
            self._requests.labels(method, route, status).inc()
            self._durations.labels(method, route).observe(time.perf_counter() - started)
