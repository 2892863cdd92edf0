"""What holds for every route, and for what is none. Who may ask is in `test_access.py`."""

import httpx
import pytest


@pytest.mark.parametrize("path", ["/nope", "/articles/1/nope", "/%00", "/%ED%A0%80", "//", "/articles//"])
async def test_what_is_not_there_is_a_problem_like_any_other(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    if response.status_code == 200:
        assert path in {"//", "/articles//"}
        return
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    response = await client.put("/articles")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"] == "GET, HEAD, POST"
    response = await client.post("/articles/1")
    assert response.headers["allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize("path", ["/health/live", "/articles", "/docs", "/nope"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert head.content == b""
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"] == get.headers["content-length"]
