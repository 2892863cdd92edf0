"""What is answered without FastAPI is answered as FastAPI would."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request, Response, Security
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute
from httpx import ASGITransport
from starlette.types import ASGIApp, Receive, Scope, Send

from app.idempotency import IdempotentRoute
from app.middleware import plain_reads
from app.plain_reads import Read
from app.routing import Route
from tests.people import People

Number = Annotated[int, Path(ge=1, le=9)]


class Log:
    """What was called, in its order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._dependencies: dict[str, Any] = {}

    def dependency(self, name: str) -> Any:
        return self._dependencies.setdefault(name, self._new(name))

    def _new(self, name: str) -> Any:
        async def call(request: Request) -> str:
            self.lines.append(name)
            if name in request.query_params:
                raise httpx.InvalidURL(name)
            return name

        return call


def application(log: Log, route_class: type[APIRoute]) -> FastAPI:
    """With routes of many kinds. Those whose path ends in `/plain` ask for little."""
    app = FastAPI()
    of_router, of_application = log.dependency("of the router"), log.dependency("of the application")
    router = APIRouter(route_class=route_class, prefix="/in", dependencies=[Depends(of_router)])
    add_plain_reads(router, log)
    add_others(router, log)
    add_what_fastapi_calls_its_way(router, log)
    app.include_router(router, prefix="/out", dependencies=[Depends(of_application)])
    app.exception_handler(httpx.InvalidURL)(_answer)
    app.exception_handler(RuntimeError)(_answer)
    return app


def add_plain_reads(router: APIRouter, log: Log) -> None:
    first, second = log.dependency("first"), log.dependency("second")

    async def both(one: Annotated[str, Depends(first)], two: Annotated[str, Depends(second)]) -> str:
        log.lines.append("both")
        return f"{one} and {two}"

    class Method:
        async def __call__(self, request: Request) -> str:
            return request.method

    @router.get("/{number}/{word}/plain")
    async def keys(
        number: Number,
        word: Annotated[str, Path(max_length=5)],
        two: Annotated[str, Depends(second)],
        pair: Annotated[str, Depends(both)],
        method: Annotated[str, Depends(Method())],
    ) -> Response:
        return Response(f"{number!r} {word!r} {two} {pair} {method}")

    @router.get("/under/another/{number}/plain")  # noqa: FAST003  # it is in it, by its alias
    async def other_name(key: Annotated[int, Path(validation_alias="number")]) -> Response:
        return Response(repr(key))

    @router.get("/file/plain")
    async def file(request: Request) -> Response:
        return FileResponse(request.query_params["of"])

    @router.get("/nothing/plain")
    async def nothing() -> Response:
        log.lines.append("endpoint")
        return Response("", 204)


def add_others(router: APIRouter, log: Log) -> None:
    first = log.dependency("first")

    async def opened() -> AsyncIterator[str]:
        log.lines.append("open")
        yield "opened"
        log.lines.append("closed")

    async def value(limit: int = 3) -> dict[str, int]:
        return {"limit": limit}

    async def header(language: Annotated[str, Header()], _one: Annotated[str, Depends(first)]) -> Response:
        return Response(language)

    async def in_a_block(what: Annotated[str, Depends(opened, scope="function")]) -> Response:
        log.lines.append("endpoint")
        return Response(what)

    async def headers(response: Response) -> str:
        response.headers["X-Set"] = "yes"
        return "set"

    def thread(one: Annotated[str, Depends(first)]) -> Response:
        return Response(one)

    for endpoint in (value, header, in_a_block, headers, thread):
        router.add_api_route(f"/{endpoint.__name__}", endpoint)

    @router.post("/nothing/plain")
    async def write() -> Response:
        return Response("written", 201)


def add_what_fastapi_calls_its_way(router: APIRouter, log: Log) -> None:
    first = log.dependency("first")

    async def twice(
        one: Annotated[str, Depends(first, use_cache=False)], two: Annotated[str, Depends(first, use_cache=False)]
    ) -> Response:
        return Response(one + two)

    async def twice_then(
        one: Annotated[str, Depends(first)], two: Annotated[str, Depends(first, use_cache=False)]
    ) -> Response:
        return Response(one + two)

    async def in_two_scopes(
        one: Annotated[str, Depends(first)], two: Annotated[str, Depends(first, scope="function")]
    ) -> Response:
        return Response(one + two)

    async def with_scopes(
        one: Annotated[str, Depends(first)], two: Annotated[str, Security(first, scopes=["all"])]
    ) -> Response:
        return Response(one + two)

    async def one_at_a_time(one: Annotated[str, Depends(first, max_concurrency=1)]) -> Response:
        return Response(one)

    for endpoint in (twice, twice_then, in_two_scopes, with_scopes, one_at_a_time):
        router.add_api_route(f"/{endpoint.__name__}", endpoint)


async def _answer(_request: Request, error: Exception) -> Response:
    return Response(f"refused: {error}", 400)


async def told(app: FastAPI, method: str, path: str) -> tuple[int, str, dict[str, str]]:
    async with httpx.AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        answer = await client.request(method, path, headers={"language": "en"})
        return answer.status_code, answer.text, dict(answer.headers)


PATHS = [
    "/out/in/7/seven/plain",
    "/out/in/7/se%2Fven/plain",
    "/out/in/0/sevenseven/plain",
    "/out/in/x/seven/plain",
    "/out/in/x/seven/plain?second",
    "/out/in/7/seven/plain?of%20the%20application",
    "/out/in/7/seven/plain?of%20the%20router&second",
    "/out/in/under/another/7/plain",
    "/out/in/under/another/x/plain",
    "/out/in/nothing/plain",
    f"/out/in/file/plain?of={__file__}",
    "/out/in/file/plain?of=/no/such/file",
    "/out/in/value?limit=5",
    "/out/in/header?first",
    "/out/in/header",
    "/out/in/value?limit=x",
    "/out/in/in_a_block",
    "/out/in/headers",
    "/out/in/thread",
    "/out/in/twice",
    "/out/in/twice_then",
    "/out/in/in_two_scopes",
    "/out/in/with_scopes",
    "/out/in/one_at_a_time",
    "/out/in/nowhere",
]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were answered without FastAPI."""
    paths: list[str] = []
    answer = Read.__call__

    async def note(self: Read, request: Request) -> Response:
        paths.append(request.url.path)
        return await answer(self, request)

    monkeypatch.setattr(Read, "__call__", note)
    return paths


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
async def test_answers_calls_and_errors_are_those_of_fastapi(method: str, path: str) -> None:
    expected, seen = Log(), Log()
    as_it_is, ours = application(expected, APIRoute), application(seen, Route)
    plain_reads.install(ours)
    assert await told(ours, method, path) == await told(as_it_is, method, path)
    assert seen.lines == expected.lines


async def test_fastapi_is_passed_by_where_little_is_asked_for_and_nowhere_else(read: list[str]) -> None:
    app = application(Log(), Route)
    plain_reads.install(app)
    for path in PATHS:
        await told(app, "GET", path)
    assert read == [path.partition("?")[0] for path in PATHS if "plain" in path and "%2F" not in path]


async def test_an_error_that_nobody_answers_leaves_the_application() -> None:
    app = FastAPI()

    async def fail() -> Response:
        raise ZeroDivisionError

    app.router.routes.append(Route("/plain", fail))
    app.exception_handler(Exception)(_answer)  # what answers before the error leaves
    plain_reads.install(app)
    with pytest.raises(ZeroDivisionError):
        await told(app, "GET", "/plain")


async def test_an_error_that_was_answered_is_kept_by_nothing() -> None:
    async def fail() -> Response:
        raise httpx.InvalidURL("gone")

    scopes: list[Scope] = []

    class Kept:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scopes.append(scope)
            await self._app(scope, receive, send)

    app = FastAPI()
    app.router.routes.append(Route("/plain", fail))
    app.exception_handler(httpx.InvalidURL)(_answer)
    plain_reads.install(app)
    app.add_middleware(Kept)
    assert (await told(app, "GET", "/plain"))[0] == 400
    assert not [value for value in scopes[-1].values() if isinstance(value, Exception)]


async def test_an_endpoint_whose_types_cannot_be_read_is_left_to_fastapi_and_no_other_suffers() -> None:
    class Endpoint:
        async def __call__(self, request: Request) -> Response:
            return Response(request.url.path)

    async def of_a_name_for_type_checkers(
        one: Annotated["Unknown", Depends(Endpoint())],  # type: ignore[name-defined]  # noqa: F821
    ) -> Response:
        return Response(one.body)

    @dataclass
    class Equal:
        async def __call__(self, request: Request) -> Response:
            return Response(request.url.path)

    async def of_what_has_no_hash(one: Annotated[Response, Depends(Equal())]) -> Response:
        return one

    app = FastAPI()
    app.router.routes.append(Route("/unhashable", of_what_has_no_hash))
    app.router.routes.append(Route("/object", Endpoint()))
    app.router.routes.append(Route("/partial", partial(Endpoint().__call__)))
    app.router.routes.append(Route("/name", of_a_name_for_type_checkers, response_model=None))
    app.router.routes.append(Route("/other", Endpoint().__call__))
    plain_reads.install(app)
    for path in ("/object", "/partial", "/name", "/other"):
        assert (await told(app, "GET", path))[:2] == (200, path)
    with pytest.raises(TypeError, match="unhashable"):
        await told(app, "GET", "/unhashable")


async def test_an_override_of_a_dependency_is_heeded() -> None:
    log = Log()
    app = application(log, Route)
    plain_reads.install(app)
    await told(app, "GET", "/out/in/nothing/plain")
    app.dependency_overrides[log.dependency("of the router")] = log.dependency("override")
    log.lines.clear()
    await told(app, "GET", "/out/in/nothing/plain")
    assert log.lines == ["of the application", "override", "endpoint"]


@pytest.mark.parametrize("kind", [APIRoute, Route, IdempotentRoute])
async def test_a_class_of_routes_that_does_more_does_it(kind: type[APIRoute]) -> None:
    class Marked(kind):  # type: ignore[misc,valid-type]  # a base that varies
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def handle_and_mark(request: Request) -> Response:
                response: Response = await handle(request)
                response.headers["X-Marked"] = "yes"
                return response

            return handle_and_mark

    app = application(Log(), Marked)
    plain_reads.install(app)
    _, _, headers = await told(app, "GET", "/out/in/nothing/plain")
    assert headers["x-marked"] == "yes"


@pytest.mark.parametrize("path", ["/articles", "/articles/{id}", "/tags", "/tags/{tag_id}/articles"])
async def test_what_most_requests_ask_for_goes_the_short_way(people: People, read: list[str], path: str) -> None:
    ada = await people.join()
    article = await people.write(ada)
    tag = await ada.client.post("/tags", json={"name": "one"})
    path = path.format(id=article.id, tag_id=tag.json()["id"])
    response = await ada.client.get(path)
    assert (response.status_code, read) == (200, [path])
