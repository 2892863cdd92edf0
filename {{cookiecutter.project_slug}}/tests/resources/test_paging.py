"""A list is gone through once, in whatever order, and the link that leads on says what was asked."""

import itertools
import random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from app.models.resource import Access, Resource
from tests.resources.conftest import Serve, new_base

OPEN = Resource(read=Access.anyone, write=Access.user)
ROWS = 120
SORTED_BY = ("a", "b", "c")

Base = new_base()


class Thing(Base):  # type: ignore[misc,valid-type]  # a base that is made here
    __tablename__ = "things"
    __resource__ = OPEN

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    a: Mapped[int | None]
    b: Mapped[str | None] = mapped_column(sa.String(5))
    c: Mapped[int]


class Place(Base):  # type: ignore[misc,valid-type]  # as above
    __tablename__ = "places"
    __resource__ = OPEN

    name: Mapped[str] = mapped_column(sa.String(50), primary_key=True)


class Visit(Base):  # type: ignore[misc,valid-type]  # as above
    __tablename__ = "visits"
    __resource__ = Resource(read=Access.anyone, write=Access.user, parent="place")

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    place_name: Mapped[str] = mapped_column(sa.ForeignKey("places.name"))
    place: Mapped[Place] = sa.orm.relationship(lazy="raise")


def orders() -> list[str]:
    """Every one of one or two terms, with the key and without, and some of three."""
    signed = [sign + name for name in SORTED_BY for sign in ("", "-")]
    pairs = [f"{one},{two}" for one, two in itertools.permutations(signed, 2) if one.strip("-") != two.strip("-")]
    return [*signed, *pairs, "-a,b,c,id", "a,-b,c,-id", "c,-a,b", "-c,a,-b,id"]


async def all_of(client: httpx.AsyncClient, address: str) -> list[dict[str, Any]]:
    """Every row, as the links lead from page to page."""
    rows: list[dict[str, Any]] = []
    following: str | None = address
    while following is not None:
        page = await client.get(following)
        assert page.status_code == 200, page.text
        rows += page.json()
        assert len(rows) <= ROWS
        following = page.links["next"]["url"] if "next" in page.links else None
    return rows


async def test_any_order_with_gaps_and_repetitions_is_gone_through_once(
    serve: Serve, connection: AsyncConnection
) -> None:
    client = (await serve(Base)).client
    chance = random.Random(7)  # noqa: S311  # the same each time
    rows = [
        {"id": number, "a": chance.choice([None, 1, 2, 3]), "b": chance.choice([None, "", "x", "y"]), "c": number % 3}
        for number in range(1, ROWS + 1)
    ]
    await connection.execute(sa.insert(Thing), rows)
    for sort in orders():
        terms = sort.split(",")
        if "id" not in [term.strip("-") for term in terms]:
            terms.append("-id" if terms[0].startswith("-") else "id")
        said = ", ".join(f"{term.strip('-')} {'DESC' if term.startswith('-') else 'ASC'}" for term in terms)
        wanted = (await connection.execute(sa.text(f"SELECT id FROM things ORDER BY {said}"))).scalars()  # noqa: S608  # ours
        found = await all_of(client, f"/things?sort={sort}&limit=17&fields=id")
        assert [row["id"] for row in found] == list(wanted), sort


async def test_a_filter_goes_along(serve: Serve, connection: AsyncConnection) -> None:
    client = (await serve(Base)).client
    rows = [{"id": number, "a": number % 2, "b": "x&y=z"[: number % 6], "c": 0} for number in range(1, ROWS + 1)]
    await connection.execute(sa.insert(Thing), rows)
    found = await all_of(client, "/things?a=1&b__ne=x%26y&sort=b,-id&limit=7")
    assert len(found) == len({row["id"] for row in found})
    wanted = {row["id"] for row in rows if row["a"] == 1 and row["b"] != "x&y"}
    assert {row["id"] for row in found} == wanted


async def link(app: FastAPI, path: bytes, query: bytes) -> str:
    """The header, for a path and a query string as they stand here: careful clients send none of these."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": httpx.URL(f"http://x{path.decode('latin-1')}").path,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent
    (value,) = [value for name, value in sent[0]["headers"] if name == b"link"]
    return str(value.decode("ascii"))


@pytest.mark.parametrize(
    "query",
    [
        b'b__ne=>; rel="last", <evil>',
        b"b__ne=%3E%22%20+%0d%0a",
        b"b%5F%5Fne=%61",
        b"b__ne=\xc3\xa9",
        b"b__ne=%C3%A9",
        b"b__ne=%zz%",
        b"b__ne=a\tb\\^`{|}[]'",
        b"b__ne=100%25",
        b"b__ne=x=y==",
        b"b__ne=a;b",
        b"b__ne=&&&",
        b"b__ne",
        b"b__in=p,q&b__in=r,x",
        b"fields=id,b",
    ],
)
async def test_the_link_keeps_what_was_asked_whatever_is_in_it(
    serve: Serve, connection: AsyncConnection, query: bytes
) -> None:
    world = await serve(Base)
    await connection.execute(sa.insert(Thing), [{"id": number, "b": "x", "c": 0} for number in range(1, 4)])
    first = await link(world.app, b"/things", b"limit=1&" + query)
    for header in (first, await link(world.app, b"/things", urlsplit(first[1:].partition(">")[0]).query.encode())):
        address, _, rest = header[1:].partition(">")
        assert (header[0], rest) == ("<", '; rel="next"')
        parts = parse_qsl(urlsplit(address).query.encode().decode("latin-1"), keep_blank_values=True)
        kept = [part for part in parts if part[0] != "cursor"]
        assert kept == parse_qsl("limit=1&" + query.decode("latin-1"), keep_blank_values=True)
        assert len(parts) == len(kept) + 1
    assert first != header


async def test_nor_does_the_path_break_it(serve: Serve, connection: AsyncConnection) -> None:
    world = await serve(Base)
    name = '>; rel="x", <a'
    await connection.execute(sa.insert(Place), [{"name": name}])
    await connection.execute(sa.insert(Visit), [{"id": number, "place_name": name} for number in (1, 2)])
    header = await link(world.app, b'/places/>;%20rel="x",%20<a/visits', b"limit=1")
    address, _, rest = header[1:].partition(">")
    assert rest == '; rel="next"'
    assert [row["id"] for row in (await world.client.get(address)).json()] == [2]
