"""How often somebody may try. Limits are per day here, so that no test runs into the next window."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI

from app.auth import passwords
from app.config import Settings
from app.errors import TooManyRequests
from app.observability import logs
from app.throttling import Throttling
from tests.contract import ContractTransport
from tests.people import PASSWORD, People

ATTACKER, VICTIM = "203.0.113.9", "198.51.100.7"
GUESS = "a guess"

Limit = Callable[..., Throttling]
HIGH = dict.fromkeys(("login", "register", "mail", "invitations", "refresh", "per_address"), "1000/day")


@pytest.fixture
def limit(app: FastAPI, settings: Settings) -> Iterator[Limit]:
    """Throttles the application. All limits are high but those that are named."""

    def throttle(*, enabled: bool = True, **limits: str) -> Throttling:
        named = {f"rate_limit_{name}": value for name, value in (HIGH | limits).items()}
        app.state.throttling = Throttling(settings.model_copy(update={"rate_limit_enabled": enabled, **named}))
        return app.state.throttling  # type: ignore[no-any-return]

    before = app.state.throttling
    yield throttle
    app.state.throttling = before


def at(address: str, app: FastAPI) -> httpx.AsyncClient:
    """A client at this address."""
    transport = ContractTransport(app)
    transport.client = (address, 50000)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def guess(client: httpx.AsyncClient, login: str = "ada", password: str = GUESS) -> int:
    return (await client.post("/auth/login", data={"username": login, "password": password})).status_code


class TestLogIn:
    async def test_robustness_21_guessing_comes_to_an_end_and_the_victim_comes_in(
        self, app: FastAPI, people: People, limit: Limit
    ) -> None:
        await people.join(username="ada")
        limit(login="3/day")
        async with at(ATTACKER, app) as attacker, at(VICTIM, app) as victim:
            assert [await guess(attacker) for _ in range(3)] == [401] * 3
            refusal = await attacker.post("/auth/login", data={"username": "ada", "password": PASSWORD})
            assert refusal.status_code == 429
            assert 1 <= int(refusal.headers["retry-after"]) <= 24 * 60 * 60 + 1
            assert refusal.headers["retry-after"] in refusal.json()["detail"]
            assert await guess(victim, password=PASSWORD) == 200

    @pytest.mark.parametrize(
        "spellings",
        [
            ("ada", "ADA", "aDa"),
            ("vic@example.com", "VİC@example.com", "vi\u0307c@EXAMPLE.com"),
            ("kim", "\u212aim", "KIM"),
        ],
    )
    async def test_an_account_is_one_however_it_is_written(
        self, app: FastAPI, limit: Limit, spellings: tuple[str, ...]
    ) -> None:
        limit(login="2/day")
        async with at(ATTACKER, app) as client:
            assert [await guess(client, login) for login in spellings] == [401, 401, 429]

    async def test_a_right_password_is_an_attempt_like_any_other(
        self, app: FastAPI, people: People, limit: Limit
    ) -> None:
        await people.join(username="ada")
        limit(login="2/day")
        async with at(ATTACKER, app) as client:
            statuses = [await guess(client, password=word) for word in (GUESS, PASSWORD, GUESS, PASSWORD)]
        assert statuses == [401, 200, 429, 429]

    async def test_a_refusal_costs_no_query_and_no_hashing(
        self, app: FastAPI, limit: Limit, queries: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limit(login="1/day", register="1/day", refresh="1/day")
        hashed: list[object] = []
        monkeypatch.setattr(passwords._context(), "verify_and_update", lambda *_: (False, None))
        new = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
        async with at(ATTACKER, app) as client:
            for statuses in ((401, 201, 401), (429, 429, 429)):
                queries.clear()
                assert await guess(client) == statuses[0]
                assert (await client.post("/auth/register", json=new)).status_code == statuses[1]
                refresh = await client.post("/auth/refresh", data={"refresh_token": "x"})
                assert refresh.status_code == statuses[2]
                monkeypatch.setattr(passwords._context(), "verify_and_update", lambda *_: hashed.append(1))
                monkeypatch.setattr(passwords._context(), "hash", lambda *_: hashed.append(1))
        assert queries == []
        assert hashed == []

    async def test_a_refusal_is_one_line_in_the_log_that_gives_nothing_away(
        self, app: FastAPI, limit: Limit, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logs.configure(settings)
        limit(login="1/day")
        async with at(ATTACKER, app) as client:
            assert [await guess(client, "ada@example.com") for _ in range(3)] == [401, 429, 429]
        written = [line for line in capsys.readouterr().out.splitlines() if "HTTP Request" not in line]
        refusals = [line for line in written if "throttled" in line]
        assert len(refusals) == 2
        assert all("limit=login" in line and f"network={ATTACKER}" in line for line in refusals)
        assert "ada@example.com" not in "".join(written)
        assert GUESS not in "".join(written)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ATTACKER, "203.0.113.10", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        (f"::ffff:{ATTACKER}", ATTACKER, True),
        (f"::ffff:{ATTACKER}", "::ffff:203.0.113.10", False),
    ],
)
async def test_who_is_one_client(app: FastAPI, limit: Limit, one: str, other: str, same: bool) -> None:
    limit(login="1/day")
    async with at(one, app) as first, at(other, app) as second:
        assert [await guess(first), await guess(second)] == [401, 429 if same else 401]


async def test_registering_and_refreshing_have_limits_for_an_address(app: FastAPI, limit: Limit) -> None:
    limit(register="2/day", refresh="3/day")
    common = {"email": "ada@example.com", "username": "ada", "password": "password1"}
    async with at(ATTACKER, app) as client, at(VICTIM, app) as elsewhere:
        registered = [(await client.post("/auth/register", json=common)).status_code for _ in range(3)]
        refreshed = [(await client.post("/auth/refresh")).status_code for _ in range(4)]
        assert (await elsewhere.post("/auth/register", json=common)).status_code == 422
        assert (await elsewhere.post("/auth/refresh")).status_code == 401
    assert registered == [422, 422, 429]
    assert refreshed == [401, 401, 401, 429]


async def test_an_address_has_one_limit_for_all_together(app: FastAPI, limit: Limit) -> None:
    limit(per_address="4/day")
    common = {"email": "ada@example.com", "username": "ada", "password": "password1"}
    async with at(ATTACKER, app) as client, at(VICTIM, app) as elsewhere:
        assert [await guess(client, "ada"), await guess(client, "eve")] == [401, 401]
        for statuses in ((401, 422), (429, 429)):
            assert (await client.post("/auth/refresh")).status_code == statuses[0]
            assert (await client.post("/auth/register", json=common)).status_code == statuses[1]
        assert await guess(client, "kim") == 429
        assert await guess(elsewhere, "ada") == 401


async def test_refused_guesses_at_one_account_leave_the_neighbours_alone(app: FastAPI, limit: Limit) -> None:
    limit(login="1/day", per_address="2/day")
    async with at(ATTACKER, app) as client:
        assert [await guess(client, "ada") for _ in range(5)] == [401, 429, 429, 429, 429]
        assert await guess(client, "eve") == 401


async def test_mail_to_an_account_is_limited_wherever_it_is_asked_for(limit: Limit) -> None:
    throttling = limit(mail="3/day", per_address="4/day")
    for number, email in enumerate(("ada@example.com", "ADA@example.com", "Ada@Example.com")):
        await throttling.of(f"203.0.113.{number}").mail_to(email)
    for address in (ATTACKER, VICTIM):
        with pytest.raises(TooManyRequests):
            await throttling.of(address).mail_to("ada@example.com")
        await throttling.of(address).mail_to("eve@example.com")
    await throttling.of(VICTIM).attempt()
    await throttling.of(VICTIM).attempt()
    with pytest.raises(TooManyRequests):
        await throttling.of(VICTIM).attempt()


async def test_it_can_be_turned_off(limit: Limit, app: FastAPI) -> None:
    limit(enabled=False, login="1/day", per_address="1/day")
    async with at(ATTACKER, app) as client:
        assert [await guess(client) for _ in range(3)] == [401] * 3


async def test_nobody_is_flooded_with_mail_whoever_asks_for_it(app: FastAPI, people: People, limit: Limit) -> None:
    """A forgotten password, a verification, a new address and an invitation are all mails to somebody."""
    ada = await people.join(email="ada@example.com", email_verified_at=None)
    bob = await people.join()
    invitation = await people.invite(bob)
    limit(mail="1/day")
    asked: list[tuple[str, str, dict[str, str] | None]] = [
        ("POST", "/auth/forgot-password", {"email": "ada@example.com"}),
        ("POST", "/auth/resend-verification", None),
        ("PATCH", "/users/me", {"email": "eve@example.com", "current_password": PASSWORD}),
    ]
    theirs: list[tuple[str, str, dict[str, str] | None]] = [
        ("POST", f"/workspaces/{bob.workspace_id}/invitations", {"email": "eve@example.com", "role": "viewer"}),
        ("POST", f"/workspaces/{bob.workspace_id}/invitations/{invitation.id}/resend", None),
        ("POST", f"/workspaces/{bob.workspace_id}/invitations/{invitation.id}/resend", None),
    ]
    requests = [(ada, *request) for request in asked] + [(bob, *request) for request in theirs]
    statuses = [(await who.client.request(method, path, json=body)).status_code for who, method, path, body in requests]
    assert statuses == [202, 429, 200, 429, 202, 429]


async def test_nobody_writes_to_all_the_world(people: People, limit: Limit) -> None:
    ada = await people.join()
    limit(invitations="2/day")
    path = f"/workspaces/{ada.workspace_id}/invitations"
    invited = [{"email": f"{name}@example.com", "role": "viewer"} for name in ("bob", "eve", "joe")]
    assert [(await ada.client.post(path, json=body)).status_code for body in invited] == [201, 201, 429]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/verify-email", {"token": "a guess"}),
        ("/auth/reset-password", {"token": "a guess", "password": PASSWORD}),
        ("/invitations/accept", {"token": "a guess"}),
    ],
)
async def test_tokens_are_not_guessed_for_ever(app: FastAPI, limit: Limit, path: str, body: dict[str, str]) -> None:
    limit(per_address="2/day")
    async with at(ATTACKER, app) as attacker:
        assert [(await attacker.post(path, json=body)).status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/me/password", {"current_password": GUESS, "new_password": PASSWORD}),
        ("PATCH", "/users/me", {"email": "eve@example.com", "current_password": GUESS}),
        ("DELETE", "/users/me", {"password": GUESS}),
    ],
)
async def test_a_stolen_token_is_no_way_to_guess_the_password(
    people: People, limit: Limit, method: str, path: str, body: dict[str, str]
) -> None:
    ada = await people.join()
    limit(login="2/day")
    assert [(await ada.client.request(method, path, json=body)).status_code for _ in range(2)] == [403, 403]
    await ada.client.patch("/users/me", json={"username": "another.name"})
    assert (await ada.client.request(method, path, json=body)).status_code == 429, "by whatever name"
