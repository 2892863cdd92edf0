"""What `Resource(...)` promises."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.base import Declarative, Owned, Timestamped, WorkspaceScoped
from app.models.resource import Access, Resource
from app.resources.catalog import Catalog, catalog_of
from app.resources.compilation import ResourceError, describe
from app.roles import Role
from tests.people import People
from tests.resources.conftest import Keyed, Serve, World, assemble, new_base, new_metadata


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


# ---------------------------------------------------------------------------------------------------------- access


def thing_of(base: Any, resource: Resource | None, *mixins: type[Any], name: str = "Thing", **more: Any) -> Any:
    columns = {"title": mapped_column(String(50), nullable=True)} | more
    said = {"__tablename__": f"{name.lower()}s"} | ({"__resource__": resource} if resource else {})
    return type(name, (*mixins, Keyed, base), said | columns)


CALLERS = ("anonymous", "viewer", "member", "admin", "owner", "superuser")
# What each gets for reading, and for writing, in this order.
EVERYWHERE = {
    Access.anyone: "200 200 200 200 200 200",
    Access.user: "401 200 200 200 200 200",
    Access.superuser: "401 403 403 403 403 200",
}
IN_WORKSPACE = {
    Access.viewer: "401 200 200 200 200 200",
    Access.member: "401 403 200 200 200 200",  # the superuser is a member here
    Access.admin: "401 403 403 200 200 403",
    Access.owner: "401 403 403 403 200 403",
}
NOT_THERE = "405 405 405 405 405 405"


async def caller(world: World, who: str, workspace_id: int) -> httpx.AsyncClient:
    if who == "anonymous":
        return world.client
    if who == "superuser":
        return (await world.people.join(workspace_id, is_superuser=True)).client
    return (await world.people.join(workspace_id, Role(who))).client


async def seen(world: World, method: str) -> str:
    """What each caller gets, in the words of a read."""
    ada = await world.people.join()
    statuses = []
    for who in CALLERS:
        client = await caller(world, who, ada.workspace_id)
        response = await client.request(method, "/things", json={"title": "a"} if method == "POST" else None)
        statuses.append("200" if response.is_success else str(response.status_code))
    return " ".join(statuses)


@pytest.mark.parametrize("access", EVERYWHERE)
async def test_access_to_what_is_everybodys(serve: Serve, access: Access) -> None:
    base = new_base()
    thing = thing_of(base, Resource(read=access, write=access))
    world = await serve(base)
    assert thing.__tablename__ == "things"
    assert await seen(world, "GET") == EVERYWHERE[access]
    assert await seen(world, "POST") == EVERYWHERE[access]


@pytest.mark.parametrize("access", IN_WORKSPACE)
async def test_access_to_what_is_a_workspaces(serve: Serve, access: Access) -> None:
    base = new_base()
    thing = thing_of(base, Resource(read=access, write=access), WorkspaceScoped)
    world = await serve(base)
    assert thing.__tablename__ == "things"
    assert await seen(world, "GET") == IN_WORKSPACE[access]
    assert await seen(world, "POST") == IN_WORKSPACE[access]


@pytest.mark.parametrize("mixins", [(), (WorkspaceScoped,)])
async def test_what_nobody_writes_has_no_such_routes(serve: Serve, mixins: tuple[type[Any], ...]) -> None:
    base = new_base()
    thing = thing_of(base, Resource(write=Access.nobody), *mixins)
    world = await serve(base)
    assert await seen(world, "POST") == NOT_THERE
    assert list(world.app.openapi()["paths"]["/things"]) == ["get"]
    assert list(world.app.openapi()["paths"]["/things/{thing_id}"]) == ["get"]
    assert describe(thing).write is Access.nobody


async def test_what_nobody_reads_has_none_at_all(serve: Serve) -> None:
    base = new_base()
    thing = thing_of(base, Resource(read=Access.nobody, write=Access.nobody))
    world = await serve(base)
    assert describe(thing).read is Access.nobody
    assert (await world.client.get("/things")).status_code == 404
    assert [path for path in world.app.openapi()["paths"] if path.startswith("/things")] == []


@pytest.mark.parametrize(
    ("mixins", "read", "write"),
    [
        ((), Access.user, Access.superuser),
        ((Owned,), Access.user, Access.user),
        ((WorkspaceScoped,), Access.viewer, Access.member),
        ((WorkspaceScoped, Owned), Access.viewer, Access.member),
    ],
)
def test_access_when_nothing_is_said(mixins: tuple[type[Any], ...], read: Access, write: Access) -> None:
    entity = describe(thing_of(new_base(), Resource(), *mixins))
    assert (entity.read, entity.write) == (read, write)


def test_what_says_nothing_is_not_served(people: People) -> None:
    base: Any = new_base()
    thing = thing_of(base, None)
    child = type("Child", (thing_of(base, Resource(), name="Parent"),), {})
    assert [entity for entity in catalog_of(thing).entities if entity in {"Thing", child.__name__}] == []


# ------------------------------------------------------------------------------------------------------- relations


def with_relation(source: tuple[Any, ...], target: tuple[Any, ...]) -> Any:
    """A model with a relation `other`, each said by its resource and its mixins."""
    base: Any = new_base()
    others = thing_of(base, target[0], *target[1:], name="Other")
    column = mapped_column(BigInteger, ForeignKey("others.id"), nullable=True)
    more: dict[str, Any] = {"other_id": column, "other": relationship(others, lazy="raise")}
    return thing_of(base, source[0], *source[1:], **more)


ANYONE, USER, SUPERUSER = (Resource(read=one) for one in (Access.anyone, Access.user, Access.superuser))
VIEWER, ADMIN = (Resource(read=one, write=Access.owner) for one in (Access.viewer, Access.admin))


@pytest.mark.parametrize(
    ("source", "target", "shown"),
    [
        ((ANYONE,), (ANYONE,), True),
        ((USER,), (ANYONE,), True),
        ((SUPERUSER,), (USER,), True),
        ((ANYONE,), (USER,), False),
        ((USER,), (SUPERUSER,), False),
        ((ANYONE,), (None,), False),
        ((ANYONE,), (Resource(read=Access.nobody, write=Access.nobody),), False),
        ((USER,), (Resource(), Owned), False),
        ((Resource(), Owned), (Resource(), Owned), False),
        ((Resource(), Owned), (USER,), True),
        ((ANYONE,), (VIEWER, WorkspaceScoped), False),
        ((SUPERUSER,), (VIEWER, WorkspaceScoped), False),
        ((Resource(), Owned), (VIEWER, WorkspaceScoped), False),
        ((VIEWER, WorkspaceScoped), (ANYONE,), True),
        ((VIEWER, WorkspaceScoped), (USER,), True),
        ((VIEWER, WorkspaceScoped), (SUPERUSER,), False),
        ((VIEWER, WorkspaceScoped), (VIEWER, WorkspaceScoped), True),
        ((VIEWER, WorkspaceScoped), (ADMIN, WorkspaceScoped), False),
        ((ADMIN, WorkspaceScoped), (VIEWER, WorkspaceScoped), True),
        ((VIEWER, WorkspaceScoped), (Resource(), WorkspaceScoped, Owned), True),
        ((VIEWER, WorkspaceScoped), (Resource(), Owned), False),
        ((Resource(hidden=("other",)),), (ANYONE,), False),
        ((Resource(read=Access.anyone, routes=False), WorkspaceScoped), (VIEWER, WorkspaceScoped), False),
    ],
)
def test_what_a_relation_leads_to_is_shown_to_who_could_read_it(
    source: tuple[Any, ...], target: tuple[Any, ...], *, shown: bool
) -> None:
    entity = describe(with_relation(source, target))
    assert [relation.name for relation in entity.relations] == (["other"] if shown else [])


async def test_what_is_not_shown_has_no_route_and_is_not_included(serve: Serve) -> None:
    thing = with_relation((Resource(read=Access.anyone, write=Access.user),), (Resource(), Owned))
    world = await serve(thing.__bases__[-1])
    ada = await world.people.join()
    assert (await ada.client.post("/others", json={"title": "private"})).status_code == 201
    assert (await ada.client.post("/things", json={"other_id": 1})).status_code == 201
    assert (await world.client.get("/things/1/other")).status_code == 404
    assert (await world.client.get("/things?include=other")).status_code == 422
    assert "private" not in (await world.client.get("/things")).text


# -------------------------------------------------------------------------------------------------------- refusals


def option(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def declared(resource: Resource, *mixins: type[Any], **columns: Any) -> Any:
    return thing_of(new_base(), resource, *mixins, **columns)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        *(
            (declared(Resource(**option(name, ("nope",)))), f"{name} names 'nope', which it does not have")
            for name in ("fields", "hidden", "read_only", "searchable", "sortable")
        ),
        *(
            (declared(Resource(**option(name, "nope"))), f"{name} names 'nope', which it does not have")
            for name in ("sort", "owner", "parent")
        ),
        (
            declared(Resource(hidden=("title",), write=Access.user), title=mapped_column(String, nullable=False)),
            "title is hidden, NOT NULL and without a default, so no row could be made",
        ),
        (declared(Resource(), at=mapped_column(INET, nullable=True)), "at is a INET(), which has no form in JSON here"),
        (
            declared(Resource(searchable=("count",)), count=mapped_column(Integer)),
            "searchable names count, which is no",
        ),
        (declared(Resource(searchable=("title",), hidden=("title",))), "searchable names title, which is hidden"),
        (declared(Resource(sort="title", hidden=("title",))), "sort names title, which is hidden"),
        (
            declared(Resource(sort="data"), data=mapped_column(JSON, nullable=True)),
            "sort names data, which has no order",
        ),
        (declared(Resource(hidden=("id",))), "its key id is hidden"),
        (declared(Resource(fields=("title",))), "its key id is hidden"),
        (declared(Resource(read=Access.superuser, write=Access.user)), "user may write what only superuser may read"),
        (declared(Resource(read=Access.viewer)), "read is viewer, a role in a workspace, but its rows are everybody's"),
        (declared(Resource(read=Access.user), WorkspaceScoped), "read is user, but its rows are a workspace's: say a"),
        (declared(Resource(read=Access.anyone), Owned), "read is anyone, but its rows are their owners'"),
        (declared(Resource(), model_config=mapped_column(Integer, nullable=True)), "model_config"),
        (declared(Resource(), _x=mapped_column(Integer, nullable=True)), "_x"),
    ],
)
def test_what_cannot_be_served_is_refused_by_a_sentence(model: Any, sentence: str) -> None:
    with pytest.raises(ResourceError) as refused:
        describe(model)
    assert str(refused.value).startswith("Thing cannot be served: ")
    assert sentence in str(refused.value)


def test_inheritance_is_refused() -> None:
    base: Any = new_base()
    parent = thing_of(base, None, name="Parent", kind=mapped_column(String(10)))
    child = type("Child", (parent,), {"__resource__": Resource(), "__mapper_args__": {"polymorphic_identity": "c"}})
    with pytest.raises(ResourceError, match="part of a table inheritance"):
        describe(child)


def test_a_join_by_more_than_keys_is_refused_unless_it_is_hidden() -> None:
    for hidden in ((), ("other",)):
        base: Any = new_base()
        others = thing_of(base, ANYONE, name="Other")
        join = "and_(foreign(Thing.other_id) == Other.id, Other.title == 'x')"
        more: dict[str, Any] = {
            "other_id": mapped_column(BigInteger, nullable=True),
            "other": relationship(others, primaryjoin=join, lazy="raise", viewonly=True),
        }
        thing = thing_of(base, Resource(hidden=hidden), **more)
        if hidden:
            assert describe(thing).relations == ()
        else:
            with pytest.raises(ResourceError, match="other joins by more than keys: hide it"):
                describe(thing)


def test_a_parent_that_its_readers_may_not_see_is_refused() -> None:
    base: Any = new_base()
    diary = thing_of(base, Resource(), Owned, name="Diary")
    column = mapped_column(BigInteger, ForeignKey("diarys.id"))
    page = thing_of(base, Resource(parent="diary"), name="Page", diary_id=column, diary=relationship(diary))
    with pytest.raises(ResourceError, match="Page cannot be served: its parent diary"):
        describe(page)


def test_two_of_one_name_are_refused() -> None:
    base: Any = new_base()
    models = [thing_of(base, Resource(), name="Thing"), thing_of(base, Resource(name="Thing"), name="Other")]
    with pytest.raises(ResourceError, match="Two models are called Thing"):
        Catalog(models)


def test_two_of_one_path_are_refused(settings: Any) -> None:
    base: Any = new_base()
    models = [thing_of(base, Resource(), name="Thing"), thing_of(base, Resource(path="/things/"), name="Other")]
    with pytest.raises(ResourceError, match="GET /things would be list_things of") as refused:
        assemble(base, settings)
    assert all(model.__name__ in str(refused.value) for model in models)
