"""Schemas by hand in the place of generated ones."""

from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from pydantic import computed_field, field_serializer
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.dependencies import Reads
from app.headers import conditional
from app.models.base import Declarative
from app.models.resource import Access, Resource
from app.resources.collection import Collection
from app.schemas.base import Output
from tests.resources.conftest import Keyed, Serve, new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = Declarative.type_annotation_map
    __mapper_args__ = Declarative.__mapper_args__


class Word(Keyed, Base):
    __tablename__ = "words"
    __resource__ = Resource(read=Access.anyone, write=Access.user)

    text: Mapped[str] = mapped_column(String(20))
    length: Mapped[int | None]


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

    @router.get("/shown", response_model=None, responses=conditional(), openapi_extra=shown.list_parameters)
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
