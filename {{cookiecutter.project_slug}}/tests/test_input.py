"""ROBUSTNESS 29: whatever a client sends, it is the client who has made the mistake."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.config import Settings
from tests.people import People

JSON = {"content-type": "application/json"}

BODIES = {
    "nothing": b"",
    "not json": b"{",
    "not utf-8": b'{"title": "\xff\xfe", "content": "0123456789"}',
    "nul": b'{"title": "a\\u0000", "content": "0123456789"}',
    "lone surrogate": b'{"title": "\\ud800", "content": "0123456789"}',
    "lone surrogate as a key": b'{"\\ud800": 1, "title": "a", "content": "0123456789"}',
    "infinity": b'{"title": 1e999, "content": "0123456789"}',
    "not a number": b'{"title": NaN, "content": "0123456789"}',
    "2^31": b'{"title": 2147483648, "content": 4294967296, "published": 18446744073709551616}',
    "a million digits": b'{"title": ' + b"9" * 1_000_000 + b"}",
    "1000 deep": b'{"title": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "100000 deep": b"[" * 100_000 + b"]" * 100_000,
    "another type": b'["title"]',
    "null": b"null",
    "the same twice": b'{"title": "a", "title": null, "content": "0123456789"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_robustness_29_bodies(people: People, body: bytes) -> None:
    ada = await people.join()
    for response in (
        await ada.client.post("/articles", content=body, headers=JSON),
        await ada.client.post("/auth/register", content=body, headers=JSON),
        await ada.client.post("/auth/login", content=body, headers=JSON),
    ):
        assert 400 <= response.status_code < 500
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "value", ["%00", "%ED%A0%80", "%FF", str(2**31), str(2**63), str(2**64), "1e999", "NaN", "-0x1"]
)
@pytest.mark.parametrize("parameter", ["limit", "skip", "sort", "published", "unknown"])
async def test_robustness_29_queries(client: httpx.AsyncClient, parameter: str, value: str) -> None:
    response = await client.get(f"/articles?{parameter}={value}")
    if (parameter, value) == ("skip", str(2**31)):
        assert response.json() == []
    else:
        assert response.status_code == 422


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/json; charset=latin-1", "nonsense"]
)
async def test_another_content_type(people: People, content_type: str) -> None:
    ada = await people.join()
    response = await ada.client.post("/articles", content=b"<article/>", headers={"content-type": content_type})
    assert 400 <= response.status_code < 500


async def test_forms_of_every_kind_are_answered(client: httpx.AsyncClient) -> None:
    for content, kind in (
        (b"username=%00&password=%FF", "application/x-www-form-urlencoded"),
        (b"username=a&username=b&password=", "application/x-www-form-urlencoded"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="username"; filename="f"\r\n\r\nfile\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ):
        response = await client.post("/auth/login", content=content, headers={"content-type": kind})
        assert 400 <= response.status_code < 500, response.text


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [("/auth/register", "application/json"), ("/auth/login", "application/x-www-form-urlencoded")],
)
async def test_robustness_30_a_body_over_the_limit(
    client: httpx.AsyncClient, settings: Settings, path: str, kind: str, declared: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(settings.max_body_bytes // 1000 + 1):
            yield b" " * 1000

    body = b" " * (settings.max_body_bytes + 1) if declared else chunks()
    response = await client.post(path, content=body, headers={"content-type": kind})
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_culprit_has_a_name(client: httpx.AsyncClient) -> None:
    broken = (await client.post("/auth/register", content=b'{"email" 1}', headers=JSON)).json()
    assert broken["errors"][0]["loc"] == ["body"]
    assert "at character 9" in broken["errors"][0]["msg"]
    nul = (await client.post("/auth/login", data={"username": "a\0", "password": "x"})).json()
    assert nul["errors"][0]["loc"] == ["body", "username"]


async def test_ten_thousand_mistakes_are_not_told_one_by_one(client: httpx.AsyncClient) -> None:
    response = await client.post("/auth/register", json={f"unknown{number}": 1 for number in range(10_000)})
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 100
