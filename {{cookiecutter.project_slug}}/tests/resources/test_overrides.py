"""Routes by hand beside the generated ones."""

from typing import Any

import pytest
from fastapi import APIRouter, Response
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
from app.resources.declaration import ResourceError
from app.resources.overrides import overrides
from tests.resources.conftest import Keyed, Serve, assemble, new_metadata


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
