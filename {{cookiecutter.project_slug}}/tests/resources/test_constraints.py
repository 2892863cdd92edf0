"""What PostgreSQL refuses, told by the names that a client knows."""

from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.models.base import Declarative, WorkspaceScoped
from app.models.resource import Access, Resource
from tests.people import Person
from tests.resources.conftest import Keyed, Serve, World, new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = Declarative.type_annotation_map
    __mapper_args__ = Declarative.__mapper_args__


class Shelf(WorkspaceScoped, Keyed, Base):
    __tablename__ = "shelves"
    __resource__ = Resource()

    name: Mapped[str] = mapped_column(String(20))

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "name"))


class Book(WorkspaceScoped, Keyed, Base):
    __tablename__ = "books"
    __resource__ = Resource()

    shelf_id: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[int] = mapped_column(Integer, CheckConstraint("place > 0", name="place"))
    isbn: Mapped[str | None] = mapped_column(String(13), unique=True)

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "shelf_id", "place"),
        ForeignKeyConstraint(["workspace_id", "shelf_id"], ["shelves.workspace_id", "shelves.id"], ondelete="RESTRICT"),
    )


class Country(Base):
    """With a key of its own."""

    __tablename__ = "countries"
    __resource__ = Resource(read=Access.anyone, write=Access.user)

    code: Mapped[str] = mapped_column(String(2), primary_key=True)


async def library(serve: Serve) -> tuple[World, Person]:
    world = await serve(Base)
    ada = await world.people.join()
    assert (await ada.client.post("/shelves", json={"name": "Novels"})).status_code == 201
    assert (await ada.client.post("/books", json={"shelf_id": 1, "place": 1, "isbn": "1"})).status_code == 201
    return world, ada


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/shelves", {"name": "Novels"}, "name is already taken"),
        ("/shelves", [{"name": "Poems"}, {"name": "Novels"}], "name is already taken"),
        ("/books", {"shelf_id": 1, "place": 1}, "shelf_id and place are already taken"),
        ("/books", {"shelf_id": 1, "place": 2, "isbn": "1"}, "isbn is already taken"),
    ],
)
async def test_what_is_taken_has_a_name(serve: Serve, path: str, body: Any, detail: str) -> None:
    _, ada = await library(serve)
    response = await ada.client.post(path, json=body)
    assert (response.status_code, response.json()["detail"]) == (409, detail)
    assert len((await ada.client.get(path)).json()) == 1


async def test_in_a_change_too(serve: Serve) -> None:
    _, ada = await library(serve)
    assert (await ada.client.post("/shelves", json={"name": "Poems"})).status_code == 201
    response = await ada.client.patch("/shelves/2", json={"name": "Novels"})
    assert (response.status_code, response.json()["detail"]) == (409, "name is already taken")


async def test_a_key_that_is_there_is_taken(serve: Serve) -> None:
    world = await serve(Base)
    ada = await world.people.join()
    answers = [await ada.client.post("/countries", json={"code": "se"}) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 409]
    assert answers[0].headers["location"] == "/countries/se"
    assert answers[1].json()["detail"] == "code is already taken"


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"shelf_id": 10**12}, "shelf_id", "refers to nothing that exists"),
        ({"place": 0}, "place", "has a value that is not allowed"),
        ({"place": None}, "place", ""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_makes_no_sense_has_a_name(
    serve: Serve, method: str, change: dict[str, Any], field: str, reason: str
) -> None:
    _, ada = await library(serve)
    body = {"shelf_id": 1, "place": 2} | change if method == "POST" else change
    response = await ada.client.request(method, "/books" if method == "POST" else "/books/1", json=body)
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["errors"]] == [["body", field]]
    assert reason in response.json()["detail"]


async def test_another_workspaces_shelf_is_none(serve: Serve) -> None:
    world, ada = await library(serve)
    bob = await world.people.join()
    response = await bob.client.post("/books", json={"shelf_id": 1, "place": 2})
    assert (response.status_code, response.json()["detail"]) == (422, "shelf_id refers to nothing that exists")
    assert (await bob.client.post("/shelves", json={"name": "Novels"})).status_code == 201
    moved = await ada.client.patch("/books/1", json={"shelf_id": 2})
    assert (moved.status_code, moved.json()["errors"][0]["loc"]) == (422, ["body", "shelf_id"])


async def test_what_others_refer_to_stays(serve: Serve) -> None:
    _, ada = await library(serve)
    response = await ada.client.delete("/shelves/1")
    assert (response.status_code, response.json()["detail"]) == (409, "Other data still refer to this")
    assert (await ada.client.get("/shelves/1")).status_code == 200


async def test_what_must_not_overlap(serve: Serve, connection: AsyncConnection) -> None:
    _, ada = await library(serve)
    overlap = "EXCLUDE USING gist (int4range(place, place + 10) WITH &&)"
    await connection.execute(text(f"ALTER TABLE books ADD CONSTRAINT ex_books_place {overlap}"))
    response = await ada.client.post("/books", json={"shelf_id": 1, "place": 5})
    assert (response.status_code, response.json()["detail"]) == (409, "place must not overlap with what is there")
