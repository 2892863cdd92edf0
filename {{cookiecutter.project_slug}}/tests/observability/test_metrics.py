"""What Prometheus is told, and who else is not."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from app.config import Settings
from app.database.database import open_database
from app.main import create_app
from app.services.outbox import Outbox
from tests.databases import clone
from tests.people import PASSWORD, People
from tests.servers import PATIENCE, served, until

TOKEN: Final = "what-prometheus-knows"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def measured(own_app: FastAPI, own_settings: Settings) -> FastAPI:
    """The application with metrics, on a pool of its own, and with a limit to run into."""
    limits = {"rate_limit_enabled": True, "rate_limit_login": "1/minute", "database_pool_size": 3}
    app = create_app(own_settings.model_copy(update={"metrics_token": SecretStr(TOKEN), **limits}))
    app.state.database = own_app.state.database
    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def scrape(client: httpx.AsyncClient) -> Samples:
    response = await client.get("/metrics", headers=BEARER)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


async def test_without_a_token_there_are_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/metrics")).status_code == 404
    assert (await client.get("/metrics", headers={"Authorization": "Bearer None"})).status_code == 404


@pytest.mark.parametrize("given", [None, "", "Bearer ", "Bearer wrong", f"Bearer {TOKEN} ", TOKEN, "Bearer é"])
async def test_nobody_without_the_token_sees_them(measured: FastAPI, given: str | None) -> None:
    async with client_of(measured) as client:
        response = await client.get("/metrics", headers=[(b"Authorization", given.encode())] if given else [])
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert "# HELP" not in response.text


async def test_requests_are_counted_by_route_method_and_status(measured: FastAPI, own_people: People) -> None:
    ada = await own_people.join()
    article = await own_people.write(ada)
    async with client_of(measured) as client:
        for _ in range(2):
            await client.get(f"/articles/{article.id}", headers=dict(ada.client.headers))
        await client.get("/articles/999999")
        await client.head("/health/live")
        await client.get("/tags", headers=dict(ada.client.headers))  # a generated route
        await client.post("/auth/register", json={})
        samples = await scrape(client)
    counted = {
        ("GET", "/articles/{article_id}", "200"): 2,
        ("GET", "/articles/{article_id}", "404"): 1,
        ("HEAD", "/health/live", "200"): 1,
        ("GET", "/tags", "200"): 1,
        ("POST", "/auth/register", "422"): 1,
    }
    for (method, route, status), times in counted.items():
        assert value(samples, "http_requests_total", method=method, route=route, status=status) == times
    one = {"method": "GET", "route": "/articles/{article_id}"}
    assert value(samples, "http_request_duration_seconds_count", **one) == 3
    assert value(samples, "http_request_duration_seconds_bucket", **one, le="+Inf") == 3
    assert value(samples, "http_requests_in_flight") == 1, "the scrape itself"
    assert (value(samples, "process_resident_memory_bytes") or 0) > 0


async def test_clients_cannot_make_time_series(measured: FastAPI) -> None:
    async with client_of(measured) as client:
        for number in range(50):
            await client.get(f"/nope/{number}")
            await client.get(f"/articles/{number}")
            await client.request(f"METHOD{number}", "/articles")
        samples = await scrape(client)
    counted = [dict(labels) for name, labels in samples if name == "http_requests_total"]
    assert {labels["route"] for labels in counted} == {"unmatched", "/articles/{article_id}", "/articles"}
    assert {labels["method"] for labels in counted} == {"GET", "other"}
    assert value(samples, "http_requests_total", method="GET", route="unmatched", status="404") == 50


async def test_refusals_by_a_rate_limit_are_counted(measured: FastAPI) -> None:
    async with client_of(measured) as client:
        for _ in range(3):
            await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
        samples = await scrape(client)
    assert value(samples, "throttled_total", limit="login") == 2


async def test_the_pool_shows_who_has_and_who_waits(measured: FastAPI, own_settings: Settings) -> None:
    small = own_settings.model_copy(update={"database_pool_size": 2})
    async with open_database(small) as database, client_of(measured) as client:
        measured.state.database = database
        held, release = [asyncio.Event() for _ in range(5)], asyncio.Event()

        async def hold(number: int) -> None:
            async with database.unit_of_work() as uow:
                held[number].set()
                await uow.session.execute(text("SELECT 1"))
                await release.wait()

        tasks = [asyncio.create_task(hold(number)) for number in range(5)]
        await asyncio.gather(*(event.wait() for event in held))

        async def three_wait() -> bool:
            return bool(database.writes.kw["bind"].pool.waiting == 3)

        await until(three_wait)
        scraping = asyncio.create_task(scrape(client))  # the pool has none for it: it waits too
        await asyncio.sleep(0)
        release.set()
        samples = await scraping
        await asyncio.gather(*tasks)
        after = await scrape(client)
    assert value(samples, "database_pool_size", pool="writes") == 2
    assert value(samples, "database_pool_checked_out", pool="writes") == 2
    assert value(samples, "database_pool_waiting", pool="writes") == 3
    assert value(after, "database_pool_checked_out", pool="writes") == 0
    assert value(after, "database_pool_waiting", pool="writes") == 0


async def test_the_outbox_shows_what_waits_and_since_when(measured: FastAPI) -> None:
    database = measured.state.database
    async with client_of(measured) as client:
        empty = await scrape(client)
        async with database.unit_of_work() as uow:
            for _ in range(3):
                await Outbox(uow).put("account_exists", "ada@example.com")
            await uow.session.execute(text("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE id = 1"))
            await uow.session.execute(text("UPDATE outbox SET failed_at = now() WHERE id = 2"))
        samples = await scrape(client)
    assert value(empty, "outbox_messages", state="waiting") == value(empty, "outbox_oldest_age_seconds") == 0
    assert value(samples, "outbox_messages", state="waiting") == 2
    assert value(samples, "outbox_messages", state="failed") == 1
    assert 3600 <= (value(samples, "outbox_oldest_age_seconds") or 0) < 3700
    assert value(samples, "database_up") == 1


async def test_without_the_database_there_are_the_others(measured: FastAPI, own_settings: Settings) -> None:
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:1/nothing")
    async with open_database(own_settings.model_copy(update={"database_url": nowhere})) as database:
        measured.state.database = database
        async with client_of(measured) as client:
            samples = await scrape(client)
    assert value(samples, "database_up") == 0
    assert value(samples, "outbox_messages", state="waiting") is None
    assert value(samples, "http_requests_in_flight") == 1


@pytest.mark.chaos
async def test_several_processes_are_added_up(template: str, tmp_path: Path) -> None:
    dsn = await clone(template, secrets.token_hex(4))
    settings = {"WEB_CONCURRENCY": "2", "METRICS_TOKEN": TOKEN}
    async with served(dsn, tmp_path, **settings) as server, server.client() as client:

        async def both_are_up() -> bool:
            await client.get("/health/live", headers={"Connection": "close"})
            return server.log().count("Application startup complete") == 2

        await until(both_are_up)
        before = value(await scrape(client), "http_requests_total", method="GET", route="/articles", status="200") or 0
        for _ in range(20):  # a connection each, so that both get some
            assert (await client.get("/articles", headers={"Connection": "close"})).status_code == 200
        samples = await scrape(client)
        assert value(samples, "http_requests_total", method="GET", route="/articles", status="200") == before + 20

        async def both_have_sampled() -> bool:
            return value(await scrape(client), "database_pool_size", pool="writes") == 30

        await until(both_have_sampled)
        # One that is killed is replaced, and its connections count no more.
        parent = psutil.Process(server.process.pid)
        next(child for child in parent.children() if any("spawn_main" in word for word in child.cmdline())).kill()

        async def another_is_up() -> bool:
            return server.log().count("Application startup complete") == 3

        await until(another_is_up)
        await until(both_have_sampled)
        server.process.terminate()
        await asyncio.to_thread(server.process.wait, PATIENCE)
        assert not server.complaints()
