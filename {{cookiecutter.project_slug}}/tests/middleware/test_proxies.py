"""Who the client is: what the connection says, unless a trusted proxy says otherwise."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app.config import Settings
from app.database.database import Database
from app.main import create_app
from app.middleware.proxies import ProxyHeaders
from tests.contract import ContractTransport
from tests.databases import clone
from tests.people import PASSWORD, People

PROXIES = ["10.0.0.0/8", "192.0.2.1", "2001:db8:aaaa::/48"]
CLIENT = "203.0.113.9"


async def who_am_i(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope)
    assert request.client
    await JSONResponse([request.client.host, request.url.scheme])(scope, receive, send)


async def seen(peer: str, headers: list[tuple[str, str]], trusted: list[str]) -> list[str]:
    """Address and scheme of a request, as the application behind the middleware sees them."""
    transport = httpx.ASGITransport(ProxyHeaders(who_am_i, trusted), client=(peer, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        answer: list[str] = (await client.get("/", headers=raw)).json()
    return answer


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Nobody in between, or nobody who is trusted.
        (CLIENT, None, CLIENT),
        (CLIENT, "198.51.100.7", CLIENT),
        ("192.0.2.2", "198.51.100.7", "192.0.2.2"),
        # One proxy, several, and what the client has written itself.
        ("10.0.0.1", CLIENT, CLIENT),
        ("192.0.2.1", CLIENT, CLIENT),
        ("10.0.0.1", f"198.51.100.7, {CLIENT}", CLIENT),
        ("10.0.0.1", f"198.51.100.7, {CLIENT}, 10.0.0.2,10.9.9.9", CLIENT),
        ("10.0.0.1", f"198.51.100.7, {CLIENT}, 192.0.2.2", "192.0.2.2"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", f"{CLIENT}:4711", CLIENT),
        # IPv6, and IPv4 in its clothes, as it comes to a socket that takes both.
        ("2001:db8:aaaa::1", "2001:DB8:0:0::7", "2001:db8::7"),
        ("2001:db8:aaab::1", "2001:db8::7", "2001:db8:aaab::1"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", f"{CLIENT}, 2001:db8:aaaa::2", CLIENT),
        ("::ffff:10.0.0.1", f"::ffff:{CLIENT}", CLIENT),
        (f"::ffff:{CLIENT}", None, CLIENT),
        ("fe80::1%eth0", None, "fe80::1"),
        # Nonsense: whoever said it is the last one who is known.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "x" * 3000, "10.0.0.1"),
        ("10.0.0.1", f"fe80::1%{'x' * 3000}", "fe80::1"),
        ("10.0.0.1", "203.0.113.256", "10.0.0.1"),
        ("10.0.0.1", "[", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, unknown", "10.0.0.1"),
        ("10.0.0.1", f"{CLIENT}, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", f"unknown, {CLIENT}", CLIENT),
        ("10.0.0.1", "é, \xa0", "10.0.0.1"),
    ],
)
async def test_the_first_from_the_right_that_is_no_proxy(peer: str, forwarded: str | None, client: str) -> None:
    headers = [] if forwarded is None else [("X-Forwarded-For", forwarded)]
    assert (await seen(peer, headers, PROXIES))[0] == client


async def test_a_header_that_comes_twice_is_one_list() -> None:
    headers = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", f"{CLIENT}, 10.0.0.2")]
    assert (await seen("10.0.0.1", headers, PROXIES))[0] == CLIENT


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.1"])
async def test_without_proxies_nobody_is_believed(peer: str) -> None:
    headers = [("X-Forwarded-For", CLIENT), ("X-Forwarded-Proto", "https")]
    assert await seen(peer, headers, []) == [peer, "http"]


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http", "http"),
        (CLIENT, "https", "http"),
        ("10.0.0.1", "javascript", "http"),
        ("10.0.0.1", "", "http"),
    ],
)
async def test_https_is_for_proxies_to_say(peer: str, said: str, scheme: str) -> None:
    assert (await seen(peer, [("X-Forwarded-Proto", said)], PROXIES))[1] == scheme


async def test_a_socket_without_addresses_has_no_proxy() -> None:
    transport = httpx.ASGITransport(ProxyHeaders(no_address, PROXIES))
    transport.client = None  # type: ignore[assignment]  # as uvicorn says it of a unix socket
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/", headers={"X-Forwarded-For": CLIENT})).json() is None


async def no_address(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(scope["client"])(scope, receive, send)


@pytest.mark.parametrize(("forwarded", "shown"), [(CLIENT, CLIENT), ("x" * 100, "10.0.0.1")])
async def test_sessions_tell_the_address_of_the_client(
    settings: Settings, database: Database, people: People, forwarded: str, shown: str
) -> None:
    app = create_app(settings.model_copy(update={"trusted_proxies": PROXIES}))
    app.state.database = database
    ada = await people.join()
    transport = ContractTransport(app)
    transport.client = ("10.0.0.1", 50000)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        form = {"username": ada.user.username, "password": PASSWORD}
        assert (await client.post("/auth/login", data=form, headers={"X-Forwarded-For": forwarded})).status_code == 200
        listed = (await client.get("/auth/sessions")).json()
    assert [session["address"] for session in listed if session["current"]] == [shown]


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The address of a server that runs this application."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, proxy_headers=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


async def test_robustness_21_a_forged_header_does_not_help(settings: Settings, template: str) -> None:
    """With a real server, whose own belief in headers is off."""
    own = {"database_url": SecretStr(await clone(template, secrets.token_hex(4)))}
    limits = {"rate_limit_enabled": True, "rate_limit_login": "2/day"}
    statuses = []
    async with (
        serving(create_app(settings.model_copy(update=own | limits))) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for attempt in range(4):
            headers = {"X-Forwarded-For": f"198.51.100.{attempt}", "Forwarded": f"for=198.51.100.{attempt}"}
            form = {"username": "ada", "password": "a guess"}
            statuses.append((await client.post("/auth/login", data=form, headers=headers)).status_code)
    assert statuses == [401, 401, 429, 429]
