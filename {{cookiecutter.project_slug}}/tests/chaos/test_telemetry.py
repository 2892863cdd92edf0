"""What a collector of OpenTelemetry's is told: by a real process, over HTTP."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.databases import clone
from tests.letters import MailServer
from tests.listeners import Listener, listening
from tests.people import PASSWORD
from tests.servers import PATIENCE, Server, served, until

TRACE = "0af7" * 8  # of a caller who traces too (W3C Trace Context)
SPAN = "b7ad" * 4


@pytest.fixture
async def dsn(template: str) -> str:
    return await clone(template, secrets.token_hex(4))


@pytest.fixture
def collector() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def _attributes(of: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in of.attributes}


def spans(collector: Listener) -> list[dict[str, Any]]:
    found = []
    for body in collector.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            assert _attributes(resource.resource)["service.name"] == "blog"
            for scope in resource.scope_spans:
                found += [
                    {
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "failed": span.status.code == span.status.STATUS_CODE_ERROR,
                        **_attributes(span),
                    }
                    for span in scope.spans
                ]
    return found


def metrics(collector: Listener) -> set[str]:
    return {
        metric.name
        for body in collector.bodies("/v1/metrics")
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


async def end(server: Server) -> None:
    """What was not sent by now is sent then."""
    server.process.terminate()
    await asyncio.to_thread(server.process.wait, PATIENCE)
    assert not server.complaints()


async def test_a_request_with_its_statements_is_a_trace(dsn: str, tmp_path: Path, collector: Listener) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "blog", "ENVIRONMENT": "production"}
    async with served(dsn, tmp_path, **settings) as server:
        async with server.member() as client:
            article = (await client.post("/articles", json={"title": "A value", "content": "Another value"})).json()
            told = {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-{SPAN}-01"}
            await client.get(f"/articles/{article['id']}?fields=title", headers=told)
        await end(server)
        lines = [json.loads(line) for line in server.log().splitlines()]
    sent = spans(collector)
    (request,) = [span for span in sent if span["name"] == "GET /articles/{article_id}"]
    assert (request["trace"], request["parent"]) == (TRACE, SPAN)
    assert (request["request_id"], request["http.response.status_code"]) == ("mine", 200)
    assert request["url.query"] == "[hidden]"
    statements = [span for span in sent if span["parent"] == request["id"]]
    assert {(one["db.system.name"], one["name"]) for one in statements} == {("postgresql", "SELECT")}
    assert any("FROM articles" in one["db.query.text"] for one in statements)
    (line,) = [line for line in lines if line["event"] == "request" and line["request_id"] == "mine"]
    assert (line["trace_id"], line["span_id"], line["sql_statements"]) == (TRACE, request["id"], len(statements))
    assert {"http.server.request.duration", "http.server.active_requests"} <= metrics(collector)
    everything = b"".join(collector.bodies("/v1/traces"))
    for secret in ("A value", PASSWORD, client.headers["authorization"].removeprefix("Bearer ")):
        assert secret.encode() not in everything


async def test_a_mail_is_a_span(dsn: str, tmp_path: Path, collector: Listener, mailbox: MailServer) -> None:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": "blog",
        "WORKER_IN_PROCESS": "true",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailbox.port),
        "SMTP_SECURITY": "none",
        "REGISTRATION_BY_MAIL": "true",
    }
    mailbox.reset()
    async with served(dsn, tmp_path, **settings) as server, server.client() as client:
        account = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
        assert (await client.post("/auth/register", json=account)).status_code == 202

        async def mail_is_sent() -> bool:
            return "mail_sent" in server.log()

        await until(mail_is_sent)
        await end(server)
    mailbox.collect()
    (mail,) = [span for span in spans(collector) if span["name"] == "send mail"]
    assert (mail["kind"], mail["attempt"], mail["failed"]) == ("verify_email", 1, False)
    assert b"ada@example.com" not in b"".join(collector.bodies("/v1/traces"))


async def test_a_collector_that_is_not_there_is_no_trouble(dsn: str, tmp_path: Path) -> None:
    async with served(dsn, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as server:
        async with server.client() as client:
            assert (await client.get("/articles")).status_code == 200
        async with asyncio.timeout(15):
            server.process.terminate()
            await asyncio.to_thread(server.process.wait, PATIENCE)
