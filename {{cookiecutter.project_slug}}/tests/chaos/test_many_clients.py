"""A thousand clients at once, and as many requests as there are in a day."""

import asyncio
import itertools
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import psutil
import pytest

from tests.chaos.lines import Line, lines, many_files
from tests.databases import clone
from tests.servers import POOL_SIZE, Server, served
from tests.traffic import ARTICLE

CONNECTIONS = 1000
SLOW = 50
# Of statements so many are kept. SHAPES are more than that.
SHAPES, WARM_UP, REQUESTS = 1_000, 500, 4_000
BUDGET = 4 * 2**20  # bytes that the process may grow by in REQUESTS: malloc does as much by itself
WORDS = ("title", "content", "published", "author_id", "created_at", "updated_at")


@pytest.fixture(scope="module")
async def server(template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One that has a thousand wait for a connection to the database for as long as it takes."""
    dsn = await clone(template, secrets.token_hex(4))
    async with many_files(), served(dsn, tmp_path_factory.mktemp("logs"), DATABASE_POOL_TIMEOUT="60") as server:
        yield server


@pytest.fixture(scope="module")
async def ada(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.member() as client:
        articles = [ARTICLE | {"title": f"Title {number}", "published": number % 3 > 0} for number in range(100)]
        assert (await client.post("/articles", json=articles)).status_code == 201
        tags = (await client.post("/tags", json=[{"name": f"tag {number}"} for number in range(100)])).json()
        for tag in tags[:10]:
            assert (await client.put(f"/tags/{tag['id']}/articles/1")).status_code == 204
        yield client


async def test_a_thousand_connections_are_open_and_each_is_answered(server: Server, ada: httpx.AsyncClient) -> None:
    async with lines(server, CONNECTIONS, ada.headers["authorization"]) as every:
        # Those to the database are opened first. That takes a while, and so much at once would not leave it the time.
        await asyncio.gather(*(line.get("/articles?limit=5") for line in every[: 2 * POOL_SIZE]))
        for _ in range(2):  # the second time on the connections of the first
            answers = await asyncio.gather(*(line.get("/articles?limit=5") for line in every))
            assert Counter(status for status, _ in answers) == {200: CONNECTIONS}
            assert len({body for _, body in answers}) == 1
        assert len(psutil.Process(server.process.pid).net_connections()) > CONNECTIONS
    assert not server.complaints()


async def test_slow_clients_hold_up_nobody(server: Server, ada: httpx.AsyncClient) -> None:
    """Some have sent half of their request, and some read nothing of a long answer."""
    authorization = ada.headers["authorization"]
    async with (
        lines(server, SLOW, authorization) as senders,
        lines(server, SLOW, authorization) as readers,
        lines(server, SLOW, authorization) as others,
    ):
        for line in senders:
            line.send(line.request("/articles?limit=5")[:-20])
        for line in readers:
            for _ in range(20):
                line.send(line.request("/articles?limit=100&include=author"))
        for _ in range(5):
            answers = await asyncio.gather(*(line.get("/articles?limit=5") for line in others))
            assert {status for status, _ in answers} == {200}
        for line in senders:
            line.send(line.request("/articles?limit=5")[-20:])
        assert {(await line.answer())[0] for line in senders} == {200}
        for line in readers:
            assert {(await line.answer())[0] for _ in range(20)} == {200}
    assert not server.complaints()


def shapes() -> Iterator[str]:
    """Lists in ever new orders, of which each is a statement of its own: more than are kept of those."""
    signs = itertools.product(("", "-"), repeat=3)
    for names, directions in itertools.product(itertools.permutations(WORDS, 3), signs):
        sort = ",".join(sign + name for sign, name in zip(directions, names, strict=True))
        yield f"/articles?sort={sort}&limit=2&include=author"
        yield f"/tags/1/articles?sort={sort}&limit=2&include=author"


def requests() -> Iterator[str]:
    """Whatever clients ask, with values that nobody has sent before, and every tenth in a new shape."""
    choose = random.Random(1)  # noqa: S311  # the same each time
    new = itertools.cycle(shapes())
    for number in itertools.count():
        fields = ",".join(["id", *choose.sample(WORDS, choose.randint(0, 6))])
        ids = ",".join(map(str, choose.sample(range(1, 100), choose.randint(1, 90))))
        yield next(new)
        yield from (
            f"/articles?fields={fields}&limit=2",
            f"/tags/1/articles?fields={fields}&limit=2",
            f"/articles?{choose.choice(WORDS[:2])}__{choose.choice(('gt', 'lt', 'ne', 'contains'))}=T{number}&limit=2",
            f"/articles?id__in={ids}&limit=2",
            f"/articles/{number % 120}?fields={fields}",
            f"/tags?q=tag%20{number}&include=articles&limit=2",
            f"/articles/1/comments?content__ne={number}",
            f"/nowhere/{number}",
            f"/articles?no_such_{number}=1",
        )


async def ask(every: list[Line], targets: Iterator[str]) -> Counter[int]:
    """Have them all go on until nothing is left to ask; how often there was which answer."""
    statuses: Counter[int] = Counter()

    async def go_on(line: Line) -> None:
        for target in targets:
            status, _ = await line.get(target)
            statuses[status] += 1

    await asyncio.gather(*map(go_on, every))
    return statuses


@pytest.mark.timeout(600)
async def test_memory_does_not_grow_with_the_number_of_requests(server: Server, ada: httpx.AsyncClient) -> None:
    process = psutil.Process(server.process.pid)
    async with lines(server, 16, ada.headers["authorization"]) as some:
        await ask(some, itertools.islice(shapes(), SHAPES))
        await ask(some, itertools.islice(requests(), WARM_UP))
        before = process.memory_info().rss
        statuses = await ask(some, itertools.islice(requests(), REQUESTS))
        grown = process.memory_info().rss - before
    assert statuses.keys() == {200, 404, 422}
    assert grown < BUDGET, f"{grown / REQUESTS:.0f} bytes for each request"
