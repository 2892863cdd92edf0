import asyncio

import pytest
from sqlalchemy import select

from app.auth.membership import Member
from app.config import Settings
from app.database.database import Database
from app.models.article import Article
from app.models.audit_event import AuditEvent
from app.models.workspace import Membership, Workspace
from app.roles import Role
from app.services.audit import AuditLog, Origin
from app.services.members import MemberService
from app.services.workspaces import WorkspaceService
from tests.people import People, Person, moment

DRAFT = {"title": "On the analytical engine", "content": "It weaves algebraical patterns."}


async def active_workspace(person: Person) -> int | None:
    """As the person sees it."""
    listed = (await person.client.get("/workspaces")).json()
    return next((workspace["id"] for workspace in listed if workspace["active"]), None)


async def own_workspace(person: Person) -> int:
    """The one that came with the account."""
    listed = (await person.client.get("/workspaces", params={"sort": "id"})).json()
    return next(int(workspace["id"]) for workspace in listed if workspace["name"] == person.user.username)


class TestList:
    async def test_shows_mine_with_my_role_and_which_is_active(self, people: People) -> None:
        ada, stranger = await people.join(), await people.join()
        bob = await people.join(ada.workspace_id, Role.viewer, username="bob")
        response = await bob.client.get("/workspaces", params={"sort": "id"})
        assert response.status_code == 200
        assert [(w["id"], w["name"], w["role"], w["active"]) for w in response.json()] == [
            (ada.workspace_id, ada.user.username, "viewer", True),
            (await own_workspace(bob), "bob", "owner", False),
        ]
        assert stranger.workspace_id not in {workspace["id"] for workspace in response.json()}

    async def test_is_sorted_by_name_and_comes_in_pages(self, people: People) -> None:
        ada = await people.join(username="m")
        for name in "zb":
            await ada.client.post("/workspaces", json={"name": name})
        first = await ada.client.get("/workspaces", params={"limit": 2})
        assert [workspace["name"] for workspace in first.json()] == ["b", "m"]
        second = await ada.client.get(first.links["next"]["url"])
        assert [workspace["name"] for workspace in second.json()] == ["z"]
        assert "link" not in second.headers

    async def test_costs_two_statements_however_long_it_is(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        for _ in range(3):
            await ada.client.post("/workspaces", json={"name": "Another"})
        queries.clear()
        assert len((await ada.client.get("/workspaces")).json()) == 4
        assert len(queries) == 2

    async def test_refuses_to_sort_by_what_is_no_column_of_it(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.get("/workspaces?sort=role")
        assert response.json()["errors"][0]["loc"] == ["query", "sort"]


class TestCreate:
    async def test_makes_the_caller_its_owner_and_is_active(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.post("/workspaces", json={"name": "  Engines "})
        assert response.status_code == 201
        body = response.json()
        assert (body["name"], body["role"], body["active"]) == ("Engines", "owner", True)
        moment(body["created_at"])
        assert (await ada.client.get(response.headers["location"])).json() == body
        assert await active_workspace(ada) == body["id"] != ada.workspace_id

    async def test_what_is_written_from_now_on_is_written_there(self, people: People, database: Database) -> None:
        ada = await people.join()
        made = (await ada.client.post("/workspaces", json={"name": "Engines"})).json()
        article = (await ada.client.post("/articles", json=DRAFT)).json()
        statement = select(Article.workspace_id).where(Article.id == article["id"])
        assert await database.reader().unscoped().one_or_none(statement) == made["id"]

    @pytest.mark.parametrize(
        ("change", "culprit"),
        [
            ({"name": ""}, "name"),
            ({"name": " \t"}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": None}, "name"),
            ({"name": "a\0b"}, "name"),
        ],
    )
    async def test_refuses_by_name(self, people: People, change: dict[str, object], culprit: str) -> None:
        ada = await people.join()
        response = await ada.client.post("/workspaces", json=change)
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["body", culprit]]


class TestRead:
    async def test_is_for_everybody_in_it(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        eve = await people.join(ada.workspace_id, Role.viewer)
        body = (await eve.client.get(f"/workspaces/{ada.workspace_id}")).json()
        assert (body["id"], body["role"], body["active"]) == (ada.workspace_id, "viewer", True)
        missing = await bob.client.get(f"/workspaces/{ada.workspace_id}")
        assert (missing.status_code, missing.json()["detail"]) == (404, "Workspace not found")


class TestUpdate:
    @pytest.mark.parametrize(
        ("role", "status"), [(Role.viewer, 403), (Role.member, 403), (Role.admin, 200), (Role.owner, 200)]
    )
    async def test_is_for_admins(self, people: People, role: Role, status: int) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, role)
        response = await bob.client.patch(f"/workspaces/{ada.workspace_id}", json={"name": "Engines"})
        assert response.status_code == status
        seen = (await ada.client.get(f"/workspaces/{ada.workspace_id}")).json()
        assert seen["name"] == ("Engines" if status == 200 else ada.user.username)
        if status == 200:
            assert response.json()["role"] == role
        else:
            assert response.json()["detail"] == "Not authorized: this takes the role admin"

    async def test_nothing_sent_is_nothing_changed(self, people: People) -> None:
        ada = await people.join()
        before = (await ada.client.get(f"/workspaces/{ada.workspace_id}")).json()
        assert (await ada.client.patch(f"/workspaces/{ada.workspace_id}", json={})).json() == before

    async def test_null_is_not_a_name(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.patch(f"/workspaces/{ada.workspace_id}", json={"name": None})
        assert response.json()["errors"][0]["loc"] == ["body", "name"]


class TestDelete:
    async def test_takes_everything_in_it_along(self, people: People, database: Database) -> None:
        ada = await people.join()
        article = await people.write(ada)
        invited = {"email": "eve@example.com", "role": "member"}
        await ada.client.post(f"/workspaces/{ada.workspace_id}/invitations", json=invited)
        response = await ada.client.delete(f"/workspaces/{ada.workspace_id}")
        assert (response.status_code, response.content) == (204, b"")
        assert (await ada.client.get(f"/articles/{article.id}")).status_code == 404
        assert (await ada.client.delete(f"/workspaces/{ada.workspace_id}")).status_code == 404
        assert await database.reader().all(select(Workspace.id)) == []
        assert await database.reader().all(select(Membership.id)) == []
        assert (await ada.client.get("/users/me")).status_code == 200, "people stay"

    @pytest.mark.parametrize("role", [Role.viewer, Role.member, Role.admin])
    async def test_is_for_owners(self, people: People, role: Role) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, role)
        assert (await bob.client.delete(f"/workspaces/{ada.workspace_id}")).status_code == 403
        assert (await ada.client.get(f"/workspaces/{ada.workspace_id}")).status_code == 200

    async def test_members_go_on_where_they_have_been_for_longest(self, people: People) -> None:
        ada = await people.join()
        crowd = [await people.join(ada.workspace_id) for _ in range(3)]
        for person in crowd:
            await person.client.post("/workspaces", json={"name": "A later one"})
            await person.client.post(f"/workspaces/{ada.workspace_id}/activate")
        elsewhere = await people.join(ada.workspace_id)
        later = (await elsewhere.client.post("/workspaces", json={"name": "Elsewhere"})).json()["id"]
        await ada.client.delete(f"/workspaces/{ada.workspace_id}")
        for person in crowd:
            assert await active_workspace(person) == await own_workspace(person)
        assert await active_workspace(elsewhere) == later, "who works elsewhere stays there"

    async def test_costs_the_same_however_many_are_in_it(self, people: People, queries: list[str]) -> None:
        counts = []
        for size in (0, 3):
            ada = await people.join()
            for _ in range(size):
                await people.join(ada.workspace_id)
            queries.clear()
            assert (await ada.client.delete(f"/workspaces/{ada.workspace_id}")).status_code == 204
            counts.append(len(queries))
        assert counts[0] == counts[1]

    async def test_who_is_left_without_one_is_told_the_way_out(self, people: People) -> None:
        ada = await people.join()
        await ada.client.delete(f"/workspaces/{ada.workspace_id}")
        assert (await ada.client.get("/workspaces")).json() == []
        refused = await ada.client.post("/articles", json=DRAFT)
        assert refused.status_code == 403
        assert "POST /workspaces/{id}/activate" in refused.json()["detail"]
        assert (await ada.client.post("/workspaces", json={"name": "A new start"})).json()["active"] is True
        assert (await ada.client.post("/articles", json=DRAFT)).status_code == 201


class TestActivate:
    async def test_moves_the_caller_and_nobody_else(self, people: People) -> None:
        ada = await people.join()
        bob, eve = await people.join(ada.workspace_id), await people.join(ada.workspace_id)
        draft = await people.write(ada, published=False)
        response = await bob.client.post(f"/workspaces/{await own_workspace(bob)}/activate")
        assert response.status_code == 200
        assert (response.json()["active"], response.json()["role"]) == (True, "owner")
        assert (await bob.client.get(f"/articles/{draft.id}")).status_code == 404
        assert (await eve.client.get(f"/articles/{draft.id}")).status_code == 200
        await bob.client.post(f"/workspaces/{ada.workspace_id}/activate")
        assert (await bob.client.get(f"/articles/{draft.id}")).status_code == 200

    async def test_is_not_for_outsiders(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        assert (await bob.client.post(f"/workspaces/{ada.workspace_id}/activate")).status_code == 404
        assert await active_workspace(bob) == bob.workspace_id

    @pytest.mark.parametrize("end", ["removed", "deleted"])
    async def test_who_is_removed_meanwhile_is_too_late(
        self, own_people: People, own_settings: Settings, end: str
    ) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id)
        await bob.client.post(f"/workspaces/{await own_workspace(bob)}/activate")
        async with own_people.database.unit_of_work() as uow:
            owner, audit = Member(ada.user, ada.workspace_id, Role.owner), AuditLog(uow, Origin())
            if end == "removed":
                await MemberService(uow, audit).remove(owner, bob.user.id)
            else:
                await WorkspaceService(uow, own_settings, audit).delete(owner)
            late = asyncio.ensure_future(bob.client.post(f"/workspaces/{ada.workspace_id}/activate"))
            await asyncio.wait([late], timeout=0.3)
            assert not late.done()
        response = await late
        assert (response.status_code, response.json()["detail"]) == (404, "Workspace not found")
        assert await active_workspace(bob) == await own_workspace(bob)


OPERATIONS = [
    "GET /workspaces/{id}",
    "PATCH /workspaces/{id}",
    "DELETE /workspaces/{id}",
    "POST /workspaces/{id}/activate",
    "POST /workspaces/{id}/transfer",
    "GET /workspaces/{id}/members",
    "PATCH /workspaces/{id}/members/{user_id}",
    "DELETE /workspaces/{id}/members/{user_id}",
    "GET /workspaces/{id}/invitations",
    "POST /workspaces/{id}/invitations",
    "GET /workspaces/{id}/invitations/{invitation_id}",
    "DELETE /workspaces/{id}/invitations/{invitation_id}",
    "POST /workspaces/{id}/invitations/{invitation_id}/resend",
]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_robustness_23_a_foreign_workspace_is_a_missing_one(people: People, operation: str) -> None:
    ada, bob = await people.join(), await people.join()
    invited = await ada.client.post(
        f"/workspaces/{ada.workspace_id}/invitations", json={"email": "eve@example.com", "role": "member"}
    )
    ids = {"user_id": ada.user.id, "invitation_id": invited.json()["id"]}
    method, path = operation.split()
    bodies = {
        "PATCH /workspaces/{id}": {"name": "Mine"},
        "POST /workspaces/{id}/transfer": {"user_id": bob.user.id},
        "PATCH /workspaces/{id}/members/{user_id}": {"role": "viewer"},
        "POST /workspaces/{id}/invitations": {"email": "bob@example.com", "role": "owner"},
    }
    answers = []
    for workspace_id in (ada.workspace_id, 10**12):
        response = await bob.client.request(method, path.format(id=workspace_id, **ids), json=bodies.get(operation))
        told = response.json()
        answers.append((response.status_code, {**told, "request_id": "", "instance": ""}))
    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][1]["detail"]) == (404, "Workspace not found")
    assert (await ada.client.get(f"/workspaces/{ada.workspace_id}")).json()["role"] == "owner"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("POST /workspaces", {"name": "Mine", "owner_id": 1}),
        ("POST /workspaces", {"name": "Mine", "id": 1}),
        ("POST /workspaces", {"name": "Mine", "active": True}),
        ("PATCH /workspaces/{id}", {"role": "owner"}),
        ("PATCH /workspaces/{id}", {"workspace_id": 1}),
        ("PATCH /workspaces/{id}/members/{user_id}", {"workspace_id": 1}),
        ("PATCH /workspaces/{id}/members/{user_id}", {"user_id": 1}),
        ("POST /workspaces/{id}/transfer", {"user_id": 1, "workspace_id": 1}),
        ("POST /workspaces/{id}/invitations", {"email": "e@example.com", "role": "member", "workspace_id": 1}),
        ("POST /workspaces/{id}/invitations", {"email": "e@example.com", "role": "member", "invited_by_id": 1}),
        ("POST /workspaces/{id}/invitations", {"email": "e@example.com", "role": "member", "token_hash": "x"}),
        ("POST /invitations/accept", {"token": "x", "role": "owner"}),
        ("POST /invitations/accept", {"token": "x", "workspace_id": 1}),
        ("POST /invitations/accept", {"token": "x", "email": "e@example.com"}),
        ("POST /articles", {**DRAFT, "workspace_id": 1}),
        ("PATCH /articles/{article_id}", {"workspace_id": 1}),
        ("PATCH /users/me", {"active_workspace_id": 1}),
        ("POST /auth/register", {"email": "e@example.com", "username": "e", "password": "a good one", "role": "owner"}),
    ],
)
async def test_robustness_24_nobody_writes_where_he_belongs(
    people: People, operation: str, body: dict[str, object]
) -> None:
    ada = await people.join()
    article = await people.write(ada)
    method, path = operation.split()
    url = path.format(id=ada.workspace_id, user_id=ada.user.id, article_id=article.id)
    response = await ada.client.request(method, url, json=body)
    assert response.status_code == 422
    assert [error["type"] for error in response.json()["errors"]] == ["extra_forbidden"]
    assert response.json()["errors"][0]["loc"] == ["body", list(body)[-1]]


async def test_every_step_is_on_record(people: People, database: Database) -> None:
    ada = await people.join()
    bob, eve = await people.join(), await people.join()
    made = (await ada.client.post("/workspaces", json={"name": "Engines"})).json()["id"]
    address = f"/workspaces/{made}"
    invited = []
    for person in (bob, eve):
        data = {"email": person.user.email, "role": "member"}
        invited.append((await ada.client.post(f"{address}/invitations", json=data)).json()["id"])
    await ada.client.delete(f"{address}/invitations/{invited[1]}")
    async with database.unit_of_work() as uow:
        uow.session.add(Membership(workspace_id=made, user_id=bob.user.id, role=Role.member))
    await ada.client.patch(f"{address}/members/{bob.user.id}", json={"role": "viewer"})
    await ada.client.post(f"{address}/transfer", json={"user_id": bob.user.id})
    await ada.client.delete(f"{address}/members/{ada.user.id}")
    await bob.client.delete(address)
    statement = select(AuditEvent).where(AuditEvent.workspace_id == made).order_by(AuditEvent.id)
    events = [(e.action, e.actor_id, e.details) for e in await database.reader().all(statement)]
    assert events == [
        ("workspace_created", ada.user.id, {}),
        ("member_invited", ada.user.id, {"invitation_id": invited[0], "role": "member"}),
        ("member_invited", ada.user.id, {"invitation_id": invited[1], "role": "member"}),
        ("invitation_revoked", ada.user.id, {"invitation_id": invited[1], "role": "member"}),
        ("role_changed", ada.user.id, {"user_id": bob.user.id, "before": "member", "after": "viewer"}),
        ("ownership_transferred", ada.user.id, {"user_id": bob.user.id}),
        ("member_removed", ada.user.id, {"user_id": ada.user.id, "role": "admin"}),
        ("workspace_deleted", bob.user.id, {}),
    ]


@pytest.mark.parametrize("name", ["a\nb", "a\r\nBcc: eve@example.com", "\u202egnp.exe", "a\x9b31m", "a\u2028b", "\x1c"])
async def test_a_name_fits_on_a_line_and_turns_nothing_around(people: People, name: str) -> None:
    ada = await people.join()
    for response in (
        await ada.client.post("/workspaces", json={"name": name}),
        await ada.client.patch(f"/workspaces/{ada.workspace_id}", json={"name": name}),
    ):
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", "name"])
