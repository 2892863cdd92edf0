from typing import Any

import httpx
import pytest

from app.roles import Role
from tests.people import People, Person, moment


async def tag(person: Person, name: str) -> int:
    response = await person.client.post("/tags", json={"name": name})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


async def names(person: Person, query: str = "") -> list[str]:
    return [one["name"] for one in (await person.client.get(f"/tags{query}")).json()]


async def tagged(person: Person, tag_id: int) -> list[int]:
    return [one["id"] for one in (await person.client.get(f"/tags/{tag_id}/articles?sort=id")).json()]


class TestList:
    async def test_shows_those_of_the_workspace_by_name(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        viewer = await people.join(ada.workspace_id, Role.viewer)
        for name in ("zebra", "ant", "mole"):
            await tag(ada, name)
        await tag(bob, "bee")
        for one in (ada, viewer):
            assert await names(one) == ["ant", "mole", "zebra"]
        assert await names(bob) == ["bee"]

    async def test_searches_filters_and_counts(self, people: People) -> None:
        ada = await people.join()
        for name in ("Ant", "Bee", "Giant", "100%"):
            await tag(ada, name)
        assert await names(ada, "?q=ANT") == ["Ant", "Giant"]
        assert await names(ada, "?q=%25") == ["100%"]
        assert await names(ada, "?name__in=Bee,Ant&sort=-name") == ["Bee", "Ant"]
        counted = await ada.client.get("/tags?count=exact&limit=1")
        assert (len(counted.json()), counted.headers["x-total-count"]) == (1, "4")

    async def test_does_not_count_what_is_somebody_elses(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        await tag(ada, "ant")
        counted = await bob.client.get("/tags?count=exact")
        assert (counted.json(), counted.headers["x-total-count"]) == ([], "0")

    async def test_goes_on_by_cursor(self, people: People) -> None:
        ada = await people.join()
        await ada.client.post("/tags", json=[{"name": name} for name in "edcba"])
        seen: list[str] = []
        url: str | None = "/tags?limit=2"
        while url:
            page = await ada.client.get(url)
            seen += [one["name"] for one in page.json()]
            url = page.links["next"]["url"] if "next" in page.links else None
        assert seen == list("abcde")

    async def test_needs_an_account(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/tags")
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")

    async def test_costs_two_statements_whatever_it_includes(self, people: People, queries: list[str]) -> None:
        ada = await people.join()
        for name in "abc":
            article = await people.write(ada)
            await ada.client.put(f"/tags/{await tag(ada, name)}/articles/{article.id}")
        queries.clear()
        listed = await ada.client.get("/tags?include=articles.author")
        assert [len(one["articles"]) for one in listed.json()] == [1, 1, 1]
        assert len(queries) == 2, "one for the caller, one for the list"


class TestCreate:
    async def test_answers_with_the_tag_and_where_it_is(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.post("/tags", json={"name": "Ünï 🦄"})
        assert response.status_code == 201
        body = response.json()
        assert body.keys() == {"id", "name", "created_at", "updated_at"}
        assert moment(body["created_at"]) == moment(body["updated_at"])
        again = await ada.client.get(response.headers["location"])
        assert again.json() == body
        assert again.headers["etag"] == response.headers["etag"]

    async def test_takes_several_at_once_in_their_order(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.post("/tags", json=[{"name": name} for name in ("c", "a", "b")])
        assert response.status_code == 201
        assert [one["name"] for one in response.json()] == ["c", "a", "b"]
        assert "location" not in response.headers
        assert len(await names(ada)) == 3

    async def test_takes_one_to_a_hundred(self, people: People) -> None:
        ada = await people.join()
        for count, status in ((0, 422), (101, 422), (100, 201)):
            response = await ada.client.post("/tags", json=[{"name": f"{number:03}"} for number in range(count)])
            assert response.status_code == status
        assert len(await names(ada, "?limit=100")) == 100

    async def test_one_in_an_array_is_answered_as_an_array(self, people: People) -> None:
        ada = await people.join()
        assert [one["name"] for one in (await ada.client.post("/tags", json=[{"name": "a"}])).json()] == ["a"]

    @pytest.mark.parametrize(
        ("third", "place"),
        [
            ({"name": "x" * 51}, ["body", 2, "name"]),
            ({}, ["body", 2, "name"]),
            ({"name": None}, ["body", 2, "name"]),
            ({"name": "c", "id": 5}, ["body", 2, "id"]),
            ("c", ["body", 2]),
        ],
    )
    async def test_all_or_none_and_the_culprit_has_a_place(
        self, people: People, third: object, place: list[Any]
    ) -> None:
        ada = await people.join()
        response = await ada.client.post("/tags", json=[{"name": "a"}, {"name": "b"}, third])
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [place]
        assert await names(ada) == []

    async def test_what_only_the_database_refuses_undoes_all(self, people: People) -> None:
        ada = await people.join()
        response = await ada.client.post("/tags", json=[{"name": "a"}, {"name": "b"}, {"name": "a"}])
        assert (response.status_code, response.json()["detail"]) == (409, "name is already taken")
        assert await names(ada) == []

    @pytest.mark.parametrize(
        ("body", "culprit"),
        [
            ({"name": "x" * 51}, "name"),
            ({"name": 1}, "name"),
            ({"name": "a\0b"}, "name"),
            ({"name": "a", "workspace_id": 1}, "workspace_id"),
            ({"name": "a", "created_at": "2026-01-01T00:00:00Z"}, "created_at"),
            ({"name": "a", "articles": [1]}, "articles"),
        ],
    )
    async def test_refuses_by_name(self, people: People, body: object, culprit: str) -> None:
        ada = await people.join()
        response = await ada.client.post("/tags", json=body)
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["body", culprit]]

    async def test_a_name_is_taken_within_the_workspace_only(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        await tag(ada, "ant")
        response = await ada.client.post("/tags", json={"name": "ant"})
        assert (response.status_code, response.json()["detail"]) == (409, "name is already taken")
        await tag(bob, "ant")

    async def test_under_a_key_is_done_once(self, people: People) -> None:
        ada, key = await people.join(), {"Idempotency-Key": "k"}
        first = await ada.client.post("/tags", json=[{"name": "a"}, {"name": "b"}], headers=key)
        again = await ada.client.post("/tags", json=[{"name": "a"}, {"name": "b"}], headers=key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"

    async def test_is_for_members(self, people: People) -> None:
        ada = await people.join()
        viewer = await people.join(ada.workspace_id, Role.viewer)
        assert (await viewer.client.post("/tags", json={"name": "a"})).status_code == 403


class TestUpdate:
    async def test_changes_the_name(self, people: People) -> None:
        ada = await people.join()
        tag_id = await tag(ada, "ant")
        response = await ada.client.patch(f"/tags/{tag_id}", json={"name": "bee"})
        assert (response.status_code, response.json()["name"]) == (200, "bee")
        assert (await ada.client.get(f"/tags/{tag_id}")).json() == response.json()

    async def test_nothing_sent_is_nothing_changed(self, people: People) -> None:
        ada = await people.join()
        tag_id = await tag(ada, "ant")
        before = await ada.client.get(f"/tags/{tag_id}")
        after = await ada.client.patch(f"/tags/{tag_id}", json={})
        assert (after.status_code, after.json(), after.headers["etag"]) == (200, before.json(), before.headers["etag"])

    @pytest.mark.parametrize("body", [{"name": None}, {"name": "x" * 51}, {"nam": "a"}, {"id": 1}])
    async def test_refuses_by_name(self, people: People, body: dict[str, Any]) -> None:
        ada = await people.join()
        response = await ada.client.patch(f"/tags/{await tag(ada, 'ant')}", json=body)
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["body", *body]]

    async def test_a_name_is_taken_within_the_workspace_only(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        await tag(ada, "ant")
        tag_id = await tag(ada, "bee")
        response = await ada.client.patch(f"/tags/{tag_id}", json={"name": "ant"})
        assert (response.status_code, response.json()["detail"]) == (409, "name is already taken")
        bobs = await tag(bob, "cow")
        assert (await bob.client.patch(f"/tags/{bobs}", json={"name": "ant"})).status_code == 200

    async def test_asks_whether_it_has_changed_since(self, people: People) -> None:
        ada = await people.join()
        tag_id = await tag(ada, "ant")
        etag = (await ada.client.get(f"/tags/{tag_id}")).headers["etag"]
        wrong = await ada.client.patch(f"/tags/{tag_id}", json={"name": "bee"}, headers={"If-Match": '"0"'})
        assert wrong.status_code == 412
        right = await ada.client.patch(f"/tags/{tag_id}", json={"name": "bee"}, headers={"If-Match": etag})
        assert right.json()["name"] == "bee"
        deleted = await ada.client.delete(f"/tags/{tag_id}", headers={"If-Match": '"0"'})
        assert deleted.status_code == 412


class TestDelete:
    async def test_removes_the_tag_once_and_no_article(self, people: People) -> None:
        ada = await people.join()
        article, tag_id = await people.write(ada), await tag(ada, "ant")
        await ada.client.put(f"/tags/{tag_id}/articles/{article.id}")
        response = await ada.client.delete(f"/tags/{tag_id}")
        assert (response.status_code, response.content) == (204, b"")
        again = await ada.client.delete(f"/tags/{tag_id}")
        assert (again.status_code, again.json()["detail"]) == (404, "Tag not found")
        assert (await ada.client.get(f"/articles/{article.id}")).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_another_workspaces_is_not_there(self, people: People, method: str) -> None:
        ada, bob = await people.join(), await people.join()
        tag_id = await tag(ada, "ant")
        body = {"name": "mine"} if method == "PATCH" else None
        response = await bob.client.request(method, f"/tags/{tag_id}", json=body)
        assert (response.status_code, response.json()["detail"]) == (404, "Tag not found")
        assert await names(ada) == ["ant"]

    @pytest.mark.parametrize("key", ["0", "-1", "abc", "1.5", str(2**63), "%00"])
    async def test_refuses_what_is_no_key(self, people: People, key: str) -> None:
        ada = await people.join()
        response = await ada.client.get(f"/tags/{key}")
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["path", "tag_id"]


class TestArticles:
    async def test_are_linked_and_unlinked(self, people: People) -> None:
        ada = await people.join()
        tag_id = await tag(ada, "ant")
        articles = [await people.write(ada, published=published) for published in (True, False)]
        for article in articles:
            for _ in range(2):  # again, and nothing changes
                response = await ada.client.put(f"/tags/{tag_id}/articles/{article.id}")
                assert (response.status_code, response.content) == (204, b"")
        assert await tagged(ada, tag_id) == [article.id for article in articles]
        first = articles[0].id
        assert (await ada.client.delete(f"/tags/{tag_id}/articles/{first}")).status_code == 204
        assert await tagged(ada, tag_id) == [articles[1].id]
        again = await ada.client.delete(f"/tags/{tag_id}/articles/{first}")
        assert (again.status_code, again.json()["detail"]) == (404, "Article not found")

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    async def test_what_is_missing_or_somebody_elses_is_not_found(self, people: People, method: str) -> None:
        ada, bob = await people.join(), await people.join()
        mine, foreign = await people.write(ada), await people.write(bob)
        my_tag, foreign_tag = await tag(ada, "ant"), await tag(bob, "ant")
        for tag_id, article_id, what in (
            (my_tag, foreign.id, "Article"),
            (my_tag, 10**12, "Article"),
            (foreign_tag, mine.id, "Tag"),
            (foreign_tag, foreign.id, "Tag"),
            (10**12, mine.id, "Tag"),
        ):
            response = await ada.client.request(method, f"/tags/{tag_id}/articles/{article_id}")
            assert (response.status_code, response.json()["detail"]) == (404, f"{what} not found")
        assert await tagged(bob, foreign_tag) == []

    async def test_are_linked_by_members(self, people: People, client: httpx.AsyncClient) -> None:
        ada = await people.join()
        viewer = await people.join(ada.workspace_id, Role.viewer)
        member = await people.join(ada.workspace_id, Role.member)
        path = f"/tags/{await tag(ada, 'ant')}/articles/{(await people.write(ada)).id}"
        for method in ("PUT", "DELETE"):
            assert (await client.request(method, path)).status_code == 401
            assert (await viewer.client.request(method, path)).status_code == 403
            assert (await member.client.request(method, path)).status_code == 204

    async def test_are_a_list_like_any_other(self, people: People) -> None:
        ada = await people.join()
        tag_id = await tag(ada, "ant")
        for title in ("A", "B", "C"):
            article = await people.write(ada, title=title, published=title != "B")
            await ada.client.put(f"/tags/{tag_id}/articles/{article.id}")
        path = f"/tags/{tag_id}/articles"
        shown = await ada.client.get(f"{path}?published=true&sort=-title&fields=title&include=author&count=exact")
        author = {"id": ada.user.id, "username": ada.user.username}
        assert shown.json() == [{"title": "C", "author": author}, {"title": "A", "author": author}]
        assert shown.headers["x-total-count"] == "2"
        first = await ada.client.get(f"{path}?limit=2&sort=title")
        second = await ada.client.get(first.links["next"]["url"])
        assert [one["title"] for one in first.json() + second.json()] == ["A", "B", "C"]
        assert (await ada.client.get(f"{path}?tiitle=A")).status_code == 422

    async def test_of_no_tag_are_not_found_and_of_an_empty_one_are_none(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        tag_id = await tag(ada, "ant")
        assert (await ada.client.get(f"/tags/{tag_id}/articles")).json() == []
        for person, key in ((ada, 10**12), (bob, tag_id)):
            response = await person.client.get(f"/tags/{key}/articles")
            assert (response.status_code, response.json()["detail"]) == (404, "Tag not found")

    async def test_go_with_a_deleted_article(self, people: People) -> None:
        ada = await people.join()
        article, tag_id = await people.write(ada), await tag(ada, "ant")
        await ada.client.put(f"/tags/{tag_id}/articles/{article.id}")
        assert (await ada.client.delete(f"/articles/{article.id}")).status_code == 204
        assert await tagged(ada, tag_id) == []

    async def test_are_included(self, people: People) -> None:
        ada = await people.join()
        article, tag_id = await people.write(ada, published=False, title="A"), await tag(ada, "ant")
        await tag(ada, "none")
        await ada.client.put(f"/tags/{tag_id}/articles/{article.id}")
        with_articles, without = (await ada.client.get("/tags?include=articles.author&fields=name")).json()
        (included,) = with_articles["articles"]
        assert (included["title"], included["author"]["username"]) == ("A", ada.user.username)
        assert "email" not in included["author"]
        assert without == {"name": "none", "articles": []}
        one = await ada.client.get(f"/tags/{tag_id}?include=articles")
        assert [article["id"] for article in one.json()["articles"]] == [article.id]
        assert "etag" not in one.headers

    @pytest.mark.parametrize("include", ["article", "articles.tags", "articles.author.articles", "articles,", ""])
    async def test_what_is_not_there_to_include_is_refused(self, people: People, include: str) -> None:
        ada = await people.join()
        response = await ada.client.get("/tags", params={"include": include})
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["query", "include"]]
