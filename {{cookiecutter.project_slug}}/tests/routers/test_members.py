import asyncio
import random
from collections.abc import Awaitable, Sequence

import httpx
import pytest
from sqlalchemy import text

from app.auth.membership import Member
from app.roles import Role
from app.services.audit import AuditLog, Origin
from app.services.members import MemberService
from tests.people import People, Person, moment

DRAFT = {"title": "On the analytical engine", "content": "It weaves algebraical patterns."}


def address(workspace_id: int, member: Person | None = None) -> str:
    return f"/workspaces/{workspace_id}/members" + (f"/{member.user.id}" if member else "")


async def roles(workspace_id: int, asking: Person) -> dict[int, str]:
    """Who is what there, as a member sees it."""
    return {member["user_id"]: member["role"] for member in (await asking.client.get(address(workspace_id))).json()}


async def active_workspace(person: Person) -> int | None:
    active: int | None = (await person.client.get("/users/me")).json()["active_workspace_id"]
    return active


class TestList:
    async def test_shows_every_member_to_every_member(self, people: People) -> None:
        ada = await people.join(username="ada")
        bob = await people.join(ada.workspace_id, Role.viewer, username="bob")
        await people.join()
        response = await bob.client.get(address(ada.workspace_id))
        assert response.status_code == 200
        moments = [moment(member.pop("joined_at")) for member in response.json()]
        assert moments == sorted(moments)
        assert [{**member, "joined_at": ""} for member in response.json()] == [
            {"user_id": ada.user.id, "username": "ada", "role": "owner", "joined_at": ""},
            {"user_id": bob.user.id, "username": "bob", "role": "viewer", "joined_at": ""},
        ]

    async def test_comes_in_pages_sorted_by_name(self, people: People) -> None:
        ada = await people.join(username="b")
        for name in "ca":
            await people.join(ada.workspace_id, username=name)
        first = await ada.client.get(address(ada.workspace_id), params={"sort": "username", "limit": 2})
        second = await ada.client.get(first.links["next"]["url"])
        assert [member["username"] for member in first.json() + second.json()] == ["a", "b", "c"]
        assert "link" not in second.headers

    async def test_costs_three_statements_however_many_they_are(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        for _ in range(4):
            await people.join(ada.workspace_id)
        queries.clear()
        assert len((await ada.client.get(address(ada.workspace_id))).json()) == 5
        assert len(queries) == 3, "the caller, his role, the list"


class TestUpdate:
    @pytest.mark.parametrize(
        ("actor", "before", "after", "status"),
        [
            (Role.owner, Role.viewer, Role.owner, 200),
            (Role.owner, Role.owner, Role.viewer, 200),
            (Role.owner, Role.admin, Role.member, 200),
            (Role.admin, Role.viewer, Role.member, 200),
            (Role.admin, Role.viewer, Role.admin, 200),
            (Role.admin, Role.admin, Role.viewer, 200),
            (Role.admin, Role.viewer, Role.owner, 403),
            (Role.admin, Role.admin, Role.owner, 403),
            (Role.admin, Role.owner, Role.viewer, 403),
            (Role.admin, Role.owner, Role.owner, 403),
            (Role.member, Role.viewer, Role.viewer, 403),
            (Role.member, Role.viewer, Role.member, 403),
            (Role.viewer, Role.viewer, Role.viewer, 403),
        ],
    )
    async def test_who_may_make_whom_what(
        self, people: People, actor: Role, before: Role, after: Role, status: int
    ) -> None:
        founder = await people.join()
        bob, eve = [await people.join(founder.workspace_id, role) for role in (actor, before)]
        response = await bob.client.patch(address(founder.workspace_id, eve), json={"role": after})
        assert response.status_code == status
        found = (await roles(founder.workspace_id, founder))[eve.user.id]
        assert found == (after if status == 200 else before)
        if status == 200:
            assert (response.json()["user_id"], response.json()["role"]) == (eve.user.id, after)

    @pytest.mark.parametrize("role", [Role.viewer, Role.member, Role.admin])
    async def test_nobody_raises_himself(self, people: People, role: Role) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, role)
        assert (await bob.client.patch(address(ada.workspace_id, bob), json={"role": "owner"})).status_code == 403
        assert (await roles(ada.workspace_id, ada))[bob.user.id] == role

    async def test_an_admin_may_step_down(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.admin)
        assert (await bob.client.patch(address(ada.workspace_id, bob), json={"role": "viewer"})).status_code == 200
        assert (await bob.client.patch(address(ada.workspace_id, bob), json={"role": "admin"})).status_code == 403

    async def test_the_last_owner_stays_one(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.admin)
        refused = await ada.client.patch(address(ada.workspace_id, ada), json={"role": "admin"})
        assert refused.status_code == 409
        assert "a workspace never loses its last owner" in refused.json()["detail"].lower()
        await ada.client.patch(address(ada.workspace_id, bob), json={"role": "owner"})
        assert (await ada.client.patch(address(ada.workspace_id, ada), json={"role": "admin"})).status_code == 200
        assert await roles(ada.workspace_id, bob) == {ada.user.id: "admin", bob.user.id: "owner"}

    async def test_counts_with_the_next_request(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.member)
        assert (await bob.client.post("/articles", json=DRAFT)).status_code == 201
        await ada.client.patch(address(ada.workspace_id, bob), json={"role": "viewer"})
        assert (await bob.client.post("/articles", json=DRAFT)).status_code == 403

    @pytest.mark.parametrize("body", [{}, {"role": "member"}])
    async def test_nothing_new_is_nothing_changed(self, people: People, body: dict[str, str]) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.member)
        response = await ada.client.patch(address(ada.workspace_id, bob), json=body)
        assert (response.status_code, response.json()["role"]) == (200, "member")

    @pytest.mark.parametrize("role", [None, "superuser", "", 1])
    async def test_refuses_what_is_no_role(self, people: People, role: object) -> None:
        ada = await people.join()
        response = await ada.client.patch(address(ada.workspace_id, ada), json={"role": role})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", "role"]


class TestRemove:
    @pytest.mark.parametrize(
        ("actor", "other", "status"),
        [
            (Role.owner, Role.owner, 204),
            (Role.owner, Role.admin, 204),
            (Role.admin, Role.admin, 204),
            (Role.admin, Role.viewer, 204),
            (Role.admin, Role.owner, 403),
            (Role.member, Role.viewer, 403),
            (Role.viewer, Role.viewer, 403),
        ],
    )
    async def test_who_may_remove_whom(self, people: People, actor: Role, other: Role, status: int) -> None:
        founder = await people.join()
        bob, eve = [await people.join(founder.workspace_id, role) for role in (actor, other)]
        assert (await bob.client.delete(address(founder.workspace_id, eve))).status_code == status
        assert (eve.user.id in await roles(founder.workspace_id, founder)) == (status == 403)

    @pytest.mark.parametrize("role", list(Role))
    async def test_anybody_may_leave(self, people: People, role: Role) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, role)
        response = await bob.client.delete(address(ada.workspace_id, bob))
        assert (response.status_code, response.content) == (204, b"")
        assert (await bob.client.delete(address(ada.workspace_id, bob))).status_code == 404
        assert await roles(ada.workspace_id, ada) == {ada.user.id: "owner"}

    async def test_the_last_owner_stays(self, people: People) -> None:
        ada = await people.join()
        await people.join(ada.workspace_id, Role.admin)
        refused = await ada.client.delete(address(ada.workspace_id, ada))
        assert refused.status_code == 409
        assert "last owner" in refused.json()["detail"]

    async def test_robustness_28_who_is_removed_is_out_with_the_next_request(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.admin)
        draft = await people.write(ada, published=False)
        assert (await bob.client.get(f"/articles/{draft.id}")).status_code == 200
        await ada.client.delete(address(ada.workspace_id, bob))
        assert (await bob.client.get(f"/articles/{draft.id}")).status_code == 404
        assert (await bob.client.patch(f"/articles/{draft.id}", json={"title": "Mine"})).status_code == 404
        assert (await bob.client.get(address(ada.workspace_id))).status_code == 404
        assert (await bob.client.delete(address(ada.workspace_id, ada))).status_code == 404
        assert (await bob.client.post(f"/workspaces/{ada.workspace_id}/activate")).status_code == 404
        assert (await bob.client.get("/users/me")).status_code == 200

    async def test_he_goes_on_where_he_has_been_for_longest(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id)
        first = (await bob.client.get("/workspaces?sort=id")).json()[-1]["id"]
        await bob.client.post("/workspaces", json={"name": "A later one"})
        await bob.client.post(f"/workspaces/{ada.workspace_id}/activate")
        await ada.client.delete(address(ada.workspace_id, bob))
        assert await active_workspace(bob) == first
        assert (await bob.client.post("/articles", json=DRAFT)).status_code == 201

    async def test_who_works_elsewhere_goes_on_there(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id)
        later = (await bob.client.post("/workspaces", json={"name": "A later one"})).json()["id"]
        await ada.client.delete(address(ada.workspace_id, bob))
        assert await active_workspace(bob) == later

    async def test_what_he_has_written_stays(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id)
        draft = await people.write(bob, published=False)
        await ada.client.delete(address(ada.workspace_id, bob))
        assert (await ada.client.get(f"/articles/{draft.id}")).json()["author_id"] == bob.user.id


class TestTransfer:
    async def test_swaps_the_roles(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.viewer)
        response = await ada.client.post(f"/workspaces/{ada.workspace_id}/transfer", json={"user_id": bob.user.id})
        assert response.status_code == 200
        assert (response.json()["id"], response.json()["role"]) == (ada.workspace_id, "admin")
        assert await roles(ada.workspace_id, bob) == {ada.user.id: "admin", bob.user.id: "owner"}
        again = await ada.client.post(f"/workspaces/{ada.workspace_id}/transfer", json={"user_id": bob.user.id})
        assert again.status_code == 403

    async def test_is_for_owners_and_to_members(self, people: People) -> None:
        ada, stranger = await people.join(), await people.join()
        bob = await people.join(ada.workspace_id, Role.admin)
        url = f"/workspaces/{ada.workspace_id}/transfer"
        assert (await bob.client.post(url, json={"user_id": bob.user.id})).status_code == 403
        missing = await ada.client.post(url, json={"user_id": stranger.user.id})
        assert (missing.status_code, missing.json()["detail"]) == (404, "Member not found")
        assert (await ada.client.post(url, json={"user_id": ada.user.id})).status_code == 409
        assert (await ada.client.post(url, json={"user_id": 2**63})).status_code == 422
        assert await roles(ada.workspace_id, ada) == {ada.user.id: "owner", bob.user.id: "admin"}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_robustness_23_who_is_no_member_is_like_who_does_not_exist(people: People, method: str) -> None:
    ada, stranger = await people.join(), await people.join()
    answers = []
    for user_id in (stranger.user.id, 10**12):
        url = f"{address(ada.workspace_id)}/{user_id}"
        response = await ada.client.request(method, url, json={"role": "viewer"} if method == "PATCH" else None)
        answers.append((response.status_code, response.json() | {"request_id": "", "instance": ""}))
    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][1]["detail"]) == (404, "Member not found")


EVERYBODY_OWNS_EVERYTHING = """
    INSERT INTO memberships (workspace_id, user_id, role)
    SELECT workspaces.id, users.id, 'owner' FROM workspaces, users ON CONFLICT DO NOTHING RETURNING id
"""
EVERYBODY_WORKS_SOMEWHERE = """
    UPDATE users SET active_workspace_id = (SELECT min(workspace_id) FROM memberships WHERE user_id = users.id)
    WHERE active_workspace_id IS NULL RETURNING id
"""
OWNERLESS = "SELECT id FROM workspaces EXCEPT SELECT workspace_id FROM memberships WHERE role = 'owner'"
IDLE = "SELECT user_id FROM memberships EXCEPT SELECT id FROM users WHERE active_workspace_id IS NOT NULL"


async def execute(people: People, statement: str) -> Sequence[int]:
    async with people.database.unit_of_work() as uow:
        return (await uow.session.scalars(text(statement))).all()


class TestAtOnce:
    async def test_of_two_owners_who_leave_one_stays(self, own_people: People) -> None:
        ada = await own_people.join()
        for _ in range(5):
            bob = await own_people.join(ada.workspace_id, Role.owner)
            leaving = [person.client.delete(address(ada.workspace_id, person)) for person in (ada, bob)]
            answers = [response.status_code for response in await asyncio.gather(*leaving)]
            assert sorted(answers) == [204, 409]
            ada = bob if answers[0] == 204 else ada
            assert await roles(bob.workspace_id, ada) == {ada.user.id: "owner"}

    async def test_of_two_owners_who_depose_each_other_one_is_deposed(self, own_people: People) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id, Role.owner)
        both = [
            one.client.patch(address(ada.workspace_id, other), json={"role": "viewer"})
            for one, other in ((ada, bob), (bob, ada))
        ]
        assert sorted([response.status_code for response in await asyncio.gather(*both)]) == [200, 403]
        assert sorted((await roles(ada.workspace_id, ada)).values()) == ["owner", "viewer"]

    @pytest.mark.parametrize(("role", "status"), [(Role.member, 403), (None, 404)])
    async def test_who_has_just_lost_his_role_acts_by_it_no_more(
        self, own_people: People, role: Role | None, status: int
    ) -> None:
        ada = await own_people.join()
        bob, eve = [await own_people.join(ada.workspace_id, one) for one in (Role.admin, Role.viewer)]
        owner = Member(ada.user, ada.workspace_id, Role.owner)
        async with own_people.database.unit_of_work() as uow:
            members = MemberService(uow, AuditLog(uow, Origin()))
            if role is None:
                await members.remove(owner, bob.user.id)
            else:
                await members.change_role(owner, bob.user.id, role)
            url = f"/workspaces/{ada.workspace_id}"
            acts = [
                bob.client.delete(address(ada.workspace_id, eve)),
                bob.client.patch(address(ada.workspace_id, eve), json={"role": "admin"}),
                bob.client.patch(url, json={"name": "Mine"}),
                bob.client.post(f"{url}/invitations", json={"email": "friend@example.com", "role": "admin"}),
            ]
            waiting = [asyncio.ensure_future(act) for act in acts]
            await asyncio.wait(waiting, timeout=0.3)
            assert not any(act.done() for act in waiting)
        assert [response.status_code for response in await asyncio.gather(*waiting)] == [status] * len(acts)
        assert (await roles(ada.workspace_id, ada))[eve.user.id] == "viewer"

    async def test_who_is_an_owner_no_more_makes_none(self, own_people: People) -> None:
        ada = await own_people.join()
        bob, eve, mia = [
            await own_people.join(ada.workspace_id, role) for role in (Role.owner, Role.viewer, Role.owner)
        ]
        async with own_people.database.unit_of_work() as uow:
            owner = Member(ada.user, ada.workspace_id, Role.owner)
            await MemberService(uow, AuditLog(uow, Origin())).change_role(owner, bob.user.id, Role.admin)
            url = f"/workspaces/{ada.workspace_id}"
            acts = [
                bob.client.patch(address(ada.workspace_id, eve), json={"role": "owner"}),
                bob.client.delete(address(ada.workspace_id, mia)),
                bob.client.post(f"{url}/transfer", json={"user_id": eve.user.id}),
                bob.client.post(f"{url}/invitations", json={"email": "friend@example.com", "role": "owner"}),
                bob.client.delete(url),
            ]
            waiting = [asyncio.ensure_future(act) for act in acts]
            await asyncio.wait(waiting, timeout=0.3)
            assert not any(act.done() for act in waiting)
        assert [response.status_code for response in await asyncio.gather(*waiting)] == [403] * len(acts)
        found = await roles(ada.workspace_id, ada)
        assert [found[person.user.id] for person in (bob, eve, mia)] == ["admin", "viewer", "owner"]

    async def test_who_is_removed_from_two_workspaces_goes_on_in_the_third(self, own_people: People) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id)
        second = (await bob.client.get("/workspaces?sort=id")).json()[-1]["id"]
        mia = await own_people.join(second, Role.owner)
        third = (await bob.client.post("/workspaces", json={"name": "Third"})).json()["id"]
        await bob.client.post(f"/workspaces/{ada.workspace_id}/activate")
        async with own_people.database.unit_of_work() as uow:
            owner = Member(ada.user, ada.workspace_id, Role.owner)
            await MemberService(uow, AuditLog(uow, Origin())).remove(owner, bob.user.id)  # on to the second
            removal = asyncio.ensure_future(mia.client.delete(address(second, bob)))
            await asyncio.wait([removal], timeout=0.3)
            assert not removal.done()
        assert (await removal).status_code == 204
        assert await active_workspace(bob) == third

    async def test_articles_are_written_while_members_change(self, own_people: People) -> None:
        ada = await own_people.join()
        bob = await own_people.join(ada.workspace_id)
        async with own_people.database.unit_of_work() as uow:
            owner = Member(ada.user, ada.workspace_id, Role.owner)
            await MemberService(uow, AuditLog(uow, Origin())).change_role(owner, bob.user.id, Role.viewer)
            request = asyncio.create_task(ada.client.post("/articles", json=DRAFT))  # a task of its own, as on a server
            assert (await request).status_code == 201

    async def test_whatever_happens_there_is_an_owner_and_a_place_to_work(self, own_people: People) -> None:
        """Three people in three workspaces do everything to each other. No answer is a 500, and no rule is broken."""
        crowd = [await own_people.join() for _ in range(3)]
        shared = [person.workspace_id for person in crowd]
        chance = random.Random(28)  # noqa: S311  # the same play each time

        def act() -> Awaitable[httpx.Response]:
            actor, other, workspace = chance.choice(crowd), chance.choice(crowd), chance.choice(shared)
            possible: list[tuple[str, str, object, int]] = [
                ("DELETE", address(workspace, other), None, 6),
                ("DELETE", address(workspace, actor), None, 3),
                ("PATCH", address(workspace, other), {"role": chance.choice(list(Role))}, 6),
                ("POST", f"/workspaces/{workspace}/transfer", {"user_id": other.user.id}, 2),
                ("POST", f"/workspaces/{workspace}/activate", None, 6),
                ("POST", "/articles", DRAFT, 3),
                ("DELETE", f"/workspaces/{workspace}", None, 1),
            ]
            method, url, body, _ = chance.choices(possible, weights=[act[3] for act in possible])[0]
            return actor.client.request(method, url, json=body)

        for _ in range(4):
            await execute(own_people, EVERYBODY_OWNS_EVERYTHING)
            await execute(own_people, EVERYBODY_WORKS_SOMEWHERE)
            for response in await asyncio.gather(*[act() for _ in range(24)]):
                assert response.status_code in {200, 201, 204, 403, 404, 409}, response.text
            assert await execute(own_people, OWNERLESS) == []
            assert await execute(own_people, IDLE) == []
