"""How many statements a request sends: as many for one row as for twenty."""

import pytest

from app.models.article import Article
from tests.people import People, Person

MANY = 20


async def furnish(person: Person, article: Article, tags: int) -> int:
    """Tags and comments for the article; the key of a tag."""
    names = [{"name": f"tag {number:02}"} for number in range(tags)]
    made = (await person.client.post("/tags", json=names)).json()
    for tag in made:
        assert (await person.client.put(f"/tags/{tag['id']}/articles/{article.id}")).status_code == 204
    comments = [{"content": f"Comment {number}"} for number in range(tags)]
    assert (await person.client.post(f"/articles/{article.id}/comments", json=comments)).status_code == 201
    return int(made[0]["id"])


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/tags", 2),
        ("/tags?count=exact", 3),
        ("/tags?include=articles", 2),
        ("/articles/{article}/comments", 2),
        ("/articles/{article}/comments?include=article", 2),
        ("/tags/{tag}/articles", 2),
        ("/tags/{tag}?include=articles", 2),
        ("/articles", 2),
        ("/articles?count=exact", 3),
    ],
)
async def test_a_read_sends_as_many_for_many_rows_as_for_one(
    people: People, queries: list[str], path: str, most: int
) -> None:
    sent = []
    for rows in (1, MANY):
        ada = await people.join()
        article = await people.write(ada)
        tag = await furnish(ada, article, rows)
        queries.clear()
        response = await ada.client.get(path.format(article=article.id, tag=tag))
        assert response.status_code == 200
        sent.append(len(queries))
    assert sent == [most, most], "who calls, the rows with all that they lead to, and the count where it is wanted"


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("/tags", {"name": "Tag %s"}),
        ("/articles", {"title": "Article %s", "content": "What there is to say"}),
        ("/articles/{article}/comments", {"content": "Comment %s"}),
    ],
)
async def test_so_does_making_them(people: People, queries: list[str], path: str, row: dict[str, str]) -> None:
    sent = []
    for rows in (1, MANY):
        ada = await people.join()
        article = await people.write(ada)
        body = [{name: text.replace("%s", str(number)) for name, text in row.items()} for number in range(rows)]
        queries.clear()
        response = await ada.client.post(path.format(article=article.id), json=body)
        assert (response.status_code, len(response.json())) == (201, rows)
        sent.append(len(queries))
    assert sent[0] == sent[1]
    assert sent[0] <= 4
