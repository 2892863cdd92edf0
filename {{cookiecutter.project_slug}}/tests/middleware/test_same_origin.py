"""Requirement 20: what a browser sends for another site changes nothing, although cookies come with it."""

import httpx
import pytest
from fastapi import FastAPI

from app.config import Settings
from app.database.database import Database
from app.main import create_app
from tests.people import PASSWORD, People

ARTICLE = {"title": "Title", "content": "Content that is long enough"}
FRIEND = "https://app.example.com"

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://test"},
    {"Origin": "https://evil.example.com"},
    {"Origin": "http://test.evil.example.com"},
    {"Origin": "http://test:8080"},
    {"Origin": f"{FRIEND}.evil.example.com"},
    {"Origin": "null"},
    {"Origin": ""},
]
OUR_OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://test"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://test"},
    {"Origin": FRIEND},
    {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"},
    {"Origin": FRIEND, "Sec-Fetch-Site": "same-site"},
]


@pytest.fixture(scope="session")
def friendly(settings: Settings) -> FastAPI:
    """The application, with a frontend at another origin."""
    return create_app(settings.model_copy(update={"backend_cors_origins": [FRIEND]}))


@pytest.fixture
def app(friendly: FastAPI, database: Database) -> FastAPI:
    friendly.state.database = database
    return friendly


@pytest.fixture
async def browser(client: httpx.AsyncClient, people: People) -> httpx.AsyncClient:
    """Somebody who is logged in with cookies."""
    await people.join(username="ada")
    await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
    assert {"access_token", "refresh_token"} <= set(client.cookies)
    return client


@pytest.mark.parametrize(
    "write", ["POST /articles", "PATCH /articles/{}", "DELETE /articles/{}", "POST /auth/refresh", "POST /auth/logout"]
)
async def test_robustness_20_a_write_from_another_site_is_refused(browser: httpx.AsyncClient, write: str) -> None:
    mine = (await browser.post("/articles", json=ARTICLE)).json()["id"]
    method, path = write.format(mine).split()
    for headers in FOREIGN:
        response = await browser.request(method, path, headers=headers)
        assert response.status_code == 403, headers
        assert response.json()["detail"] == "This request comes from another site"
        assert response.headers["content-type"] == "application/problem+json"
    assert (await browser.get(f"/articles/{mine}")).json()["title"] == ARTICLE["title"]


async def test_a_write_from_ours_or_from_no_browser_works(browser: httpx.AsyncClient) -> None:
    for headers in OUR_OWN:
        assert (await browser.post("/articles", json=ARTICLE, headers=headers)).status_code == 201, headers
        assert (await browser.post("/auth/refresh", headers=headers)).status_code == 200, headers


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_bearer_token_works_from_anywhere(people: People, headers: dict[str, str]) -> None:
    """No site can make the browser of another send one."""
    ada = await people.join()
    assert (await ada.client.post("/articles", json=ARTICLE, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "authorization", ["Basic c3RhZ2luZzpzZWNyZXQ=", "Negotiate YII=", "Bearer", "Bearer ", "x", ""]
)
async def test_what_a_browser_adds_by_itself_is_no_bearer_token(browser: httpx.AsyncClient, authorization: str) -> None:
    """Such as the password of a proxy in front of a test system: it comes along wherever the request comes from."""
    headers = {"Sec-Fetch-Site": "cross-site", "Authorization": authorization}
    assert (await browser.post("/articles", json=ARTICLE, headers=headers)).status_code == 403


async def test_reading_is_not_refused(browser: httpx.AsyncClient) -> None:
    """A link from elsewhere leads here; what its scripts may read is CORS' business."""
    for headers in FOREIGN:
        response = await browser.get("/users/me", headers=headers)
        assert response.status_code == 200, headers
        assert "access-control-allow-origin" not in response.headers
        assert (await browser.head("/users/me", headers=headers)).status_code == 200, headers


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_nobody_is_logged_in_from_another_site(
    client: httpx.AsyncClient, people: People, headers: dict[str, str]
) -> None:
    """Else a victim could be made to work in an attacker's account, where he can read it."""
    await people.join(username="eve")
    form = {"username": "eve", "password": PASSWORD}
    response = await client.post("/auth/login", data=form, headers=headers)
    assert response.status_code == 403
    assert not client.cookies


async def test_a_frontend_elsewhere_may_send_cookies_and_read_answers(browser: httpx.AsyncClient) -> None:
    preflight = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "Content-Type"}
    response = await browser.options("/articles/1", headers=preflight | {"Origin": FRIEND})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == FRIEND
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "DELETE" in response.headers["access-control-allow-methods"]
    assert "content-type" in response.headers["access-control-allow-headers"].lower()
    answer = await browser.post("/articles", json=ARTICLE, headers={"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 201
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", f"{FRIEND}.evil.example.com", "http://app.example.com"]
)
async def test_other_frontends_may_not(browser: httpx.AsyncClient, origin: str) -> None:
    preflight = {"Access-Control-Request-Method": "DELETE", "Origin": origin}
    response = await browser.options("/articles/1", headers=preflight)
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers
