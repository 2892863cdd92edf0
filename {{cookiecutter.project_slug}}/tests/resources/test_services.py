"""Services with rules of their own around generated routes."""

from typing import Any

import pytest
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import app.routers
import app.services
from app.config import Settings
from app.models.base import Declarative
from app.models.resource import Access, Resource
from app.resources.declaration import ResourceError
from tests.resources.conftest import Keyed, Serve, World, assemble, new_metadata

MODELS: dict[str, Any] = {}


def fresh(write: Access = Access.user) -> type[DeclarativeBase]:
    """Words of their own for each test: its services are for them alone."""

    class Own(DeclarativeBase):
        metadata = new_metadata()
        type_annotation_map = Declarative.type_annotation_map
        __mapper_args__ = Declarative.__mapper_args__

    for name in ("Word", "Log"):
        mapped: dict[str, Any] = {"text": mapped_column(String(20)), "length": mapped_column(nullable=True)}
        mapped["__annotations__"] = {"text": Mapped[str], "length": Mapped[int | None]}
        said = {"__tablename__": f"{name.lower()}s", "__resource__": Resource(read=Access.anyone, write=write)}
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

WHO = """
    async def before_create(self, row: Any) -> None:
        row.length = self.actor.user.id if self.actor.user else 0
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

    async def test_know_who_asks_where_anyone_may(self, serve: Serve, found: Any) -> None:
        base = fresh(Access.anyone)
        found(app.services, HEAD + WHO)
        world = await serve(base)
        ada = await world.people.join()
        made = [await client.post("/words", json={"text": "a"}) for client in (world.client, ada.client)]
        assert [one.json()["length"] for one in made] == [0, ada.user.id]

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
