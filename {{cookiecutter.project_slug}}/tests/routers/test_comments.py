import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.models.article import Article
from app.roles import Role
from tests.databases import until_somebody_waits
from tests.people import People, Person


async def comment(person: Person, article_id: int, content: str = "So it is") -> int:
    response = await person.client.post(f"/articles/{article_id}/comments", json={"content": content})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


class TestList:
    async def test_shows_those_on_the_article_newest_first(self, people: People) -> None:
        ada = await people.join()
        viewer = await people.join(ada.workspace_id, Role.viewer)
        one, other = await people.write(ada), await people.write(ada)
        ids = [await comment(ada, one.id) for _ in range(3)]
        await comment(ada, other.id)
        for person in (ada, viewer):
            listed = (await person.client.get(f"/articles/{one.id}/comments")).json()
            assert [each["id"] for each in listed] == ids[::-1]

    async def test_filters_searches_and_pages(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id)
        article = await people.write(ada)
        for person, content in ((ada, "first"), (bob, "second"), (ada, "third")):
            await comment(person, article.id, content)
        path = f"/articles/{article.id}/comments"
        by_bob = await ada.client.get(path, params={"author_id": bob.user.id, "fields": "content", "include": "author"})
        assert by_bob.json() == [{"content": "second", "author": {"id": bob.user.id, "username": bob.user.username}}]
        found = await ada.client.get(path, params={"q": "IR", "count": "exact", "sort": "content"})
        assert [each["content"] for each in found.json()] == ["first", "third"]
        assert found.headers["x-total-count"] == "2"
        page = await ada.client.get(path, params={"limit": 2, "sort": "id"})
        following = await ada.client.get(page.links["next"]["url"])
        assert [each["content"] for each in following.json()] == ["third"]

    async def test_on_what_is_not_there_is_not_found(self, people: People, client: httpx.AsyncClient) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        assert (await ada.client.get(f"/articles/{article.id}/comments")).json() == []
        for person, key in ((ada, 10**12), (bob, article.id)):
            response = await person.client.get(f"/articles/{key}/comments")
            assert (response.status_code, response.json()["detail"]) == (404, "Article not found")
        assert (await client.get(f"/articles/{article.id}/comments")).status_code == 401

    async def test_there_is_no_list_of_all(self, people: People) -> None:
        ada = await people.join()
        assert (await ada.client.get("/comments")).status_code == 404


class TestCreate:
    async def test_answers_with_the_comment_and_where_it_is(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        response = await ada.client.post(f"/articles/{article.id}/comments", json={"content": "So it is"})
        assert response.status_code == 201
        body = response.json()
        assert (body["article_id"], body["author_id"], body["content"]) == (article.id, ada.user.id, "So it is")
        assert response.headers["location"] == f"/comments/{body['id']}"
        assert (await ada.client.get(response.headers["location"])).json() == body

    async def test_takes_several_at_once_or_none(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        path = f"/articles/{article.id}/comments"
        made = await ada.client.post(path, json=[{"content": "a"}, {"content": "b"}])
        assert [each["content"] for each in made.json()] == ["a", "b"]
        refused = await ada.client.post(path, json=[{"content": "c"}, {"content": "d"}, {"content": "e\0"}])
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["loc"] == ["body", 2, "content"]
        assert len((await ada.client.get(path)).json()) == 2

    async def test_a_draft_takes_none(self, people: People) -> None:
        ada = await people.join()
        draft = await people.write(ada, published=False)
        response = await ada.client.post(f"/articles/{draft.id}/comments", json={"content": "Hm"})
        assert response.status_code == 409
        assert "draft" in response.json()["detail"]
        await ada.client.patch(f"/articles/{draft.id}", json={"published": True})
        await comment(ada, draft.id)

    @pytest.mark.parametrize("becomes", [False, True])
    async def test_waits_for_what_the_article_becomes(self, own_people: People, becomes: bool) -> None:
        ada = await own_people.join()
        article = await own_people.write(ada, published=not becomes)
        async with own_people.database.unit_of_work() as uow:
            uow.enter(ada.workspace_id)
            await uow.session.execute(update(Article).where(Article.id == article.id).values(published=becomes))
            asked = asyncio.create_task(
                ada.client.post(f"/articles/{article.id}/comments", json={"content": "At once"})
            )
            await until_somebody_waits(own_people.database)
        assert (await asked).status_code == (201 if becomes else 409)

    @pytest.mark.parametrize("field", ["article_id", "author_id", "workspace_id", "id", "created_at"])
    async def test_nothing_else_is_taken(self, people: People, field: str) -> None:
        ada, bob = await people.join(), await people.join()
        mine, foreign = await people.write(ada), await people.write(bob)
        values = {"article_id": foreign.id, "author_id": bob.user.id, "workspace_id": bob.workspace_id}
        body = {"content": "Not mine", field: values.get(field, 1)}
        response = await ada.client.post(f"/articles/{mine.id}/comments", json=body)
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", field])

    async def test_on_what_is_not_there_is_not_found(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        for person, key in ((ada, 10**12), (bob, article.id)):
            response = await person.client.post(f"/articles/{key}/comments", json={"content": "Hm"})
            assert (response.status_code, response.json()["detail"]) == (404, "Article not found")

    async def test_is_for_members(self, people: People) -> None:
        ada = await people.join()
        viewer = await people.join(ada.workspace_id, Role.viewer)
        article = await people.write(ada)
        response = await viewer.client.post(f"/articles/{article.id}/comments", json={"content": "Hm"})
        assert response.status_code == 403


class TestUpdateAndDelete:
    @pytest.mark.parametrize(
        ("role", "status"), [(Role.viewer, 403), (Role.member, 403), (Role.admin, 200), (Role.owner, 200)]
    )
    async def test_a_colleague_needs_the_role(self, people: People, role: Role, status: int) -> None:
        ada = await people.join()
        colleague = await people.join(ada.workspace_id, role)
        path = f"/comments/{await comment(ada, (await people.write(ada)).id)}"
        changed = await colleague.client.patch(path, json={"content": "Changed"})
        deleted = await colleague.client.delete(path)
        assert (changed.status_code, deleted.status_code) == (status, 204 if status == 200 else status)

    async def test_the_author_needs_no_more_than_to_be_a_member(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id, Role.member)
        path = f"/comments/{await comment(bob, (await people.write(ada)).id)}"
        changed = await bob.client.patch(path, json={"content": "Changed"})
        assert (changed.status_code, changed.json()["content"]) == (200, "Changed")
        assert (await bob.client.delete(path)).status_code == 204
        again = await bob.client.delete(path)
        assert (again.status_code, again.json()["detail"]) == (404, "Comment not found")

    @pytest.mark.parametrize(
        "body", [{"article_id": 1}, {"author_id": 1}, {"workspace_id": 1}, {"content": None}, {"content": "a\0"}]
    )
    async def test_stays_where_it_is_and_whose_it_is(self, people: People, body: dict[str, Any]) -> None:
        ada = await people.join()
        path = f"/comments/{await comment(ada, (await people.write(ada)).id)}"
        response = await ada.client.patch(path, json=body)
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["body", *body])

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_another_workspaces_is_not_there(self, people: People, method: str) -> None:
        ada, bob = await people.join(), await people.join()
        path = f"/comments/{await comment(ada, (await people.write(ada)).id)}"
        response = await bob.client.request(method, path, json={"content": "Mine"} if method == "PATCH" else None)
        assert (response.status_code, response.json()["detail"]) == (404, "Comment not found")
        assert (await ada.client.get(path)).json()["content"] == "So it is"

    async def test_goes_with_its_article(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        key = await comment(ada, article.id)
        assert (await ada.client.delete(f"/articles/{article.id}")).status_code == 204
        assert (await ada.client.get(f"/comments/{key}")).status_code == 404

    async def test_a_comment_on_what_is_a_draft_again_can_still_be_changed(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        key = await comment(ada, article.id)
        await ada.client.patch(f"/articles/{article.id}", json={"published": False})
        assert (await ada.client.patch(f"/comments/{key}", json={"content": "Still"})).status_code == 200


class TestRelated:
    async def test_its_article(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada, title="A")
        key = await comment(ada, article.id)
        response = await ada.client.get(f"/comments/{key}/article")
        assert (response.json()["id"], response.json()["title"]) == (article.id, "A")
        assert response.headers["etag"] == (await ada.client.get(f"/articles/{article.id}")).headers["etag"]
        part = await ada.client.get(f"/comments/{key}/article?fields=title&include=author")
        assert part.json() == {"title": "A", "author": {"id": ada.user.id, "username": ada.user.username}}
        assert (await bob.client.get(f"/comments/{key}/article")).status_code == 404

    async def test_its_author_without_what_is_nobodys_business(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        key = await comment(ada, (await people.write(ada)).id)
        shown = await ada.client.get(f"/comments/{key}/author")
        assert shown.json() == {"id": ada.user.id, "username": ada.user.username}
        assert (await bob.client.get(f"/comments/{key}/author")).status_code == 404

    @pytest.mark.parametrize("asked", ["fields=email", "fields=hashed_password", "include=articles", "email=a"])
    async def test_nothing_brings_it_out(self, people: People, asked: str) -> None:
        ada = await people.join()
        article = await people.write(ada)
        key = await comment(ada, article.id)
        for path in (f"/comments/{key}/author", f"/comments/{key}", f"/articles/{article.id}/comments"):
            response = await ada.client.get(f"{path}?{asked}")
            assert response.status_code == 422
            assert response.json()["errors"][0]["loc"] == ["query", asked.partition("=")[0]]

    async def test_includes_both_and_what_they_lead_to(self, people: People) -> None:
        ada = await people.join()
        bob = await people.join(ada.workspace_id)
        article = await people.write(ada)
        key = await comment(bob, article.id)
        shown = (await ada.client.get(f"/comments/{key}?include=author,article.author")).json()
        assert shown["author"] == {"id": bob.user.id, "username": bob.user.username}
        assert shown["article"]["author"] == {"id": ada.user.id, "username": ada.user.username}
        assert ada.user.email not in str(shown)

    async def test_nothing_is_linked_by_hand(self, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        key = await comment(ada, article.id)
        assert (await ada.client.put(f"/comments/{key}/article/{article.id}")).status_code == 404
        assert (await ada.client.put(f"/comments/{key}/article")).status_code == 405
