from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.roles import Role
from tests.people import People, moment

VALID = {"title": "On the analytical engine", "content": "It weaves algebraical patterns."}


class TestList:
    async def test_shows_everybody_what_is_published(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        shown = await people.write(ada)
        await people.write(ada, published=False)
        response = await client.get("/articles")
        assert response.status_code == 200
        assert [article["id"] for article in response.json()] == [shown.id]

    async def test_shows_drafts_to_their_workspace_and_nobody_else(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        colleague = await people.join(ada.workspace_id, Role.viewer)
        draft = await people.write(ada, published=False)
        for one in (ada, colleague):
            assert [article["id"] for article in (await one.client.get("/articles")).json()] == [draft.id]
        assert (await bob.client.get("/articles")).json() == []

    async def test_filters_by_published(self, people: People) -> None:
        ada = await people.join()
        draft, shown = await people.write(ada, published=False), await people.write(ada)
        drafts = await ada.client.get("/articles", params={"published": "false"})
        assert [article["id"] for article in drafts.json()] == [draft.id]
        published = await ada.client.get("/articles", params={"published": "true"})
        assert [article["id"] for article in published.json()] == [shown.id]

    async def test_is_newest_first_with_ties_in_one_order(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        older = await people.write(ada, created_at=noon - timedelta(days=1))
        twins = [await people.write(ada, created_at=noon) for _ in range(2)]
        listed = [article["id"] for article in (await client.get("/articles")).json()]
        assert listed == [twins[1].id, twins[0].id, older.id]

    @pytest.mark.parametrize(
        ("sort", "order"),
        [("title", [0, 1, 2]), ("-title", [2, 1, 0]), ("id", [2, 0, 1]), ("-created_at,title", [1, 0, 2])],
    )
    async def test_sorts(self, client: httpx.AsyncClient, people: People, sort: str, order: list[int]) -> None:
        ada = await people.join()
        day = datetime(2026, 1, 1, tzinfo=UTC)
        c = await people.write(ada, title="C", created_at=day)
        a = await people.write(ada, title="A", created_at=day + timedelta(days=1))
        b = await people.write(ada, title="B", created_at=day + timedelta(days=2))
        expected = [[a, b, c][index].id for index in order]
        response = await client.get("/articles", params={"sort": sort})
        assert [article["id"] for article in response.json()] == expected

    async def test_following_next_visits_every_article_once(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        written = {(await people.write(ada)).id for _ in range(7)}
        seen: list[int] = []
        url: str | None = "/articles?limit=3&sort=title"
        while url:
            response = await client.get(url)
            seen += [article["id"] for article in response.json()]
            url = response.links["next"]["url"] if "next" in response.links else None
        assert len(seen) == 7
        assert set(seen) == written

    async def test_next_keeps_the_filter_and_the_order(self, people: People) -> None:
        ada = await people.join()
        drafts = [await people.write(ada, published=False, title=title) for title in "ABC"]
        await people.write(ada)
        first = await ada.client.get("/articles?published=false&sort=title&limit=2")
        second = await ada.client.get(first.links["next"]["url"])
        listed = [article["id"] for article in first.json() + second.json()]
        assert listed == [draft.id for draft in drafts]

    async def test_a_page_that_is_just_full_has_no_next(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        for _ in range(3):
            await people.write(ada)
        assert "link" not in (await client.get("/articles", params={"limit": 3})).headers

    @pytest.mark.parametrize(
        ("query", "culprit"),
        [
            ("limit=-1", "limit"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("skip=-1", "skip"),
            (f"skip={10**30}", "skip"),
            ("sort=hashed_password", "sort"),
            ("sort=title,,id", "sort"),
            ("sort=", "sort"),
            ("published=perhaps", "published"),
            ("publisched=true", "publisched"),
        ],
    )
    async def test_refuses_by_name(self, client: httpx.AsyncClient, query: str, culprit: str) -> None:
        response = await client.get(f"/articles?{query}")
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["query", culprit]]

    async def test_skips_past_the_end_to_nothing(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/articles", params={"skip": 2**63 - 1})).json() == []

    async def test_costs_two_statements_however_long_it_is(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        for _ in range(5):
            await people.write(ada)
        queries.clear()
        assert len((await ada.client.get("/articles")).json()) == 5
        assert len(queries) == 2, "one for the caller, one for the list"


class TestRead:
    async def test_gives_the_whole_article(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada, title="Notes", content="By the translator")
        body = (await client.get(f"/articles/{article.id}")).json()
        assert moment(body.pop("created_at")) == article.created_at
        assert moment(body.pop("updated_at")) == article.updated_at
        assert body == {
            "id": article.id,
            "title": "Notes",
            "content": "By the translator",
            "published": True,
            "author_id": ada.user.id,
        }

    async def test_hides_a_draft_as_if_it_were_not_there(self, client: httpx.AsyncClient, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        draft = await people.write(ada, published=False)
        missing = await client.get(f"/articles/{draft.id + 1}")
        assert missing.status_code == 404
        assert missing.json()["detail"] == "Article not found"
        for stranger in (client, bob.client):
            hidden = await stranger.get(f"/articles/{draft.id}")
            assert (hidden.status_code, hidden.json()["detail"]) == (404, "Article not found")
        assert (await ada.client.get(f"/articles/{draft.id}")).status_code == 200

    @pytest.mark.parametrize("key", ["0", "-1", "abc", "1.5", str(2**63), str(10**30), "%00", "1%00"])
    async def test_refuses_what_is_no_key(self, client: httpx.AsyncClient, key: str) -> None:
        assert (await client.get(f"/articles/{key}")).status_code == 422

    @pytest.mark.parametrize("key", [2**31, 2**32, 2**63 - 1])
    async def test_a_large_key_is_simply_not_there(self, client: httpx.AsyncClient, key: int) -> None:
        assert (await client.get(f"/articles/{key}")).status_code == 404


class TestCreate:
    async def test_answers_with_the_article_and_where_it_is(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.post("/articles", json=VALID)
        assert response.status_code == 201
        body = response.json()
        assert body["author_id"] == ada.user.id
        assert body["published"] is False
        again = await ada.client.get(response.headers["location"])
        assert again.json() == body

    async def test_needs_an_account(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/articles", json=VALID)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("change", "culprit"),
        [
            ({"title": ""}, "title"),
            ({"title": "   "}, "title"),
            ({"title": "x" * 201}, "title"),
            ({"title": None}, "title"),
            ({"title": "a\0b"}, "title"),
            ({"content": "too short"}, "content"),
            ({"content": "ten characters\0"}, "content"),
            ({"published": "perhaps"}, "published"),
            ({"author_id": 1}, "author_id"),
            ({"workspace_id": 1}, "workspace_id"),
            ({"id": 1}, "id"),
        ],
    )
    async def test_refuses_by_name(self, people: People, change: dict[str, object], culprit: str) -> None:
        ada = await people.join()
        response = await ada.client.post("/articles", json=VALID | change)
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["body", culprit]]
        assert (await ada.client.get("/articles")).json() == []

    async def test_takes_the_longest_and_the_strangest_text(self, people: People) -> None:
        ada = await people.join()
        strange = {"title": "🦄" * 200, "content": "';DROP TABLE users;-- </script> \\ \u202e \U0010ffff"}
        response = await ada.client.post("/articles", json=strange)
        assert response.status_code == 201
        assert {key: response.json()[key] for key in strange} == strange


class TestUpdate:
    async def test_changes_what_is_sent_and_nothing_else(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada, published=False)
        response = await ada.client.patch(f"/articles/{article.id}", json={"published": True})
        assert response.status_code == 200
        body = response.json()
        assert (body["title"], body["content"], body["published"]) == (article.title, article.content, True)
        assert (await ada.client.get(f"/articles/{article.id}")).json() == body

    async def test_moves_the_time_of_the_last_change(self, own_people: People) -> None:
        ada = await own_people.join()
        article = await own_people.write(ada)
        body = (await ada.client.patch(f"/articles/{article.id}", json={"title": "New"})).json()
        assert moment(body["created_at"]) == article.created_at
        assert moment(body["updated_at"]) > article.updated_at

    @pytest.mark.parametrize("field", ["title", "content", "published"])
    async def test_null_is_not_a_value(self, people: People, field: str) -> None:
        ada = await people.join()
        article = await people.write(ada)
        response = await ada.client.patch(f"/articles/{article.id}", json={field: None})
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", field]

    async def test_nothing_sent_is_nothing_changed(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        before = (await ada.client.get(f"/articles/{article.id}")).json()
        assert (await ada.client.patch(f"/articles/{article.id}", json={})).json() == before

    async def test_is_for_the_author(self, client: httpx.AsyncClient, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        refused = await bob.client.patch(f"/articles/{article.id}", json={"title": "Mine"})
        assert (refused.status_code, refused.json()["detail"]) == (403, "Not authorized")
        assert (await client.patch(f"/articles/{article.id}", json={"title": "Mine"})).status_code == 401
        assert (await client.get(f"/articles/{article.id}")).json()["title"] == article.title

    @pytest.mark.parametrize(("role", "status"), [(Role.member, 403), (Role.admin, 200), (Role.owner, 200)])
    async def test_a_colleague_needs_the_role(self, people: People, role: Role, status: int) -> None:
        ada = await people.join()
        colleague = await people.join(ada.workspace_id, role)
        draft = await people.write(ada, published=False)
        assert (await colleague.client.patch(f"/articles/{draft.id}", json={"title": "Ours"})).status_code == status

    async def test_a_viewer_changes_nothing_not_even_his_own(self, people: People) -> None:
        ada = await people.join()
        viewer = await people.join(ada.workspace_id, Role.viewer)
        written_before = await people.write(viewer)
        assert (await viewer.client.post("/articles", json=VALID)).status_code == 403
        assert (await viewer.client.patch(f"/articles/{written_before.id}", json={})).status_code == 403
        assert (await viewer.client.delete(f"/articles/{written_before.id}")).status_code == 403

    @pytest.mark.parametrize("field", ["workspace_id", "author_id"])
    async def test_robustness_24_cannot_be_given_away(self, people: People, field: str) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        theirs = {"workspace_id": bob.workspace_id, "author_id": bob.user.id}
        response = await ada.client.patch(f"/articles/{article.id}", json={field: theirs[field]})
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", field])

    async def test_a_strangers_draft_is_not_there(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        draft = await people.write(ada, published=False)
        assert (await bob.client.patch(f"/articles/{draft.id}", json={"title": "Mine"})).status_code == 404


class TestDelete:
    async def test_removes_the_article_once(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        response = await ada.client.delete(f"/articles/{article.id}")
        assert (response.status_code, response.content) == (204, b"")
        assert (await ada.client.delete(f"/articles/{article.id}")).status_code == 404

    async def test_is_for_the_author(self, client: httpx.AsyncClient, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        assert (await bob.client.delete(f"/articles/{article.id}")).status_code == 403
        assert (await client.delete(f"/articles/{article.id}")).status_code == 401
        assert (await client.get(f"/articles/{article.id}")).status_code == 200


class TestSeveralAtOnce:
    async def test_are_made_in_their_order(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        queries.clear()
        sent = [VALID | {"title": f"{number:03}", "published": number % 2 == 0} for number in range(100)]
        response = await ada.client.post("/articles", json=sent)
        assert response.status_code == 201
        assert [one["title"] for one in response.json()] == [one["title"] for one in sent]
        assert [one["published"] for one in response.json()] == [one["published"] for one in sent]
        assert "location" not in response.headers
        assert len(queries) <= 4, "however many they are"

    async def test_all_or_none(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.post("/articles", json=[VALID, VALID, VALID | {"title": " "}, {"content": 1}])
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", 2, "title"]
        assert (await ada.client.get("/articles")).json() == []

    @pytest.mark.parametrize("count", [0, 101])
    async def test_not_none_and_not_too_many(self, people: People, count: int) -> None:
        ada = await people.join()
        response = await ada.client.post("/articles", json=[VALID] * count)
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body"])

    async def test_under_a_key_they_are_made_once(self, people: People) -> None:
        ada, key = await people.join(), {"Idempotency-Key": "several"}
        first = await ada.client.post("/articles", json=[VALID, VALID], headers=key)
        again = await ada.client.post("/articles", json=[VALID, VALID], headers=key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert len((await ada.client.get("/articles")).json()) == 2
        other = await ada.client.post("/articles", json=[VALID], headers=key)
        assert (other.status_code, "Idempotency-Key" in other.json()["detail"]) == (422, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_slash_at_the_end_makes_no_difference(people: People, method: str) -> None:
    ada = await people.join()
    body = VALID if method == "POST" else None
    without = await ada.client.request(method, "/articles", json=body)
    with_slash = await ada.client.request(method, "/articles/", json=body)
    assert without.status_code == with_slash.status_code == (201 if method == "POST" else 200)
