"""The way in: nginx as it is shipped, in front of the application as the image starts it."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.config import Settings
from tests.chaos.answers import problem
from tests.chaos.processes import Nginx, nginx, port_of
from tests.databases import clone
from tests.people import PASSWORD
from tests.servers import Server, served, until
from tests.traffic import ARTICLE

LIMIT: int = Settings.model_fields["max_body_bytes"].default


@pytest.fixture(scope="module")
async def dsn(template: str) -> str:
    """A database for the applications of this file."""
    return await clone(template, secrets.token_hex(4))


@pytest.fixture(scope="module")
async def app(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """An application that believes nginx."""
    limits = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_LOGIN": "2/day"}
    logs = tmp_path_factory.mktemp("logs")
    async with served(dsn, logs, TRUSTED_PROXIES="127.0.0.1", **limits) as server:
        yield server


@pytest.fixture(scope="module")
async def front(app: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nginx]:
    """What stands in front of it."""
    async with nginx(tmp_path_factory.mktemp("nginx"), port_of(app)) as front:
        yield front


@pytest.fixture
async def anybody(front: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    async with front.client() as client:
        yield client


@pytest.fixture(scope="module")
async def ada(app: Server, front: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with an account, who comes through nginx."""
    async with app.member() as direct, front.client(headers=direct.headers) as client:
        yield client


async def heard_of(app: Server, request_id: str) -> None:
    """Wait for the line of the application's log, which is written when the answer is out."""

    async def told() -> bool:
        return request_id in app.log()

    await until(told)


async def test_a_body_over_the_limit_is_refused_without_the_application(
    app: Server, anybody: httpx.AsyncClient
) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1024 + 1):
            yield bytes(1024)

    largest = await anybody.post("/auth/register", content=bytes(LIMIT))
    await heard_of(app, problem(largest, 422).request_id)  # as large as allowed, and no JSON
    for body in (bytes(LIMIT + 1), in_pieces()):
        refused = problem(await anybody.post("/auth/register?token=hidden", content=body), 413)
        assert (refused.title, refused.instance) == ("Request Entity Too Large", "/auth/register")
        assert refused.request_id not in app.log()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/" + "a" * 10_000, {}, 414),
        ("/articles", {"X-Long": "a" * 10_000}, 400),
        ("/articles", {"Host": "a b"}, 400),
        ("/metrics", {}, 404),
    ],
)
async def test_what_nginx_refuses_is_a_problem_too(
    anybody: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    problem(await anybody.get(path, headers=headers), status)


async def test_what_the_application_refuses_goes_through(anybody: httpx.AsyncClient) -> None:
    assert problem(await anybody.get("/nowhere?token=hidden"), 404).instance == "/nowhere"


async def test_connections_are_kept(app: Server, anybody: httpx.AsyncClient) -> None:
    """Those of the client, and those to the application: one for each process of nginx."""
    for _ in range(50):
        response = await anybody.get("/health/live")
        assert response.headers.get("connection") == "keep-alive"
    open_ones = [
        connection
        for connection in psutil.Process(app.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port_of(app)
    ]
    assert 1 <= len(open_ones) <= 4


async def test_large_answers_are_compressed_and_their_version_still_counts(ada: httpx.AsyncClient) -> None:
    """Compressing makes the `ETag` a weak one."""
    article = (await ada.post("/articles", json=ARTICLE | {"content": "Some content. " * 500})).json()["id"]
    read = await ada.get(f"/articles/{article}")
    assert read.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in read.headers["vary"]
    assert read.headers["etag"].startswith("W/")
    changed = {"If-Match": read.headers["etag"]}
    assert (await ada.patch(f"/articles/{article}", json={"title": "New"}, headers=changed)).status_code == 200
    assert (await ada.patch(f"/articles/{article}", json={"title": "Old"}, headers=changed)).status_code == 412
    small = await ada.get("/health/live")
    assert "content-encoding" not in small.headers


async def test_robustness_21_clients_are_told_apart_and_cannot_choose_who_they_are(front: Nginx) -> None:
    form = {"username": "nobody", "password": "a guess"}
    statuses = []
    async with front.client("127.0.0.2") as guesser, front.client("127.0.0.3") as other:
        for attempt in range(4):
            claimed = f"198.51.100.{attempt}"
            headers = {"X-Forwarded-For": claimed, "X-Real-IP": claimed, "Forwarded": f"for={claimed}"}
            statuses.append((await guesser.post("/auth/login", data=form, headers=headers)).status_code)
        statuses.append((await other.post("/auth/login", data=form)).status_code)
    assert statuses == [401, 401, 429, 429, 401]


async def test_a_request_can_be_followed_and_its_query_is_not_written_down(
    app: Server, front: Nginx, anybody: httpx.AsyncClient
) -> None:
    given = secrets.token_hex(8)
    headers = {"X-Request-ID": given, "Authorization": "Bearer hidden"}
    response = await anybody.get("/articles?q=hidden", headers=headers)
    assert response.headers.get_list("x-request-id") == [given]
    await heard_of(app, given)
    entry = await front.logged(given)
    assert (entry["client"], entry["path"], entry["status"]) == ("127.0.0.1", "/articles", 401)
    assert "hidden" not in str(entry)
    harmful = await anybody.get("/health/live", headers={"X-Request-ID": 'a"b'})
    assert (await front.logged(harmful.headers["x-request-id"]))["status"] == 200


async def test_with_a_certificate_there_is_https_and_nothing_else(app: Server, tmp_path: Path) -> None:
    async with nginx(tmp_path, port_of(app), entry="tls.conf") as front, front.client() as client:
        assert (await client.get("/health/ready")).headers["strict-transport-security"] == "max-age=63072000"
        assert "strict-transport-security" in (await client.post("/auth/login", content=bytes(LIMIT + 1))).headers
        account = {"email": "tls@example.com", "username": "tls", "password": PASSWORD}
        assert (await client.post("/auth/register", json=account, headers={"Origin": front.url})).status_code == 201
        login = await client.post("/auth/login", data=account)
        assert login.headers["set-cookie"].startswith("__Host-")  # the application knows that it is https
        plain = await client.get(f"{front.plain}/articles?limit=1")
        assert (plain.status_code, plain.headers["location"]) == (308, "https://127.0.0.1/articles?limit=1")
        assert "strict-transport-security" not in plain.headers
