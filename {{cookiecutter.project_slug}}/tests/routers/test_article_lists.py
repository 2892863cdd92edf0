"""What a list can be asked for, by the example of articles: theirs is by hand, and reads as the generated ones do."""

from datetime import UTC, datetime

import httpx
import pytest

from app.routers.articles import articles
from tests.people import People


async def titles(client: httpx.AsyncClient, query: str) -> list[str]:
    response = await client.get(f"/articles?{query}")
    assert response.status_code == 200, response.text
    return [article["title"] for article in response.json()]


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("title=Beta", "Beta"),
            ("title=beta", ""),
            ("title__ne=Beta", "Alpha Delta_1 Gamma"),
            ("title__in=Beta,Gamma,Nothing", "Beta Gamma"),
            ("title__in=Beta&title__in=Gamma", "Beta Gamma"),
            ("title__nin=Beta,Gamma", "Alpha Delta_1"),
            ("title__gt=Beta", "Delta_1 Gamma"),
            ("title__gte=Beta", "Beta Delta_1 Gamma"),
            ("title__lt=Beta", "Alpha"),
            ("title__lte=Beta", "Alpha Beta"),
            ("title__contains=lp", "Alpha"),
            ("title__contains=LP", ""),
            ("title__icontains=LP", "Alpha"),
            ("title__contains=_", "Delta_1"),
            ("title__icontains=%25", ""),
            ("title__startswith=Al", "Alpha"),
            ("title__endswith=ta", "Beta"),
            ("title__endswith=_1", "Delta_1"),
            ("id__gt=0&title__lt=C", "Alpha Beta"),
            ("id__in=1000000000000", ""),
            ("published=true", "Alpha Beta Gamma"),
            ("published__ne=true", "Delta_1"),
            ("published__ne=false&title__ne=Beta", "Alpha Gamma"),
            ("created_at__gte=2026-01-02T00:00:00Z", "Beta Delta_1 Gamma"),
            ("created_at__gt=2026-01-02T01:00:00%2B01:00", "Delta_1 Gamma"),
            ("created_at=2026-01-03T00:00:00.000Z", "Gamma"),
            ("created_at__in=2026-01-01T00:00:00Z,2026-01-03T00:00:00Z", "Alpha Gamma"),
            ("created_at__lt=0001-01-01T00:00:00Z", ""),
            ("content__icontains=OF THE SECOND", "Beta"),
            ("q=second", "Beta"),
            ("q=GAMMA", "Gamma"),
            ("q=_", "Delta_1"),
            ("q=", "Alpha Beta Delta_1 Gamma"),
            ("q=letter&title__ne=Alpha&published=true", "Beta Gamma"),
        ],
    )
    async def test_find(self, people: People, query: str, found: str) -> None:
        ada = await people.join()
        for day, (title, word) in enumerate({"Alpha": "first", "Beta": "second", "Gamma": "third"}.items(), start=1):
            made = datetime(2026, 1, day, tzinfo=UTC)
            await people.write(ada, title=title, content=f"Of the {word} letter", created_at=made)
        made = datetime(2026, 1, 4, tzinfo=UTC)
        await people.write(ada, title="Delta_1", content="Of the last letter", created_at=made, published=False)
        assert await titles(ada.client, f"{query}&sort=title") == found.split()

    @pytest.mark.parametrize(
        ("query", "culprits"),
        [
            ("titel=a", "titel"),
            ("title__like=a", "title__like"),
            ("title__=a", "title__"),
            ("title__gt__lt=a", "title__gt__lt"),
            ("title__isnull=true", "title__isnull"),
            ("published__contains=a", "published__contains"),
            ("published__gt=true", "published__gt"),
            ("id=abc", "id"),
            ("id__in=1,,2", "id__in"),
            ("id__in=", "id__in"),
            (f"id__in={','.join(map(str, range(1, 102)))}", "id__in"),
            (f"id={10**30}", "id"),
            ("created_at=yesterday", "created_at"),
            ("created_at=2026-01-01", "created_at"),
            ("created_at=1700000000", "created_at"),
            ("created_at__gt=2026-01-01T00:00:00+01:00", "created_at__gt"),  # a space, for want of %2B
            ("workspace_id=1", "workspace_id"),
            ("author=1", "author"),
            ("author.username=ada", "author.username"),
            ("author__username=ada", "author__username"),
            ("title=a%00", "title"),
            ("q=a%00", "q"),
            ("limit=1&limit=2", "limit"),
            ("title=a&title=b", "title"),
            ("q=a&q=b", "q"),
            ("sort=title&sort=id", "sort"),
            ("sort=title,-", "sort"),
            ("sort=-workspace_id", "sort"),
            ("sort=%2Btitle", "sort"),
            ("fields=id,email", "fields"),
            ("fields=", "fields"),
            ("fields=workspace_id", "fields"),
            ("include=comments", "include"),
            ("include=workspace", "include"),
            ("include=author.email", "include"),
            ("count=yes", "count"),
            ("count=", "count"),
            ("cursor=abc", "cursor"),
            ("cursor=", "cursor"),
            ("filter=a", "filter"),
            ("__proto__=a", "__proto__"),
            ("titel=a&lmit=2", "titel lmit"),
        ],
    )
    async def test_refuse_by_name(self, client: httpx.AsyncClient, query: str, culprits: str) -> None:
        response = await client.get(f"/articles?{query}")
        assert response.status_code == 422
        assert [error["loc"] for error in response.json()["errors"]] == [["query", one] for one in culprits.split()]

    async def test_say_what_would_have_been_right(self, client: httpx.AsyncClient) -> None:
        for query, hint in (
            ("sort=titel", "only by id, title"),
            ("fields=titel", "only id, title"),
            ("include=writer", "only author"),
            ("title__like=a", "icontains"),
            ("limit=1000", "from 1 to 100"),
        ):
            assert hint in (await client.get(f"/articles?{query}")).json()["errors"][0]["msg"]

    async def test_a_hundred_values_are_not_too_many(self, client: httpx.AsyncClient) -> None:
        assert (await client.get(f"/articles?id__in={','.join(map(str, range(1, 101)))}")).json() == []


class TestShape:
    async def test_some_fields_in_the_order_of_all(self, client: httpx.AsyncClient, people: People) -> None:
        article = await people.write(await people.join(), title="A")
        listed = await client.get("/articles?fields=title,id,title")
        assert listed.text == f'[{{"id":{article.id},"title":"A"}}]'
        one = await client.get(f"/articles/{article.id}?fields=published")
        assert one.json() == {"published": True}

    async def test_the_author_beside_it(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        article = await people.write(ada)
        whole = (await client.get(f"/articles/{article.id}")).json()
        author = {"id": ada.user.id, "username": ada.user.username}
        assert (await client.get("/articles?include=author")).json() == [whole | {"author": author}]
        one = await client.get(f"/articles/{article.id}?include=author&fields=id")
        assert one.json() == {"id": article.id, "author": author}

    async def test_counts_exactly_and_about(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        for number in range(5):
            await people.write(ada, title=str(number), published=number != 0)
        for query, count in (("", "4"), ("limit=2&", "4"), ("skip=3&", "4"), ("title__gt=2&", "2")):
            response = await client.get(f"/articles?{query}count=exact")
            assert response.headers["x-total-count"] == count
        assert int((await client.get("/articles?count=estimated")).headers["x-total-count"]) >= 0
        assert "x-total-count" not in (await client.get("/articles")).headers

    async def test_goes_on_by_cursor_past_what_is_new_and_what_is_gone(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        ada = await people.join()
        noon = datetime(2026, 1, 1, tzinfo=UTC)
        old = [await people.write(ada, created_at=noon) for _ in range(4)]
        first = await client.get("/articles?limit=2")
        assert "cursor=" in first.links["next"]["url"]
        await people.write(ada)
        assert (await ada.client.delete(f"/articles/{old[2].id}")).status_code == 204
        second = await client.get(first.links["next"]["url"])
        assert [one["id"] for one in second.json()] == [old[1].id, old[0].id]

    async def test_goes_on_by_skip_if_it_began_so(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        for title in "ABCDE":
            await people.write(ada, title=title)
        first = await client.get("/articles?skip=0&limit=2&sort=title")
        following = first.links["next"]["url"]
        assert "skip=2" in following
        assert "cursor" not in following
        assert [one["title"] for one in (await client.get(following)).json()] == ["C", "D"]
        assert (await client.get(f"{following}&cursor=abc")).status_code == 422

    async def test_a_cursor_is_for_its_order_only(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        for _ in range(2):
            await people.write(ada)
        following = (await client.get("/articles?limit=1&sort=title")).links["next"]["url"]
        response = await client.get(following.replace("sort=title", "sort=-title"))
        assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["query", "cursor"])

    @pytest.mark.parametrize("sort", ["published,-title", "-published,title", "title,-created_at,id", "-author_id"])
    async def test_any_order_is_gone_through_once(self, people: People, sort: str) -> None:
        ada = await people.join()
        for number in range(7):
            await people.write(ada, title=str(number % 3), published=number % 2 == 0)
        whole = [one["id"] for one in (await ada.client.get(f"/articles?sort={sort}")).json()]
        seen: list[int] = []
        url: str | None = f"/articles?sort={sort}&limit=2"
        while url:
            page = await ada.client.get(url)
            seen += [one["id"] for one in page.json()]
            url = page.links["next"]["url"] if "next" in page.links else None
        assert seen == whole
        assert len(set(seen)) == 7


class TestNothingLeaks:
    """A published article is anybody's; what it leads to is not."""

    @pytest.mark.parametrize(
        "include",
        [
            *(
                "author.articles",
                "author.comments",
                "author.memberships",
                "author.active_workspace",
                "tags",
                "comments",
            ),
            *(
                "workspace",
                "author.author",
                "author,author.articles",
                "Author",
                "author.",
                ".author",
                "author..articles",
            ),
            *("comments.author", "tags.articles", "*", "author.articles.author", "__class__", "_author", "author%00"),
        ],
    )
    async def test_by_what_is_included(self, client: httpx.AsyncClient, people: People, include: str) -> None:
        ada = await people.join()
        article = await people.write(ada)
        await people.write(ada, published=False)
        for path in ("/articles", f"/articles/{article.id}"):
            response = await client.get(f"{path}?include={include}")
            assert response.status_code == 422
            assert response.json()["errors"][0]["loc"] == ["query", "include"]

    @pytest.mark.parametrize(
        "field", ["email", "hashed_password", "is_superuser", "active_workspace_id", "workspace_id"]
    )
    async def test_by_what_is_asked(self, client: httpx.AsyncClient, people: People, field: str) -> None:
        ada = await people.join()
        await people.write(ada)
        for query in (f"{field}=1", f"{field}__gt=1", f"fields={field}", f"sort={field}", f"author.{field}=1"):
            assert (await client.get(f"/articles?{query}")).status_code == 422
        shown = await client.get("/articles?include=author")
        assert shown.json()[0]["author"].keys() == {"id", "username"}
        assert field not in shown.text

    @pytest.mark.parametrize(
        "query",
        [
            "published=false",
            "published__ne=true",
            "q=secret",
            "title=secret",
            "id__gt=0",
            "title__in=secret,x",
            "skip=0",
        ],
    )
    async def test_drafts_by_filters_and_counts(self, client: httpx.AsyncClient, people: People, query: str) -> None:
        ada, bob = await people.join(), await people.join()
        await people.write(ada, published=False, title="secret", content="a secret of ada's")
        for stranger in (client, bob.client):
            response = await stranger.get(f"/articles?{query}&count=exact&include=author")
            assert (response.json(), response.headers["x-total-count"]) == ([], "0")
        assert (await ada.client.get(f"/articles?{query}&count=exact")).json()[0]["title"] == "secret"

    async def test_drafts_by_a_cursor_made_elsewhere(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        for number in range(3):
            await people.write(ada, title=f"secret {number}", published=False)
        following = (await ada.client.get("/articles?limit=1&sort=title")).links["next"]["url"]
        assert (await client.get(following)).json() == []

    async def test_drafts_by_their_etag(self, client: httpx.AsyncClient, people: People) -> None:
        ada = await people.join()
        draft = await people.write(ada, published=False)
        etag = (await ada.client.get(f"/articles/{draft.id}")).headers["etag"]
        for seen in (etag, "*"):
            hidden = await client.get(f"/articles/{draft.id}", headers={"If-None-Match": seen})
            assert hidden.status_code == 404


async def test_a_query_of_any_length_is_answered_and_a_long_one_is_not_kept(people: People) -> None:
    ada = await people.join()
    for number in range(3):
        await people.write(ada, title=f"{number}" * 150)
    kept = articles._list_query.cache_info().currsize  # type: ignore[attr-defined]  # a function with a cache
    for number in range(3):
        wanted = ",".join([f"{number}" * 150, *("x" * 150 for _ in range(20))])
        page = await ada.client.get(f"/articles?title__in={wanted}&limit=1")
        assert [article["title"][0] for article in page.json()] == [str(number)]
        both = await ada.client.get(f"/articles?title__nin={wanted}&limit=1")
        following = await ada.client.get(both.links["next"]["url"])
        assert len({both.json()[0]["id"], following.json()[0]["id"]}) == 2
    assert articles._list_query.cache_info().currsize == kept  # type: ignore[attr-defined]
