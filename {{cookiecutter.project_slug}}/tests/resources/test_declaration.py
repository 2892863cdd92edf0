"""What `Resource(...)` promises."""

import json
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, FetchedValue, LargeBinary, String, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.models.base import Declarative, Owned, Timestamped, WorkspaceScoped
from app.models.resource import Access, Resource
from app.resources.catalog import catalog_of
from app.resources.compilation import describe
from app.roles import Role
from tests.resources.conftest import Keyed, Serve, new_base, new_metadata, thing_of


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = Declarative.type_annotation_map
    __mapper_args__ = Declarative.__mapper_args__


SECRETS = (
    *("password", "hashed_password", "Passwd", "client_secret", "access_token", "token_hash", "api_key", "apikey"),
    *("salt", "private_key", "credentials", "pin_pwd", "passphrase", "photo", "code_of_recovery", "internal"),
)


class Device(Keyed, Base):
    """With much that is nobody's business."""

    __tablename__ = "devices"
    __resource__ = Resource(read=Access.anyone, write=Access.user, hidden=("internal",), searchable=("name",))

    name: Mapped[str] = mapped_column(String(50))
    password: Mapped[str | None]
    hashed_password: Mapped[str] = mapped_column(server_default="canary")
    Passwd: Mapped[str | None]
    client_secret: Mapped[str] = mapped_column(default="canary")
    access_token: Mapped[str | None]
    token_hash: Mapped[bytes | None]
    api_key: Mapped[str | None]
    apikey: Mapped[str | None]
    salt: Mapped[str | None]
    private_key: Mapped[str | None]
    credentials: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    pin_pwd: Mapped[str | None]
    passphrase: Mapped[str | None]
    photo: Mapped[bytes | None] = mapped_column(LargeBinary)
    code_of_recovery: Mapped[str | None] = mapped_column("recovery_token")
    internal: Mapped[str | None]


class Ticket(Timestamped, Keyed, Base):
    """Says what it shows, a token too."""

    __tablename__ = "tickets"
    __resource__ = Resource(
        path="support/tickets",
        name="Request",
        read=Access.anyone,
        write=Access.user,
        fields=("id", "title", "token", "state", "created_at"),
        read_only=("state",),
        searchable=("title", "token"),
        sortable=("title",),
        sort="-state,title",
    )

    title: Mapped[str]
    token: Mapped[str | None]
    state: Mapped[int] = mapped_column(server_default="0")
    note: Mapped[str | None]


class Diary(Owned, Timestamped, Keyed, Base):
    """One's own."""

    __tablename__ = "diaries"
    __resource__ = Resource()

    title: Mapped[str]


class Pet(Keyed, Base):
    """One's own, by a column with another name."""

    __tablename__ = "pets"
    __resource__ = Resource(owner="keeper_id")

    name: Mapped[str]
    keeper_id: Mapped[int] = mapped_column(BigInteger)


class Poll(WorkspaceScoped, Owned, Keyed, Base):
    """Somebody's in a workspace."""

    __tablename__ = "polls"
    __resource__ = Resource()

    title: Mapped[str]


class TestSecrets:
    async def test_are_in_no_answer(self, serve: Serve, connection: AsyncConnection) -> None:
        world = await serve(Base)
        ada = await world.people.join()
        made = await ada.client.post("/devices", json={"name": "a"})
        assert made.json() == {"id": 1, "name": "a"}
        every = ", ".join(f'"{column}"' for column in ("password", "access_token", "recovery_token", "internal"))
        await connection.execute(text(f"UPDATE devices SET ({every}) = ('canary', 'canary', 'canary', 'canary')"))  # noqa: S608
        for answer in (
            await ada.client.get("/devices"),
            await ada.client.get("/devices/1"),
            await ada.client.patch("/devices/1", json={"name": "b"}),
            await ada.client.get("/devices?q=canary"),
        ):
            assert answer.status_code == 200
            assert "canary" not in answer.text
        assert (await ada.client.get("/devices?q=canary")).json() == []

    async def test_are_taken_from_nobody(self, serve: Serve) -> None:
        ada = await (await serve(Base)).people.join()
        assert (await ada.client.post("/devices", json={"name": "a"})).status_code == 201
        for method, path in (("POST", "/devices"), ("PATCH", "/devices/1")):
            for column in SECRETS:
                response = await ada.client.request(method, path, json={"name": "a", column: "x"})
                assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", column])

    async def test_cannot_be_asked_for(self, serve: Serve) -> None:
        world = await serve(Base)
        for column in SECRETS:
            asked = (
                f"{column}=a",
                f"{column}__startswith=a",
                f"sort={column}",
                f"fields={column}",
                f"include={column}",
            )
            for query in asked:
                response = await world.client.get(f"/devices?{query}")
                assert response.status_code == 422, query
                assert response.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]

    async def test_are_not_even_described(self, serve: Serve) -> None:
        world = await serve(Base)
        schemas = world.app.openapi()["components"]["schemas"]
        for name in ("DeviceRead", "DevicePart", "DeviceCreate", "DeviceUpdate"):
            assert schemas[name]["properties"].keys() <= {"id", "name"}
        told = json.dumps([world.app.openapi()["paths"]["/devices"], catalog_of(Device).as_json()["Device"]])
        assert [column for column in (*SECRETS, "recovery_token") if column in told] == []


class TestFields:
    async def test_are_those_and_no_others(self, serve: Serve) -> None:
        ada = await (await serve(Base)).people.join()
        made = await ada.client.post("/support/tickets", json={"title": "A", "token": "t"})
        assert made.status_code == 201
        assert made.headers["location"] == "/support/tickets/1"
        assert made.json().keys() == {"id", "title", "token", "state", "created_at"}
        assert (await ada.client.get("/support/tickets?q=T&fields=token")).json() == [{"token": "t"}]

    @pytest.mark.parametrize("field", ["note", "updated_at", "state", "created_at", "id"])
    async def test_what_is_not_among_them_or_read_only_is_not_taken(self, serve: Serve, field: str) -> None:
        ada = await (await serve(Base)).people.join()
        await ada.client.post("/support/tickets", json={"title": "A"})
        for method, path in (("POST", "/support/tickets"), ("PATCH", "/support/tickets/1")):
            response = await ada.client.request(method, path, json={"title": "A", field: 1})
            assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", field])

    async def test_a_name_of_its_own(self, serve: Serve) -> None:
        world = await serve(Base)
        assert (await world.client.get("/support/tickets/1")).json()["detail"] == "Request not found"
        assert {"RequestRead", "RequestCreate"} <= world.app.openapi()["components"]["schemas"].keys()
        assert world.app.openapi()["paths"]["/support/tickets/{request_id}"]["get"]["operationId"] == "read_request"


class TestSort:
    async def test_is_as_declared(self, serve: Serve, connection: AsyncConnection) -> None:
        ada = await (await serve(Base)).people.join()
        await ada.client.post("/support/tickets", json=[{"title": title} for title in "BAC"])
        await connection.execute(text("UPDATE tickets SET state = 1 WHERE title = 'C'"))

        async def titles(query: str) -> str:
            response = await ada.client.get(f"/support/tickets{query}")
            assert response.status_code == 200, response.text
            return "".join(one["title"] for one in response.json())

        assert await titles("") == "CAB"
        assert await titles("?sort=-title") == "CBA"
        assert await titles("?sort=-state,title") == "CAB", "its own order can be said"
        first = await ada.client.get("/support/tickets?limit=1")
        assert (await ada.client.get(first.links["next"]["url"])).json()[0]["title"] == "A"

    @pytest.mark.parametrize("field", ["created_at", "token", "note"])
    async def test_by_nothing_that_is_not_sortable(self, serve: Serve, field: str) -> None:
        response = await (await serve(Base)).client.get(f"/support/tickets?sort={field}")
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["query", "sort"])

    async def test_of_what_says_nothing_is_newest_first_or_by_key(self, serve: Serve) -> None:
        ada = await (await serve(Base)).people.join()
        await ada.client.post("/diaries", json=[{"title": "A"}, {"title": "B"}])
        assert [one["id"] for one in (await ada.client.get("/diaries")).json()] == [2, 1]
        await ada.client.post("/pets", json=[{"name": "A"}, {"name": "B"}])
        assert [one["id"] for one in (await ada.client.get("/pets")).json()] == [1, 2]

    async def test_what_is_sortable_by_nothing_is_still_a_list(self, serve: Serve) -> None:
        base: Any = new_base()
        thing = thing_of(base, Resource(read=Access.anyone, sortable=()))
        world = await serve(base)
        assert (await world.client.get("/things")).json() == []
        assert describe(thing).sort == "id"


@pytest.mark.parametrize(("path", "field"), [("/diaries", "owner_id"), ("/pets", "keeper_id")])
class TestOwner:
    async def test_is_who_makes_it(self, serve: Serve, path: str, field: str) -> None:
        ada = await (await serve(Base)).people.join()
        body = {"title": "A"} if path == "/diaries" else {"name": "A"}
        made = await ada.client.post(path, json=body)
        assert made.json()[field] == ada.user.id
        for method, where in (("POST", path), ("PATCH", f"{path}/1")):
            response = await ada.client.request(method, where, json=body | {field: ada.user.id})
            assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", field])

    async def test_sees_and_changes_it_and_nobody_else_does(self, serve: Serve, path: str, field: str) -> None:
        world = await serve(Base)
        ada = await world.people.join()
        colleague = await world.people.join(ada.workspace_id, Role.owner)
        superuser = await world.people.join(is_superuser=True)
        body = {"title": "A"} if path == "/diaries" else {"name": "A"}
        await ada.client.post(path, json=body)
        for stranger in (colleague, superuser):
            listed = await stranger.client.get(f"{path}?count=exact&{field}={ada.user.id}")
            assert (listed.json(), listed.headers["x-total-count"]) == ([], "0")
            for method in ("GET", "PATCH", "DELETE"):
                response = await stranger.client.request(method, f"{path}/1", json=body if method == "PATCH" else None)
                assert response.status_code == 404
        assert (await world.client.get(f"{path}/1")).status_code == 401
        assert (await ada.client.patch(f"{path}/1", json=body)).status_code == 200
        assert (await ada.client.delete(f"{path}/1")).status_code == 204


async def test_an_owner_within_a_workspace_shares_with_its_admins(serve: Serve) -> None:
    world = await serve(Base)
    ada, stranger = await world.people.join(), await world.people.join()
    await ada.client.post("/polls", json={"title": "A"})
    for role, status in ((Role.viewer, 403), (Role.member, 403), (Role.admin, 200)):
        colleague = await world.people.join(ada.workspace_id, role)
        assert len((await colleague.client.get("/polls")).json()) == 1
        assert (await colleague.client.patch("/polls/1", json={"title": "B"})).status_code == status
    assert (await stranger.client.get("/polls")).json() == []
    assert (await stranger.client.patch("/polls/1", json={"title": "B"})).status_code == 404


class Seat(WorkspaceScoped, Base):
    """Named by two things, of which one is no number."""

    __tablename__ = "seats"
    __resource__ = Resource()

    hall: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


async def test_every_key_has_rows_for_the_tests_of_all_routes(serve: Serve) -> None:
    """`tests/test_access.py` and `tests/test_tenants.py` ask for `/seats/{hall}/{number}` as for any other path."""
    world = await serve(Base)
    ada = await world.people.join()
    ids = await world.people.one_of_each([Seat, Diary], ada, "word", {"workspace_id": ada.workspace_id})
    for path in ("/seats/{hall}/{number}", "/diaries/{diary_id}"):
        assert (await ada.client.get(path.format(**ids))).status_code == 200


async def test_what_a_change_sets_by_itself_is_taken_from_nobody(serve: Serve) -> None:
    base: Any = new_base()
    more: dict[str, Any] = {
        "edits": mapped_column(BigInteger, server_default="0", onupdate=7),
        "stamp": mapped_column(BigInteger, server_default="0", server_onupdate=FetchedValue()),  # by a trigger
    }
    thing = thing_of(base, Resource(write=Access.user), **more)
    ada = (await (await serve(thing)).people.join()).client
    made = await ada.post("/things", json={"title": "a"})
    assert made.json() == {"id": 1, "title": "a", "edits": 0, "stamp": 0}
    for column in more:
        for method, path in (("POST", "/things"), ("PATCH", "/things/1")):
            refused = await ada.request(method, path, json={"title": "b", column: 1})
            assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["body", column])
    changed = await ada.patch("/things/1", json={"title": "b"})
    assert changed.json() == {"id": 1, "title": "b", "edits": 7, "stamp": 0}
