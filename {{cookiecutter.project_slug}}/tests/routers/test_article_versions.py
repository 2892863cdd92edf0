"""What has not changed is not sent again; what has changed is not overwritten."""

import asyncio

import httpx
import pytest

from tests.people import People


class TestVersions:
    async def test_what_has_not_changed_is_not_sent_again(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        path = f"/articles/{(await people.write(ada)).id}"
        etag = (await client.get(path)).headers["etag"]
        for seen in (etag, f"W/{etag}", f'"0", {etag}', f'"0" , W/{etag}', "*"):
            same = await client.get(path, headers={"If-None-Match": seen})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag), seen
        for other in ('"0"', 'W/"0"', '"0", "1"', "", "nonsense", f'"{etag[1:-1]}0"', f'"0{etag[1:-1]}"'):
            assert (await client.get(path, headers={"If-None-Match": other})).status_code == 200, other

    async def test_a_list_that_has_not_changed_is_not_sent_again(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        ada = await people.join()
        for number in range(3):
            await people.write(ada, title=f"Number {number}")
        listed = await client.get("/articles?limit=2&count=exact")
        etag = listed.headers["etag"]
        same = await client.get("/articles?limit=2&count=exact", headers={"If-None-Match": etag})
        assert (same.status_code, same.content) == (304, b"")
        for name in ("etag", "link", "x-total-count", "cache-control", "vary"):
            assert same.headers[name] == listed.headers[name]
        await people.write(ada, title="Another")
        other = await client.get("/articles?limit=2&count=exact", headers={"If-None-Match": etag})
        assert (other.status_code, other.json()[0]["title"]) == (200, "Another")

    async def test_a_list_that_goes_on_no_more_is_another(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        older, _ = [await people.write(ada) for _ in range(2)]
        first = await client.get("/articles?limit=1&sort=-id")
        assert "next" in first.links
        assert (await ada.client.delete(f"/articles/{older.id}")).status_code == 204
        again = await client.get("/articles?limit=1&sort=-id", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.links) == (200, {}), "a cache would add the old link to a 304 without one"

    async def test_who_may_keep_an_answer(self, client: httpx.AsyncClient, people: People) -> None:
        """Anybody, if it was for anybody; nobody without asking whether it is still true."""
        ada = await people.join()
        path = f"/articles/{(await people.write(ada)).id}"
        for where in ("/articles", path):
            anonymous, known = (await client.get(where)).headers, (await ada.client.get(where)).headers
            assert (anonymous["cache-control"], known["cache-control"]) == ("public, no-cache", "private, no-cache")
            assert anonymous["vary"] == known["vary"] == "Authorization, Cookie"
        by_cookie = await client.get("/articles", headers={"Cookie": "access_token=nonsense"})
        assert by_cookie.headers["cache-control"] == "private, no-cache"
        assert "etag" not in (await ada.client.get("/articles")).headers

    async def test_each_change_is_another(self, own_people: People) -> None:
        ada = await own_people.join()
        path = f"/articles/{(await own_people.write(ada)).id}"
        seen = [(await ada.client.get(path)).headers["etag"]]
        for title in ("A", "B"):
            changed = await ada.client.patch(path, json={"title": title}, headers={"If-Match": seen[-1]})
            assert changed.headers["etag"] == (await ada.client.get(path)).headers["etag"]
            seen.append(changed.headers["etag"])
        assert len(set(seen)) == 3
        assert (await ada.client.get(path, headers={"If-None-Match": seen[0]})).status_code == 200

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    async def test_a_change_may_ask_for_the_one_it_knows(self, people: People, method: str) -> None:
        ada = await people.join()
        path = f"/articles/{(await people.write(ada)).id}"
        etag = (await ada.client.get(path)).headers["etag"]
        body = {"title": "New"} if method == "PATCH" else None
        for wrong in ('"0"', 'W/"0"', '"0", "1"', "nonsense", "", ",", f'"{etag[1:-1]}0"'):
            refused = await ada.client.request(method, path, json=body, headers={"If-Match": wrong})
            assert refused.status_code == 412, wrong
            assert "read it again" in refused.json()["detail"]
        right = await ada.client.request(method, path, json=body, headers={"If-Match": etag})
        assert right.is_success

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    @pytest.mark.parametrize("form", ["*", " * ", "W/{}", '"0", {}', "{},W/{}", " {} "])
    async def test_or_for_any_of_several(self, people: People, method: str, form: str) -> None:
        ada = await people.join()
        path = f"/articles/{(await people.write(ada)).id}"
        etag = (await ada.client.get(path)).headers["etag"]
        body = {"title": "New"} if method == "PATCH" else None
        response = await ada.client.request(method, path, json=body, headers={"If-Match": form.replace("{}", etag)})
        assert response.is_success

    async def test_what_is_missing_or_forbidden_comes_first(self, people: People) -> None:
        ada, bob = await people.join(), await people.join()
        article = await people.write(ada)
        for key, status in ((10**12, 404), (article.id, 403)):
            response = await bob.client.patch(f"/articles/{key}", json={"title": "A"}, headers={"If-Match": '"0"'})
            assert response.status_code == status

    async def test_of_twenty_at_once_one_wins(self, own_people: People) -> None:
        ada = await own_people.join()
        path = f"/articles/{(await own_people.write(ada)).id}"
        etag = (await ada.client.get(path)).headers["etag"]
        answers = await asyncio.gather(
            *(ada.client.patch(path, json={"title": str(number)}, headers={"If-Match": etag}) for number in range(20))
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
        (won,) = (answer for answer in answers if answer.status_code == 200)
        assert (await ada.client.get(path)).json() == won.json()
