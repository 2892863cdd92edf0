"""Sessions: how they are opened, go on, and end."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.opaque import digest
from app.config import Settings
from app.database.database import Database
from app.main import create_app
from app.models.session import RefreshToken, UserSession
from app.repositories.users import IN_SESSION
from tests.contract import ContractTransport
from tests.people import PASSWORD, People

OFFLINE = "offline_access"


async def log_in(client: httpx.AsyncClient, username: str = "ada", **form: str) -> httpx.Response:
    return await client.post("/auth/login", data={"username": username, "password": PASSWORD, **form})


async def offline(client: httpx.AsyncClient, username: str = "ada") -> dict[str, Any]:
    """The tokens of a new session, without cookies."""
    tokens: dict[str, Any] = (await log_in(client, username, scope=OFFLINE)).json()
    return tokens


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/auth/refresh", data={"refresh_token": token})


async def me(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})).status_code


@pytest.fixture
async def browser(people: People, app: FastAPI, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client that keeps cookies, and is logged in with them alone."""
    await people.join(username="ada")
    assert (await log_in(client)).status_code == 200
    return client


class TestCookies:
    async def test_are_enough_to_be_known(self, browser: httpx.AsyncClient) -> None:
        assert (await browser.get("/users/me")).json()["username"] == "ada"
        assert (await browser.post("/articles", json={"title": "T", "content": "0123456789"})).status_code == 201

    async def test_go_on_and_replace_themselves(self, browser: httpx.AsyncClient) -> None:
        before = dict(browser.cookies)
        response = await browser.post("/auth/refresh")
        assert response.status_code == 200
        assert "refresh_token" not in response.json()
        assert dict(browser.cookies).keys() == before.keys()
        assert browser.cookies["refresh_token"] != before["refresh_token"]
        assert (await browser.get("/users/me")).status_code == 200

    async def test_are_gone_after_a_logout(self, browser: httpx.AsyncClient) -> None:
        assert (await browser.post("/auth/logout")).status_code == 204
        assert not browser.cookies
        assert (await browser.get("/users/me")).status_code == 401

    async def test_of_a_session_that_was_ended_elsewhere_do_not_close_what_is_public(
        self, browser: httpx.AsyncClient
    ) -> None:
        headers = {"Authorization": f"Bearer {browser.cookies['access_token']}"}
        await browser.post("/auth/logout", headers=headers)
        assert (await browser.get("/users/me")).status_code == 401
        assert (await browser.get("/articles")).status_code == 200

    async def test_of_which_one_has_expired_still_log_out(self, browser: httpx.AsyncClient) -> None:
        refresh_token = browser.cookies["refresh_token"]
        browser.cookies.delete("access_token")
        assert (await browser.post("/auth/logout")).status_code == 204
        assert (await refresh(browser, refresh_token)).status_code == 401

    async def test_robustness_19_over_plain_http(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        cookies = (await log_in(client)).headers.get_list("set-cookie")
        assert [cookie.partition("=")[0] for cookie in cookies] == ["access_token", "refresh_token"]
        for cookie in cookies:
            assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
            assert "Secure" not in cookie
            assert "Domain" not in cookie

    async def test_robustness_19_over_https(self, app: FastAPI, people: People) -> None:
        await people.join(username="ada")
        async with httpx.AsyncClient(transport=ContractTransport(app), base_url="https://test") as client:
            cookies = (await log_in(client)).headers.get_list("set-cookie")
            assert [cookie.partition("=")[0] for cookie in cookies] == ["__Host-access_token", "__Host-refresh_token"]
            for cookie in cookies:
                assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
                assert "Domain" not in cookie
            assert (await client.get("/users/me")).status_code == 200
            assert (await client.get("/users/me", headers={"cookie": "access_token=x"})).status_code == 401

    async def test_robustness_19_in_production_whatever_the_proxy_says(
        self, people: People, database: Database, settings: Settings
    ) -> None:
        production = create_app(settings.model_copy(update={"environment": "production"}))
        production.state.database = database
        await people.join(username="ada")
        async with httpx.AsyncClient(transport=ContractTransport(production), base_url="http://test") as client:
            cookies = (await log_in(client)).headers.get_list("set-cookie")
            assert all(cookie.startswith("__Host-") and "Secure" in cookie for cookie in cookies)

    async def test_last_as_long_as_what_they_hold(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        access, refresh_cookie = (await log_in(client)).headers.get_list("set-cookie")
        assert "Max-Age=1800;" in access
        assert f"Max-Age={14 * 24 * 3600};" in refresh_cookie


class TestOfflineAccess:
    async def test_gives_the_refresh_token_and_no_cookies(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        response = await log_in(client, scope=f"profile {OFFLINE}")
        assert response.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert response.headers["cache-control"] == "no-store"
        assert "set-cookie" not in response.headers

    async def test_is_not_given_unasked(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        assert (await log_in(client)).json().keys() == {"access_token", "token_type", "expires_in"}

    async def test_goes_on_the_same_way(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        first = await offline(client)
        response = await refresh(client, first["refresh_token"])
        assert response.status_code == 200
        assert "set-cookie" not in response.headers
        assert response.headers["cache-control"] == "no-store"
        second = response.json()
        assert second["refresh_token"] != first["refresh_token"]
        assert await me(client, second["access_token"]) == 200

    async def test_a_bearer_logs_out_its_own_session_and_leaves_the_cookies_beside_it(
        self, browser: httpx.AsyncClient
    ) -> None:
        tokens = await offline(browser)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        response = await browser.post("/auth/logout", headers=headers)
        assert "set-cookie" not in response.headers
        assert (await browser.get("/users/me")).status_code == 200
        assert await me(browser, tokens["access_token"]) == 401

    async def test_is_ended_by_its_token_and_not_by_the_cookies_beside_it(self, browser: httpx.AsyncClient) -> None:
        tokens = await offline(browser)
        await browser.post("/auth/logout", data={"refresh_token": tokens["refresh_token"]})
        assert (await browser.get("/users/me")).status_code == 200
        assert (await refresh(browser, tokens["refresh_token"])).status_code == 401


class TestRefresh:
    async def test_without_a_token_is_nobody(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/auth/refresh")).status_code == 401

    @pytest.mark.parametrize("token", ["x", "\0", "é", "A" * 100_000])
    async def test_robustness_4_garbage(self, client: httpx.AsyncClient, token: str) -> None:
        assert (await refresh(client, token)).status_code == 401

    async def test_robustness_3_each_token_is_for_one_thing(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        tokens = await offline(client)
        assert await me(client, tokens["refresh_token"]) == 401
        assert (await refresh(client, tokens["access_token"])).status_code == 401

    async def test_another_grant_is_refused_by_name(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/auth/refresh", data={"grant_type": "password", "refresh_token": "x"})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", "grant_type"]

    async def test_robustness_12_of_20_at_once_one_succeeds(self, own_app: FastAPI, own_people: People) -> None:
        await own_people.join(username="ada")
        async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
            token = (await offline(client))["refresh_token"]
            answers = await asyncio.gather(*[refresh(client, token) for _ in range(20)])
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19

    async def test_robustness_13_a_replay_ends_the_family(self, own_app: FastAPI, own_people: People) -> None:
        """With real commits: the answer is an error, and must not roll back what it tells."""
        await own_people.join(username="ada")
        async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
            first = await offline(client)
            second = (await refresh(client, first["refresh_token"])).json()
            assert (await refresh(client, first["refresh_token"])).status_code == 401
            assert (await refresh(client, second["refresh_token"])).status_code == 401
            assert await me(client, second["access_token"]) == 401

    async def test_robustness_14_other_families_and_users_survive(self, own_app: FastAPI, own_people: People) -> None:
        await own_people.join(username="ada")
        await own_people.join(username="bob")
        async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
            stolen, hers, his = await offline(client), await offline(client), await offline(client, "bob")
            for _ in range(2):
                await refresh(client, stolen["refresh_token"])
            for tokens in (hers, his):
                assert await me(client, tokens["access_token"]) == 200
                assert (await refresh(client, tokens["refresh_token"])).status_code == 200

    async def test_robustness_14_a_family_dies_at_its_end(
        self, client: httpx.AsyncClient, people: People, database: Database
    ) -> None:
        await people.join(username="ada")
        tokens = await offline(client)
        await pass_days(database, UserSession.created_at, 90)
        tokens = (await refresh(client, tokens["refresh_token"])).json()
        assert (await refresh(client, tokens["refresh_token"])).status_code == 401
        assert await me(client, tokens["access_token"]) == 401
        assert await sessions_of(database) == 1, "nothing was stolen: it has just come to its end"

    async def test_a_family_that_nobody_uses_dies_earlier(
        self, client: httpx.AsyncClient, people: People, database: Database
    ) -> None:
        await people.join(username="ada")
        tokens = await offline(client)
        for _ in range(3):
            await pass_days(database, UserSession.expires_at, 13)
            tokens = (await refresh(client, tokens["refresh_token"])).json()
        await pass_days(database, UserSession.expires_at, 15)
        assert (await refresh(client, tokens["refresh_token"])).status_code == 401
        assert await me(client, tokens["access_token"]) == 401

    async def test_robustness_18_no_token_is_stored(
        self, client: httpx.AsyncClient, people: People, database: Database
    ) -> None:
        await people.join(username="ada")
        tokens = await offline(client)
        stored = await database.reader().all(select(RefreshToken.token_hash))
        assert digest(tokens["refresh_token"]) in stored
        assert tokens["refresh_token"].encode() not in stored


async def pass_days(database: Database, column: Any, days: int) -> None:
    """Let so many days go by for this column of the sessions."""
    async with database.unit_of_work() as uow:
        await uow.session.execute(update(UserSession).values({column: column - timedelta(days=days)}))


async def sessions_of(database: Database) -> int | None:
    """How many sessions there are, beside the one that `People.join` has made."""
    count = await database.reader().one_or_none(select(func.count()).select_from(UserSession))
    return count and count - 1


class TestLogOut:
    async def test_robustness_15_ends_both_tokens_at_once(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        tokens, other = await offline(client), await offline(client)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.post("/auth/logout", headers=headers)).status_code == 204
        assert await me(client, tokens["access_token"]) == 401
        assert (await refresh(client, tokens["refresh_token"])).status_code == 401
        assert await me(client, other["access_token"]) == 200

    async def test_takes_the_refresh_token_too(self, client: httpx.AsyncClient, people: People) -> None:
        await people.join(username="ada")
        tokens = await offline(client)
        await client.post("/auth/logout", data={"refresh_token": tokens["refresh_token"]})
        assert await me(client, tokens["access_token"]) == 401

    @pytest.mark.parametrize("token", ["x", "", "é"])
    async def test_has_nothing_to_do_for_what_is_not_good(self, client: httpx.AsyncClient, token: str) -> None:
        response = await client.post(
            "/auth/logout",
            headers={b"Authorization": b"Bearer " + token.encode()},
            data={"refresh_token": token},
        )
        assert response.status_code == 204

    async def test_everywhere_is_every_session_of_mine_and_nobody_elses(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        await people.join(username="ada")
        bob = await people.join()
        mine = [await offline(client) for _ in range(2)]
        headers = {"Authorization": f"Bearer {mine[0]['access_token']}"}
        assert (await client.post("/auth/logout-all", headers=headers)).status_code == 204
        for tokens in mine:
            assert await me(client, tokens["access_token"]) == 401
            assert (await refresh(client, tokens["refresh_token"])).status_code == 401
        assert (await bob.client.get("/users/me")).status_code == 200


class TestList:
    async def test_tells_where_and_when_and_which_is_this_one(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join(username="ada")
        agent = {"user-agent": "Mozilla/5.0 (a phone)"}
        await client.post("/auth/login", data={"username": "ada", "password": PASSWORD}, headers=agent)
        listed = (await ada.client.get("/auth/sessions", params={"sort": "id"})).json()
        assert [session["current"] for session in listed] == [True, False]
        assert listed[1]["user_agent"] == agent["user-agent"]
        assert listed[1]["address"] == "127.0.0.1"

    async def test_last_use_moves_with_a_refresh(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join(username="ada")
        tokens = await offline(client)
        before = (await ada.client.get("/auth/sessions")).json()[0]["last_used_at"]
        await refresh(client, tokens["refresh_token"])
        assert (await ada.client.get("/auth/sessions")).json()[0]["last_used_at"] > before

    async def test_shows_nobody_elses(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        assert [session["id"] for session in (await ada.client.get("/auth/sessions")).json()] == [ada.session_id]
        assert [session["id"] for session in (await bob.client.get("/auth/sessions")).json()] == [bob.session_id]

    async def test_goes_on_from_page_to_page(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join(username="ada")
        for _ in range(3):
            await offline(client)
        first = await ada.client.get("/auth/sessions?limit=3")
        second = await ada.client.get(first.links["next"]["url"])
        assert len({session["id"] for session in first.json() + second.json()}) == 4


class TestEnd:
    async def test_logs_out_somewhere_else(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join(username="ada")
        tokens = await offline(client)
        (other,) = [
            session["id"] for session in (await ada.client.get("/auth/sessions")).json() if not session["current"]
        ]
        assert (await ada.client.delete(f"/auth/sessions/{other}")).status_code == 204
        assert await me(client, tokens["access_token"]) == 401
        assert (await ada.client.get("/users/me")).status_code == 200
        assert (await ada.client.delete(f"/auth/sessions/{other}")).status_code == 404

    async def test_robustness_23_somebody_elses_is_not_there(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        foreign = await ada.client.delete(f"/auth/sessions/{bob.session_id}")
        missing = await ada.client.delete(f"/auth/sessions/{10**9}")
        assert (foreign.status_code, foreign.json()["detail"]) == (404, missing.json()["detail"])
        assert (await bob.client.get("/users/me")).status_code == 200


async def test_knowing_the_caller_costs_one_query(people: People, queries: list[str]) -> None:
    ada = await people.join()
    queries.clear()
    assert (await ada.client.get("/users/me")).status_code == 200
    assert len(queries) == 1


async def test_that_query_reads_no_table_from_end_to_end(connection: AsyncConnection) -> None:
    sql = IN_SESSION.compiled(None).sql.replace("$1", "1").replace("$2", "1")
    # The tables of a test are too small for an index: with this, a scan is planned only where there is none.
    await connection.execute(text("SET LOCAL enable_seqscan = off"))
    plan = (await connection.execute(text(f"EXPLAIN {sql}"))).scalars().all()
    assert [line for line in plan if "Index Scan" in line]
    assert [line for line in plan if "Seq Scan" in line] == []
