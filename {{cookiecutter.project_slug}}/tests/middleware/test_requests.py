import json
import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, HTTPException, WebSocket
from starlette.responses import StreamingResponse
from starlette.types import Message

from app.config import Settings
from app.errors import NotFound
from app.main import create_app
from tests.contract import ContractTransport


@pytest.fixture
def broken(settings: Settings) -> FastAPI:
    """The application with two routes that fail."""
    app = create_app(settings)

    @app.get("/broken")
    def fail() -> None:
        raise RuntimeError("SELECT secret FROM users")

    @app.get("/half", response_class=StreamingResponse)
    def fail_halfway() -> StreamingResponse:
        def body() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError("in the middle")

        return StreamingResponse(body())

    return app


async def test_robustness_32_the_unexpected_is_told_to_the_logs_only(
    broken: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    async with httpx.AsyncClient(transport=ContractTransport(broken), base_url="http://test") as client:
        response = await client.get("/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "SELECT" not in response.text


async def test_an_answer_that_breaks_off_is_not_passed_for_whole(broken: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(broken), base_url="http://test") as client:
        with pytest.raises(RuntimeError, match="in the middle"):
            await client.get("/half")


@pytest.mark.parametrize("given", ["abc", "0af7" * 8, "a.b_c-d", "x" * 64])
async def test_a_request_id_is_taken_over(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/nope", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"}', "é", "a\tb"])
async def test_or_made_when_it_could_do_harm(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/nope", headers=[(b"X-Request-ID", given.encode())])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def test_browsers_of_named_origins_may_read_answers_errors_too(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"backend_cors_origins": ["https://app.example.com"]}))
    async with httpx.AsyncClient(transport=ContractTransport(app), base_url="http://test") as client:
        for origin, allowed in (
            ("https://app.example.com", "https://app.example.com"),
            ("https://evil.example.com", None),
        ):
            response = await client.get("/nope", headers={"Origin": origin})
            assert response.headers.get("access-control-allow-origin") == allowed
            if allowed:
                readable = response.headers["access-control-expose-headers"]
                assert {"ETag", "Link", "Location", "X-Request-ID", "X-Total-Count"} <= set(readable.split(", "))


@pytest.mark.parametrize(("word", "status"), [("http", 403), ("own", 404)])
async def test_a_websocket_is_refused_as_a_request_is(settings: Settings, word: str, status: int) -> None:
    app = create_app(settings)

    @app.websocket("/talk/{word}")
    async def talk(_socket: WebSocket, word: str) -> None:
        raise HTTPException(403, "Not you") if word == "http" else NotFound("Talk")

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": f"/talk/{word}",
        "query_string": b"",
        "headers": [(b"host", b"test")],
        "client": ("192.0.2.1", 1),
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    start, body = sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert json.loads(body["body"])["status"] == status
