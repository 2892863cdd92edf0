"""Routes by hand beside the generated ones, and services with rules of their own."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from pydantic import computed_field, field_serializer
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import app.routers
import app.services
from app.auth.dependencies import CurrentUser
from app.config import Settings
from app.dependencies import Reads, Uow
from app.main import create_app
from app.models.base import Declarative
from app.models.resource import Access, Resource
from app.resources.collection import Collection
from app.resources.compilation import ResourceError
from app.resources.overrides import overrides
from app.schemas.base import Output
from tests.resources.conftest import Keyed, Serve, World, assemble, new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = Declarative.type_annotation_map
    __mapper_args__ = Declarative.__mapper_args__


class Word(Keyed, Base):
    __tablename__ = "words"
    __resource__ = Resource(read=Access.anyone, write=Access.user)

    text: Mapped[str] = mapped_column(String(20))
    length: Mapped[int | None]


BY_HAND = {"by": "hand"}


def router_with(method: str, path: str, *, marked: bool = False) -> APIRouter:
    async def by_hand() -> dict[str, str]:
        return BY_HAND

    router = APIRouter()
    router.add_api_route(path, overrides(by_hand) if marked else by_hand, methods=[method])
    return router


def served(settings: Settings, *routers: APIRouter) -> dict[str, Any]:
    """The paths of the application with these routers."""
    paths: dict[str, Any] = assemble(Base, settings, *routers).openapi()["paths"]
    return paths


class TestByHand:
    @pytest.mark.parametrize(
        ("method", "path", "url"),
        [
            ("GET", "/words", "/words"),
            ("POST", "/words", "/words"),
            ("GET", "/words/{word_id}", "/words/1"),
            ("GET", "/words/{anything}", "/words/1"),
            ("GET", "/words/{word_id:int}", "/words/1"),
            ("PATCH", "/words/{id}", "/words/1"),
            ("DELETE", "/words/{x}", "/words/1"),
        ],
    )
    @pytest.mark.parametrize("marked", [False, True])
    async def test_wins(self, serve: Serve, method: str, path: str, url: str, *, marked: bool) -> None:
        world = await serve(Base, router_with(method, path, marked=marked))
        assert (await world.client.request(method, url)).json() == BY_HAND

    def test_appears_once_under_its_own_name(self, settings: Settings) -> None:
        generated = served(settings)
        for path in ("/words/{word_id}", "/words/{anything}"):
            paths = served(settings, router_with("GET", path))
            assert len([one for one in paths if one.startswith("/words/{")]) == 1, "templates of one shape are one path"
            assert paths[path]["get"]["operationId"] == "by_hand"
            assert [paths[path][method]["operationId"] for method in ("patch", "delete")] == [
                generated["/words/{word_id}"][method]["operationId"] for method in ("patch", "delete")
            ]
            for method in ("patch", "delete"):
                (named,) = (one["name"] for one in paths[path][method]["parameters"] if one["in"] == "path")
                assert f"{{{named}}}" in path

    async def test_leaves_the_other_methods_generated(self, serve: Serve) -> None:
        world = await serve(Base, router_with("GET", "/words/{key}"))
        ada = await world.people.join()
        assert (await ada.client.post("/words", json={"text": "a"})).status_code == 201
        assert (await ada.client.patch("/words/1", json={"text": "b"})).json()["text"] == "b"
        assert (await ada.client.get("/words/1")).json() == BY_HAND
        assert (await ada.client.delete("/words/1")).status_code == 204
        assert (await ada.client.get("/words")).json() == []

    async def test_may_use_the_database(self, serve: Serve) -> None:
        router = APIRouter()

        @overrides
        @router.get("/words/{text}")
        async def count_word(text: str, reader: Reads) -> dict[str, int]:
            return {text: len(await reader.all(select(Word).where(Word.text == text)))}

        @overrides
        @router.post("/words", status_code=201, response_class=Response)
        async def create_word(uow: Uow, _user: CurrentUser) -> None:
            uow.session.add(Word(text="made"))

        world = await serve(Base, router)
        ada = await world.people.join()
        assert (await world.client.post("/words")).status_code == 401
        assert (await ada.client.post("/words")).status_code == 201
        assert (await world.client.get("/words/made")).json() == {"made": 1}
        assert [one["text"] for one in (await world.client.get("/words")).json()] == ["made"]

    async def test_a_word_in_the_path_beats_a_key(self, serve: Serve) -> None:
        world = await serve(Base, router_with("GET", "/words/special"))
        ada = await world.people.join()
        await ada.client.post("/words", json={"text": "a"})
        assert (await world.client.get("/words/special")).json() == BY_HAND
        assert (await world.client.get("/words/1")).json()["text"] == "a"
        assert (await ada.client.delete("/words/special")).status_code == 422
        assert {"/words/special", "/words/{word_id}"} <= world.app.openapi()["paths"].keys()


class Brief(Output):
    """Less than the model shows."""

    id: int
    text: str


class Loud(Output):
    """The same fields, one of them told in another way."""

    id: int
    text: str
    length: int | None

    @field_serializer("text")
    def _loudly(self, value: str) -> str:
        return value.upper()


class Counted(Output):
    """More than the columns."""

    id: int
    text: str
    length: int | None

    @computed_field
    def size(self) -> int:
        return len(self.text)


def list_of(schema: type[Output]) -> APIRouter:
    """A list by hand that shows words by this schema."""
    router = APIRouter()
    model: Any = Word
    shown: Collection[Any] = Collection(model, schema)

    @router.get("/shown", response_model=None, openapi_extra=shown.list_parameters)
    async def list_shown(request: Request, reader: Reads) -> Response:
        return await shown.page(request, reader)

    return router


class TestSchemasByHand:
    @pytest.mark.parametrize(
        ("schema", "row"),
        [
            (Brief, {"id": 1, "text": "a"}),
            (Loud, {"id": 1, "text": "A", "length": 5}),
            (Counted, {"id": 1, "text": "a", "length": 5, "size": 1}),
        ],
    )
    async def test_show_what_they_say_and_no_more(
        self, serve: Serve, schema: type[Output], row: dict[str, Any]
    ) -> None:
        world = await serve(Base, list_of(schema))
        await (await world.people.join()).client.post("/words", json={"text": "a", "length": 5})
        assert (await world.client.get("/shown")).json() == [row]
        assert (await world.client.get("/shown?fields=text")).json() == [{"text": row["text"]}]

    @pytest.mark.parametrize("asked", ["fields=length", "length=5", "length__gt=1", "sort=length"])
    async def test_what_they_leave_out_cannot_be_asked_for(self, serve: Serve, asked: str) -> None:
        world = await serve(Base, list_of(Brief))
        response = await world.client.get(f"/shown?{asked}")
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["query", asked.partition("=")[0]])
        assert "length" not in str(world.app.openapi()["paths"]["/shown"])


class TestMarked:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/wrods"), ("PUT", "/words"), ("GET", "/words/{a}/{b}"), ("POST", "/words/{a}"), ("GET", "/words/x")],
    )
    def test_what_overrides_nothing_fails_the_start_by_name(self, settings: Settings, method: str, path: str) -> None:
        with pytest.raises(ResourceError) as refused:
            assemble(Base, settings, router_with(method, path, marked=True))
        assert "by_hand overrides" in str(refused.value)
        assert __name__ in str(refused.value)
        assert f"{method} /w" in str(refused.value)

    def test_without_the_mark_it_is_simply_a_route(self, settings: Settings) -> None:
        assert "/wrods" in served(settings, router_with("GET", "/wrods"))


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Writes a module into a package of the application, where it is found like any other."""
    names: list[str] = []

    def write(package: Any, source: str) -> None:
        name = f"made_up_{tmp_path.name.replace('-', '_')}_{len(names)}"
        names.append(f"{package.__name__}.{name}")
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])

    yield write
    for name in names:
        sys.modules.pop(name, None)
    gc.collect()


class TestDiscovered:
    def test_a_router_that_overrides_nothing_fails_create_app(self, settings: Settings, found: Any) -> None:
        found(
            app.routers,
            "from fastapi import APIRouter\n"
            "from app.resources.overrides import overrides\n"
            "router = APIRouter()\n\n"
            "@overrides\n@router.get('/tagz')\nasync def list_tagz() -> None: ...\n",
        )
        with pytest.raises(
            ResourceError, match=r"made_up_\w+\.list_tagz overrides GET /tagz, which no model generates"
        ):
            create_app(settings)

    def test_what_is_commented_out_or_in_a_string_changes_nothing(self, settings: Settings, found: Any) -> None:
        found(
            app.routers,
            "from fastapi import APIRouter\n"
            "router = APIRouter()\n\n"
            "# @overrides\n# @router.get('/tags')\n# async def list_tags() -> None: ...\n"
            "WORDS = \"@overrides @router.get('/tags') @router.delete('/tags/{tag_id}')\"\n",
        )
        paths = create_app(settings).openapi()["paths"]
        assert paths["/tags"].keys() == {"get", "post"}
        assert paths["/tags"]["get"]["description"].startswith("The tags of your workspace.")
        assert "delete" in paths["/tags/{tag_id}"]


class TestMethods:
    async def test_a_wrong_one_is_told_the_right_ones(self, serve: Serve) -> None:
        world = await serve(Base, router_with("GET", "/words/{key}"))
        for path, allowed in (("/words", "GET, HEAD, POST"), ("/words/1", "DELETE, GET, HEAD, PATCH")):
            response = await world.client.put(path)
            assert (response.status_code, response.headers["allow"]) == (405, allowed)
            assert response.headers["content-type"] == "application/problem+json"
        assert (await world.client.put("/words/1/nothing")).status_code == 404
        assert (await world.client.put("/wordsworth")).status_code == 404

    async def test_head_and_a_slash_at_the_end(self, serve: Serve) -> None:
        world = await serve(Base)
        ada = await world.people.join()
        assert (await ada.client.post("/words/", json={"text": "a"})).status_code == 201
        for path in ("/words", "/words/1", "/words/2"):
            get, slash, head = [
                await world.client.request(method, f"{path}{end}")
                for method, end in (("GET", ""), ("GET", "/"), ("HEAD", ""))
            ]
            assert get.status_code == slash.status_code == head.status_code == (404 if path == "/words/2" else 200)
            assert head.content == b""
            assert head.headers["content-length"] == get.headers["content-length"]


# ---------------------------------------------------------------------------------------------------------- services

MODELS: dict[str, Any] = {}


def fresh() -> type[DeclarativeBase]:
    """Words of their own for each test: its services are for them alone."""

    class Own(DeclarativeBase):
        metadata = new_metadata()
        type_annotation_map = Declarative.type_annotation_map
        __mapper_args__ = Declarative.__mapper_args__

    for name in ("Word", "Log"):
        mapped: dict[str, Any] = {"text": mapped_column(String(20)), "length": mapped_column(nullable=True)}
        mapped["__annotations__"] = {"text": Mapped[str], "length": Mapped[int | None]}
        said = {"__tablename__": f"{name.lower()}s", "__resource__": Resource(read=Access.anyone, write=Access.user)}
        MODELS[name] = type(name, (Keyed, Own), mapped | said)
    return Own


HEAD = f"""
from typing import Any
from {__name__} import MODELS
from app.errors import Conflict, Invalid
from app.services.resource import ResourceService
Word, Log = MODELS["Word"], MODELS["Log"]

class WordService(ResourceService[Any]):
    model = Word

"""


async def with_service(serve: Serve, found: Any, methods: str) -> tuple[World, Any]:
    base = fresh()
    found(app.services, HEAD + methods)
    world = await serve(base)
    return world, (await world.people.join()).client


LENGTHS = """
    async def before_create(self, row: Any) -> None:
        row.text = row.text.strip()
        row.length = len(row.text)

    async def before_update(self, row: Any, changes: dict[str, Any]) -> None:
        assert row.text != changes.get("text")
        if "text" in changes:
            changes["length"] = len(changes["text"])

    async def before_delete(self, row: Any) -> None:
        if row.text == "kept":
            raise Conflict("This one stays")
"""

LOGS = """
    async def _log(self, what: str) -> None:
        self.uow.session.add(Log(text=what))
        await self.uow.session.flush()

    async def after_create(self, row: Any) -> None:
        assert row.id is not None
        await self._log(f"created {row.text}")
        if row.text == "bad":
            raise Invalid("No such word", "text")

    async def after_update(self, row: Any) -> None:
        await self._log(f"updated {row.text}")
        if row.text == "bad":
            raise Conflict("No such word")

    async def after_delete(self, row: Any) -> None:
        await self._log(f"deleted {row.text}")
        if row.length == 1:
            raise Conflict("Not this one")
"""


class TestServices:
    async def test_may_change_and_refuse_before(self, serve: Serve, found: Any) -> None:
        _, client = await with_service(serve, found, LENGTHS)
        made = await client.post("/words", json=[{"text": " a "}, {"text": "kept", "length": 99}])
        assert made.json() == [{"id": 1, "text": "a", "length": 1}, {"id": 2, "text": "kept", "length": 4}]
        assert (await client.patch("/words/1", json={"text": "abc"})).json()["length"] == 3
        assert (await client.patch("/words/1", json={"length": 9})).json() == {"id": 1, "text": "abc", "length": 9}
        refused = await client.delete("/words/2")
        assert (refused.status_code, refused.json()["detail"]) == (409, "This one stays")
        assert (await client.delete("/words/1")).status_code == 204

    async def test_what_follows_is_part_of_the_transaction(self, serve: Serve, found: Any) -> None:
        world, client = await with_service(serve, found, LOGS)

        async def texts(path: str) -> list[str]:
            return [one["text"] for one in (await world.client.get(f"{path}?sort=id")).json()]

        assert (await client.post("/words", json=[{"text": "one"}, {"text": "two"}])).status_code == 201
        assert (await client.patch("/words/1", json={"text": "uno"})).status_code == 200
        assert (await client.delete("/words/2")).status_code == 204
        logged = ["created one", "created two", "updated uno", "deleted two"]
        assert await texts("/logs") == logged
        failed = await client.post("/words", json=[{"text": "good"}, {"text": "bad"}])
        assert (failed.status_code, failed.json()["errors"][0]["loc"]) == (422, ["body", "text"])
        failed = await client.patch("/words/1", json={"text": "bad", "length": 1})
        assert (failed.status_code, failed.json()["detail"]) == (409, "No such word")
        assert (await client.patch("/words/1", json={"length": 1})).status_code == 200
        failed = await client.delete("/words/1")
        assert (failed.status_code, failed.json()["detail"]) == (409, "Not this one")
        assert await texts("/words") == ["uno"]
        assert await texts("/logs") == [*logged, "updated uno"]

    async def test_may_stand_on_one_of_several(self, serve: Serve, found: Any) -> None:
        """What several services share stands in a class that is for no model."""
        base = fresh()
        shared = HEAD.replace("    model = Word\n", LENGTHS)
        found(app.services, f"{shared}\nclass Concrete(WordService):\n    model = Word\n")
        world = await serve(base)
        made = await (await world.people.join()).client.post("/words", json={"text": "abc"})
        assert made.json()["length"] == 3

    def test_two_for_one_model_refuse_the_start(self, settings: Settings, found: Any) -> None:
        base = fresh()
        found(app.services, f"{HEAD}    pass\n\nclass OtherService(ResourceService[Any]):\n    model = Word\n")
        with pytest.raises(ResourceError) as refused:
            assemble(base, settings)
        assert all(name in str(refused.value) for name in ("WordService", "OtherService", "Word"))
