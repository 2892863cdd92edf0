from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.config import Settings
from app.database.database import open_database
from app.main import create_app
from tests.contract import ContractTransport


async def test_root_says_where_the_documentation_is(client: httpx.AsyncClient, settings: Settings) -> None:
    welcome = (await client.get("/")).json()
    assert welcome["name"] == settings.app_name
    assert (await client.get(welcome["documentation"])).headers["content-type"].startswith("text/html")
    assert (await client.get(welcome["openapi"])).json()["openapi"].startswith("3.")


async def test_documentation_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    for page in ("/docs", "/redoc"):
        html = (await client.get(page)).text
        assert "https://" not in html
        assert "/static-offline-docs/" in html
    assert (await client.get("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200


async def test_ready_when_the_database_answers(client: httpx.AsyncClient) -> None:
    for probe in ("/health/live", "/health/ready"):
        assert (await client.get(probe)).json() == {"status": "ok"}


@pytest.mark.parametrize("trouble", ["down", "unknown user", "no such database", "misspelt"])
async def test_alive_but_not_ready_when_it_does_not(
    settings: Settings, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = urlsplit(settings.dsn)
    url = {
        "down": "postgresql://nobody:secret@127.0.0.1:1/nothing",
        "unknown user": address._replace(netloc=f"nobody:secret@127.0.0.1:{address.port}").geturl(),
        "no such database": address._replace(path="/nothing").geturl(),
        "misspelt": address._replace(query="sslmode=banana").geturl(),
    }[trouble]
    down = settings.model_copy(update={"database_url": SecretStr(url)})
    app: FastAPI = create_app(down)
    async with (
        open_database(down) as app.state.database,
        httpx.AsyncClient(transport=ContractTransport(app), base_url="http://test") as client,
    ):
        assert (await client.get("/health/live")).status_code == 200
        for path in ("/health/ready", "/articles"):
            response = await client.get(path)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert "secret" not in response.text
    logged = capsys.readouterr().out
    assert logged.count("] unavailable ") == 2
    assert "secret" not in logged
