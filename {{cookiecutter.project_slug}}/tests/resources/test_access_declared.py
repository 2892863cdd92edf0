"""Who may read and write what a model serves, and what relations show of others."""

from typing import Any

import httpx
import pytest
from sqlalchemy import BigInteger, Column, ForeignKey, Table
from sqlalchemy.orm import mapped_column, relationship

from app.models.base import Owned, WorkspaceScoped
from app.models.resource import Access, Resource
from app.resources.catalog import catalog_of
from app.resources.compilation import describe
from app.roles import Role
from tests.people import People
from tests.resources.conftest import Serve, World, new_base, thing_of

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


def with_topics(*mixins: type[Any]) -> Any:
    """Notes about topics, which are everybody's; the base of both."""
    base: Any = new_base()
    topics = thing_of(base, Resource(write=Access.user), name="Topic")
    keys = [Column(f"{name}_id", BigInteger, ForeignKey(f"{name}s.id"), primary_key=True) for name in ("note", "topic")]
    several = relationship(topics, secondary=Table("note_topics", base.metadata, *keys), lazy="raise")
    column = mapped_column(BigInteger, ForeignKey("topics.id"), nullable=True)
    more = {"topic_id": column, "topic": relationship(topics, lazy="raise"), "topics": several}
    thing_of(base, Resource(), *mixins, Owned, name="Note", **more)
    return base


async def test_what_somebodys_row_leads_to_is_his_to_see_and_link(serve: Serve) -> None:
    world = await serve(with_topics())
    ada, bob = await world.people.join(), await world.people.join()
    assert (await ada.client.post("/topics", json=[{"title": "a"}, {"title": "b"}])).status_code == 201
    assert (await ada.client.post("/notes", json={"topic_id": 1})).status_code == 201
    assert (await ada.client.put("/notes/1/topics/1")).status_code == 204
    for method, path in (
        ("GET", "/notes/1/topic"),
        ("GET", "/notes/1/topics"),
        ("GET", "/notes/1/topics?title=nothing"),
        ("PUT", "/notes/1/topics/2"),
        ("DELETE", "/notes/1/topics/1"),
    ):
        refused = await bob.client.request(method, path)
        assert (refused.status_code, path) == (404, path), refused.text
    assert [one["id"] for one in (await ada.client.get("/notes/1/topics")).json()] == [1]


async def test_links_of_a_row_are_for_its_owner_and_admins(serve: Serve) -> None:
    world = await serve(with_topics(WorkspaceScoped))
    ada = await world.people.join()
    bob, eve = [await world.people.join(ada.workspace_id, role) for role in (Role.member, Role.admin)]
    assert (await ada.client.post("/topics", json={"title": "a"})).status_code == 201
    note = (await bob.client.post("/notes", json={})).headers["location"]
    cyd = await world.people.join(ada.workspace_id)
    assert (await cyd.client.put(f"{note}/topics/1")).status_code == 403
    assert (await eve.client.put(f"{note}/topics/1")).status_code == 204
    assert (await cyd.client.delete(f"{note}/topics/1")).status_code == 403
    assert len((await cyd.client.get(f"{note}/topics")).json()) == 1
    assert (await bob.client.delete(f"{note}/topics/1")).status_code == 204
