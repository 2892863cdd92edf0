import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, update

from app.auth.opaque import digest
from app.database.database import Database
from app.models.audit_event import AuditEvent
from app.models.one_time_token import OneTimeToken, Purpose
from app.models.session import UserSession
from app.models.user import User
from app.repositories.sessions import to_continue
from app.services.audit import AuditLog, Origin
from app.services.one_time_tokens import OneTimeTokens
from tests.databases import until_somebody_waits
from tests.people import PASSWORD, People, Person, moment

ROUTES = [
    ("GET", "/admin/users"),
    ("GET", "/admin/users/1"),
    ("PATCH", "/admin/users/1"),
    ("GET", "/admin/audit-events"),
]


@pytest.fixture
async def root(people: People) -> Person:
    """A superuser."""
    return await people.join(is_superuser=True, username="root", email="root@example.com")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_is_for_superusers(people: People, client: httpx.AsyncClient, method: str, path: str) -> None:
    ada = await people.join()
    for body in ({}, {"disabled": True}, {"nonsense": True}):
        assert (await ada.client.request(method, path, json=body)).status_code == 403
        assert (await client.request(method, path, json=body)).status_code == 401


class TestListUsers:
    async def test_shows_every_account_and_no_secret(self, root: Person, people: People) -> None:
        ada = await people.join(username="ada", email="ada@example.com", email_verified_at=None)
        body = (await root.client.get("/admin/users?sort=id")).json()
        assert [user["id"] for user in body] == [root.user.id, ada.user.id]
        assert moment(body[1].pop("created_at")) == ada.user.created_at
        assert moment(body[1].pop("updated_at"))
        assert body[1] == {
            "id": ada.user.id,
            "email": "ada@example.com",
            "username": "ada",
            "is_superuser": False,
            "email_verified_at": None,
            "disabled_at": None,
        }

    @pytest.mark.parametrize(
        ("part", "found"),
        [
            ("lovelace", ["ada_lovelace"]),
            ("LOVELACE", ["ada_lovelace"]),
            ("@engine.example", ["ada_lovelace", "bob"]),
            ("a_l", ["ada_lovelace"]),
            ("100%", ["bob"]),
            ("%", ["bob"]),
            ("_", ["ada_lovelace"]),
            ("\\", []),
            ("/", []),
            ("root", ["root"]),
        ],
    )
    async def test_searches_e_mail_and_user_name(
        self, root: Person, people: People, part: str, found: list[str]
    ) -> None:
        await people.join(username="ada_lovelace", email="ada@engine.example")
        await people.join(username="bob", email="100%bob@engine.example")
        response = await root.client.get("/admin/users", params={"q": part, "sort": "username"})
        assert [user["username"] for user in response.json()] == found

    async def test_filters_disabled_ones(self, root: Person, people: People) -> None:
        ada = await people.join(disabled_at=datetime.now(UTC))
        disabled = await root.client.get("/admin/users?disabled=true")
        assert [user["id"] for user in disabled.json()] == [ada.user.id]
        others = await root.client.get("/admin/users?disabled=false")
        assert [user["id"] for user in others.json()] == [root.user.id]

    async def test_comes_in_pages(self, root: Person, people: People) -> None:
        joined = [root.user.id] + [(await people.join()).user.id for _ in range(4)]
        first = await root.client.get("/admin/users?limit=3&sort=id")
        second = await root.client.get(first.links["next"]["url"])
        assert [user["id"] for user in first.json() + second.json()] == joined
        assert "next" not in second.links

    @pytest.mark.parametrize("query", ["q=", "q=%00", f"q={'x' * 256}", "disabled=perhaps", "sort=hashed_password"])
    async def test_refuses_by_name(self, root: Person, query: str) -> None:
        response = await root.client.get(f"/admin/users?{query}")
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]


async def test_one_account(root: Person, people: People) -> None:
    ada = await people.join()
    assert (await root.client.get(f"/admin/users/{ada.user.id}")).json()["username"] == ada.user.username
    missing = await root.client.get(f"/admin/users/{ada.user.id + 1}")
    assert (missing.status_code, missing.json()["detail"]) == (404, "User not found")


class TestDisable:
    async def test_robustness_16_ends_all_sessions_at_once(
        self, root: Person, people: People, client: httpx.AsyncClient
    ) -> None:
        ada = await people.join(username="ada")
        form = {"username": "ada", "password": PASSWORD, "scope": "offline_access"}
        tokens = (await client.post("/auth/login", data=form)).json()
        other = people.client(tokens["access_token"])
        assert (await other.get("/users/me")).status_code == 200
        response = await root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": True})
        assert response.status_code == 200
        assert moment(response.json()["disabled_at"])
        for session in (ada.client, other):
            assert (await session.get("/users/me")).status_code == 401
        refresh = await client.post("/auth/refresh", data={"refresh_token": tokens["refresh_token"]})
        assert refresh.status_code == 401
        login = await client.post("/auth/login", data=form)
        wrong = await client.post("/auth/login", data=form | {"password": "wrong password"})
        assert (login.status_code, login.json()["detail"]) == (wrong.status_code, wrong.json()["detail"])
        assert login.status_code == 401
        assert (await root.client.get("/users/me")).status_code == 200, "everybody else's go on"

    async def test_deletes_what_came_by_mail(self, root: Person, people: People, database: Database) -> None:
        ada, bob = await people.join(), await people.join()
        async with database.unit_of_work() as uow:
            for person in (ada, bob):
                await OneTimeTokens(uow).issue(
                    person.user.id, Purpose.reset_password, person.user.email, timedelta(days=1)
                )
        await root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": True})
        assert await database.reader().all(select(OneTimeToken.user_id)) == [bob.user.id]

    async def test_is_undone_without_bringing_sessions_back(
        self, root: Person, people: People, client: httpx.AsyncClient
    ) -> None:
        ada = await people.join(username="ada")
        for disabled in (True, False):
            response = await root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": disabled})
            assert (response.json()["disabled_at"] is not None) is disabled
        assert (await ada.client.get("/users/me")).status_code == 401
        login = await client.post("/auth/login", data={"username": "ada", "password": PASSWORD})
        assert login.status_code == 200

    async def test_twice_is_once(self, root: Person, people: People, database: Database) -> None:
        ada = await people.join()
        answers = [
            (await root.client.patch(f"/admin/users/{ada.user.id}", json=body)).json()
            for body in ({"disabled": True}, {"disabled": True}, {})
        ]
        assert answers[0] == answers[1] == answers[2]
        again = [await root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": False}) for _ in range(2)]
        assert again[0].json() == again[1].json()
        told = select(AuditEvent).where(AuditEvent.action.startswith("user_")).order_by(AuditEvent.id)
        events = await database.reader().all(told)
        assert [(event.action, event.actor_id, event.details) for event in events] == [
            ("user_disabled", root.user.id, {"user_id": ada.user.id}),
            ("user_enabled", root.user.id, {"user_id": ada.user.id}),
        ]

    async def test_nobody_locks_himself_out(self, root: Person) -> None:
        mine = f"/admin/users/{root.user.id}"
        refused = await root.client.patch(mine, json={"disabled": True})
        assert (refused.status_code, refused.json()["detail"]) == (409, "You cannot disable your own account")
        assert (await root.client.patch(mine, json={"disabled": False})).status_code == 200

    async def test_of_two_who_disable_each_other_one_remains(self, own_people: People) -> None:
        both = [await own_people.join(is_superuser=True) for _ in range(2)]
        answers = await asyncio.gather(
            *(
                me.client.patch(f"/admin/users/{other.user.id}", json={"disabled": True})
                for me, other in (both, reversed(both))
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 401]
        left = select(func.count()).select_from(User).where(User.disabled_at.is_(None))
        assert await own_people.database.reader().one_or_none(left) == 1

    async def test_nobody_slips_in_meanwhile(self, own_people: People) -> None:
        """A login that has found the password right, but is not done when the account is disabled."""
        root, ada = await own_people.join(is_superuser=True), await own_people.join(username="ada")
        logins = [ada.client.post("/auth/login", data={"username": "ada", "password": PASSWORD}) for _ in range(3)]
        disable = root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": True})
        await asyncio.gather(*logins, disable)
        sessions = select(func.count()).select_from(UserSession).where(UserSession.user_id == ada.user.id)
        assert await own_people.database.reader().one_or_none(sessions) == 0

    async def test_ends_a_session_that_is_just_being_continued(self, own_people: People) -> None:
        root, ada = await own_people.join(is_superuser=True), await own_people.join(username="ada")
        form = {"username": "ada", "password": PASSWORD, "scope": "offline_access"}
        tokens = (await ada.client.post("/auth/login", data=form)).json()
        async with own_people.database.unit_of_work() as uow:
            session = (await uow.session.scalars(to_continue(digest(tokens["refresh_token"])))).one()
            disable = root.client.patch(f"/admin/users/{ada.user.id}", json={"disabled": True})
            disabling = asyncio.create_task(disable)
            await until_somebody_waits(own_people.database)
            await uow.session.execute(update(UserSession).where(UserSession.id == session.id).values(address="here"))
        assert (await disabling).status_code == 200
        assert await own_people.database.reader().all(select(UserSession.user_id)) == [root.user.id]

    @pytest.mark.parametrize("body", [{"disabled": None}, {"disabled": "perhaps"}, {"is_superuser": True}])
    async def test_refuses_what_is_none_of_it(self, root: Person, people: People, body: dict[str, object]) -> None:
        ada = await people.join()
        response = await root.client.patch(f"/admin/users/{ada.user.id}", json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", *body]

    async def test_nobody_who_is_not_there(self, root: Person) -> None:
        response = await root.client.patch("/admin/users/1000000000", json={"disabled": True})
        assert (response.status_code, response.json()["detail"]) == (404, "User not found")


class TestAuditEvents:
    @pytest.fixture
    async def events(self, database: Database) -> list[int]:
        """Six, an hour between each two, save the last two; each second one of another action, actor, workspace."""
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        async with database.unit_of_work() as uow:
            added = [
                AuditEvent(
                    action=("login", "login_failed")[number % 2],
                    actor_id=number % 2 + 1,
                    workspace_id=number % 3 + 1,
                    created_at=noon + timedelta(hours=min(number, 4)),
                )
                for number in range(6)
            ]
            uow.session.add_all(added)
        return [event.id for event in added]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"action": "login"}, [4, 2, 0]),
            ({"action": "nonsense"}, []),
            ({"actor_id": 2}, [5, 3, 1]),
            ({"workspace_id": 3}, [5, 2]),
            ({"actor_id": 2, "workspace_id": 3}, [5]),
            ({"since": "2026-01-01T14:00:00Z"}, [5, 4, 3, 2]),
            ({"until": "2026-01-01T14:00:00Z"}, [1, 0]),
            ({"since": "2026-01-01T13:00:00+00:00", "until": "2026-01-01T14:30:00+01:00"}, [1]),
            ({"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z", "action": "login"}, [4, 2, 0]),
            ({"sort": "created_at"}, [0, 1, 2, 3, 4, 5]),
        ],
    )
    async def test_newest_first_and_filtered(
        self, root: Person, events: list[int], query: dict[str, str], found: list[int]
    ) -> None:
        response = await root.client.get("/admin/audit-events", params={"until": "2026-01-02T00:00:00Z"} | query)
        assert [event["id"] for event in response.json()] == [events[index] for index in found]

    async def test_in_pages(self, root: Person, events: list[int]) -> None:
        seen: list[int] = []
        url: str | None = "/admin/audit-events?limit=2&until=2026-01-02T00:00:00Z"
        while url:
            response = await root.client.get(url)
            seen += [event["id"] for event in response.json()]
            url = response.links["next"]["url"] if "next" in response.links else None
        assert seen == events[::-1]

    async def test_who_what_from_where_and_when(self, root: Person, database: Database) -> None:
        async with database.unit_of_work() as uow:
            origin = Origin(address="192.0.2.1", user_agent="curl/8", request_id="abc")
            await AuditLog(uow, origin).record("login", actor_id=7, workspace_id=8, session_id=9)
        (event,) = (await root.client.get("/admin/audit-events?action=login")).json()
        assert event.pop("id")
        assert moment(event.pop("created_at"))
        assert event == {
            "action": "login",
            "actor_id": 7,
            "workspace_id": 8,
            "address": "192.0.2.1",
            "user_agent": "curl/8",
            "request_id": "abc",
            "details": {"session_id": 9},
        }

    @pytest.mark.parametrize(
        "query",
        [
            "action=",
            f"action={'x' * 51}",
            "action=%00",
            "actor_id=0",
            f"actor_id={2**63}",
            "workspace_id=me",
            "since=yesterday",
            "since=2026-01-01T00:00:00",
            "since=0001-01-01T00:00:00%2B14:00",
            "until=9999-12-31T23:59:59-14:00",
            "until=1e999",
            "until=99999-01-01T00:00:00Z",
            "sort=details",
            "nonsense=1",
        ],
    )
    async def test_refuses_by_name(self, root: Person, query: str) -> None:
        response = await root.client.get(f"/admin/audit-events?{query}")
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]
