"""A request is answered by the route that FastAPI would find, and as FastAPI would."""

from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Form, Request, Response
from httpx import ASGITransport
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Match, Mount, NoMatchFound
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from app.application import create_app
from app.config import Settings
from app.middleware import plain_reads
from app.routing import Route, Router


def application() -> tuple[FastAPI, APIRouter]:
    articles, anything, root = APIRouter(prefix="/articles"), APIRouter(), APIRouter()

    @articles.get("/{name}")
    async def read_article(name: str) -> str:
        return f"article {name}"

    @anything.get("/{word}/of/{other}")
    async def read_anything(word: str, other: str) -> str:
        return f"{word} of {other}"

    @root.get("/")
    async def read_root() -> str:
        return "root"

    app = FastAPI()
    for router in (root, articles, anything):
        app.include_router(router)
    plain_reads.install(app)
    return app, articles


async def get(app: FastAPI, path: str, method: str = "GET", root_path: str = "") -> tuple[int, object]:
    transport = ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.request(method, path)
    return response.status_code, response.json()


@pytest.mark.parametrize("root_path", ["", "/api"])
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", "root"),
        ("/articles/7", "article 7"),
        ("/articles/articles", "article articles"),
        ("/articles/of/7", "articles of 7"),
        ("/piece/of/cake", "piece of cake"),
    ],
)
async def test_a_request_finds_its_route(root_path: str, path: str, found: str) -> None:
    app, _ = application()
    assert await get(app, f"{root_path}{path}", root_path=root_path) == (200, found)


async def test_what_has_no_route_is_not_there() -> None:
    app, _ = application()
    for path in ("/article/7", "/articles", "/articlesx/7", "//articles/7"):
        status, _ = await get(app, path)
        assert status == 404, path
    assert (await get(app, "/articles/7", "POST"))[0] == 405


async def test_a_route_that_is_added_later_is_found() -> None:
    app, articles = application()
    assert (await get(app, "/articles/7/comments"))[0] == 404

    @articles.get("/{name}/comments")
    async def list_comments(name: str) -> list[str]:
        return [name]

    assert await get(app, "/articles/7/comments") == (200, ["7"])


async def test_of_several_the_first_is_found_whatever_it_is() -> None:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse('"mounted"')(scope, receive, send)

    async def first() -> str:
        return "first"

    async def second(name: str) -> str:
        return f"second {name}"

    app = FastAPI()
    app.add_api_route("/one/fixed", first)
    app.router.routes.append(Mount("/two", mounted))
    app.add_api_route("/{_any}/{name}", second)
    app.add_api_route("/one/{name}", first)
    app.add_api_route("/two/{name}", first)
    inner = APIRouter()
    inner.routes.append(Mount("/mounted", mounted))
    app.include_router(inner, prefix="/three/four")
    plain_reads.install(app)
    asked = ["/one/fixed", "/one/7", "/two/7", "/three/7", "/three/four/mounted/7"]
    found = [(await get(app, path))[1] for path in asked]
    assert found == ["first", "second 7", "mounted", "second 7", "mounted"]


async def test_keys_of_where_the_application_is_mounted_are_known_to_its_routes() -> None:
    async def endpoint(request: Request) -> dict[str, str]:
        return request.path_params

    inner, outer = FastAPI(), FastAPI()
    inner.add_api_route("/articles/{name}", endpoint)
    plain_reads.install(inner)
    outer.mount("/{tenant}", inner)
    assert await get(outer, "/ada/articles/7") == (200, {"tenant": "ada", "name": "7"})


async def test_limits_of_a_router_for_bodies_are_kept() -> None:
    async def of_starlette(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    async def of_fastapi(a: Annotated[str, Form()]) -> str:
        return a

    inner, outer, app = APIRouter(), APIRouter(), FastAPI()
    inner.add_route("/starlette", of_starlette, methods=["POST"])
    inner.add_api_route("/fastapi", of_fastapi, methods=["POST"])
    outer.include_router(inner, prefix="/inner", form_limits={"max_fields": 1}, max_body_size=9)
    app.include_router(outer, prefix="/outer")
    plain_reads.install(app)
    async with httpx.AsyncClient(transport=ASGITransport(app), base_url="http://test/outer/inner") as client:
        assert (await client.post("/starlette", content="x" * 9)).text == "9"
        assert (await client.post("/starlette", content="x" * 10)).status_code == 413
        assert (await client.post("/fastapi", data={"a": "1"})).status_code == 200
        assert (await client.post("/fastapi", data={"a": "1", "b": "2"})).status_code == 400


async def test_a_class_of_routes_may_choose_its_requests_itself() -> None:
    class OfVersion(Route):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            match, child_scope = super().matches(scope)
            return (match, child_scope) if self.name in scope["query_string"].decode() else (Match.NONE, {})

    async def first() -> Response:
        return JSONResponse("first")

    async def second() -> Response:
        return JSONResponse("second")

    router, app = APIRouter(route_class=OfVersion), FastAPI()
    for endpoint in (first, second):
        router.add_api_route("/versions", endpoint)
    app.include_router(router)
    plain_reads.install(app)
    for version in ("first", "second"):
        assert await get(app, f"/versions?{version}") == (200, version)
    assert (await get(app, "/versions"))[0] == 404


async def test_what_is_allowed_is_told_of_every_route(settings: Settings, tmp_path: Path) -> None:
    async def tell(request: Request) -> Response:
        return JSONResponse(request.method)

    (tmp_path / "a.txt").write_text("a")
    app = create_app(settings)
    app.add_api_route("/several", tell, methods=["OPTIONS", "POST"])
    app.mount("/static", StaticFiles(directory=tmp_path))
    async with httpx.AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        for path, allowed in (("/several", "OPTIONS, POST"), ("/static/a.txt", "GET, HEAD")):
            answer = await client.put(path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("kind", [Router, APIRouter])
async def test_a_slash_at_the_end_is_kept_where_a_route_wants_it(settings: Settings, kind: type[APIRouter]) -> None:
    router, inner, everything = kind(prefix="/things"), FastAPI(), Starlette()

    async def tell(request: Request) -> Response:
        return JSONResponse(request.path_params.get("path", request.scope["path"]))

    for path in ("/", "/{id}", "/of/{path:path}"):
        router.add_api_route(path, tell)
    inner.add_api_route("/", tell)
    inner.add_api_route("/deep/", tell)
    everything.add_route("/{path:path}", tell)
    app = create_app(settings)
    app.include_router(router)
    app.mount("/inner", inner)
    app.mount("/", everything)
    for asked, found in (
        ("/things/", "/things/"),
        ("/things/7", "/things/7"),
        ("/things/7/", "/things/7"),
        ("/things/of/a", "a"),
        ("/things/of/a/", "a/"),
        ("/inner/", "/inner/"),
        ("/inner/deep/", "/inner/deep/"),
        ("/health/live/", None),
        ("/else/", "else/"),
    ):
        status, said = await get(app, asked)
        assert (status, found and said) == (200, found), asked


async def test_the_path_of_a_route_is_found_by_its_name() -> None:
    app, _ = application()
    assert app.url_path_for("read_article", name="7") == "/articles/7"
    with pytest.raises(NoMatchFound):
        app.url_path_for("read_nothing")


async def test_so_it_is_beside_generated_routes(app: FastAPI) -> None:
    assert app.url_path_for("list_articles") == "/articles"
    with pytest.raises(NoMatchFound):
        app.url_path_for("read_nothing")
