"""Every route needs an account, or is on this list."""

import re

import httpx
import pytest
from fastapi import FastAPI

PUBLIC = {
    "GET /",
    "GET /health/live",
    "GET /health/ready",
    "POST /auth/register",
    "POST /auth/login",
    "POST /auth/logout",
    "GET /articles",
    "GET /articles/{article_id}",
}


def operations(app: FastAPI) -> dict[str, dict[str, object]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_other_route_asks_who_is_calling(app: FastAPI, client: httpx.AsyncClient) -> None:
    guarded = operations(app).keys() - PUBLIC
    assert guarded
    for operation in guarded:
        method, path = operation.split()
        response = await client.request(method, re.sub(r"\{\w+\}", "1", path), json={})
        assert response.status_code == 401, f"{operation} answers {response.status_code} to nobody"


async def test_the_list_is_true(app: FastAPI, client: httpx.AsyncClient) -> None:
    assert operations(app).keys() >= PUBLIC
    for operation in PUBLIC:
        method, path = operation.split()
        response = await client.request(method, re.sub(r"\{\w+\}", "1", path), json={})
        assert response.status_code != 401, f"{operation} is no longer public: take it off the list"


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
