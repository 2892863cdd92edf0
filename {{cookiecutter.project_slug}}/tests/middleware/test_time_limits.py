"""Whatever takes too long is ended, and the client told to come again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from app.config import Settings
from app.database.database import open_database
from app.dependencies import Uow
from app.errors import Unavailable
from app.main import create_app
from app.middleware.time_limit import TimeLimit
from tests.databases import locked, opened_with
from tests.people import People, Person
from tests.servers import until
from tests.watch import watching

SHORT = 0.2  # seconds


@asynccontextmanager
async def limited(people: People, settings: Settings, **limits: float) -> AsyncIterator[Person]:
    """Somebody whose requests are held to these limits."""
    ada = await people.join()
    async with opened_with(people.app, settings.model_copy(update=limits)):
        yield ada


@pytest.mark.parametrize("limit", ["database_statement_timeout", "database_lock_timeout"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_robustness_40_what_takes_too_long_is_told_and_not_waited_for(
    own_people: People, own_settings: Settings, limit: str, method: str
) -> None:
    none = {"database_statement_timeout": 0.0, "database_lock_timeout": 0.0}
    article = {"title": "Late", "content": "long enough to be one"} if method == "POST" else None
    async with limited(own_people, own_settings, **none | {limit: SHORT}) as ada:
        async with locked(own_settings.dsn, "articles"):
            response = await ada.client.request(method, "/articles", json=article)
        assert (response.status_code, response.json()["detail"]) == (503, "The database does not answer")
        assert response.headers["retry-after"] == "1"
    assert (await ada.client.get("/articles")).json() == []


async def test_a_transaction_that_stands_idle_is_ended(own_settings: Settings) -> None:
    async with open_database(own_settings.model_copy(update={"database_idle_timeout": SHORT})) as database:
        with pytest.raises(Unavailable):
            async with database.unit_of_work() as uow:
                await uow.session.execute(text("SELECT 1"))
                await asyncio.sleep(2 * SHORT)
                await uow.session.execute(text("SELECT 1"))
        async with database.unit_of_work() as uow:
            assert await uow.session.scalar(text("SELECT 1")) == 1


@pytest.fixture
def slow(own_app: FastAPI, own_settings: Settings) -> FastAPI:
    """An application whose requests have a moment only, and an endpoint that takes longer."""
    app = create_app(own_settings.model_copy(update={"request_timeout": SHORT}))
    app.state.database = own_app.state.database

    @app.post("/slow")
    async def write_slowly(uow: Uow) -> None:
        await uow.session.execute(text("CREATE TABLE never (id int)"))
        await uow.session.execute(text("SELECT pg_sleep(60)"))

    return app


async def test_a_request_that_takes_too_long_is_given_up(slow: FastAPI, own_settings: Settings) -> None:
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(slow), base_url="http://test") as client,
        watching(own_settings.dsn) as watch,
    ):
        response = await client.post("/slow")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"] == "This took more than 0.2 s, which is the limit"
        await until(lambda: watch.none("state <> 'idle'"))
        assert await watch.connection.fetchval("SELECT to_regclass('never')") is None
    assert slow.state.database.writes.kw["bind"].pool.checkedout() == 0


async def test_another_timeout_is_as_unexpected_as_ever(settings: Settings) -> None:
    app = create_app(settings)

    @app.get("/own-timeout")
    async def time_out() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/own-timeout")).status_code == 500


# ------------------------------------------------------------------------------------------- one timer for them all

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
    "server": ("test", 80),
    "scheme": "http",
}


async def nothing() -> Message:
    raise AssertionError


async def answered(limit: TimeLimit) -> int:
    """The status of a request."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await limit({**SCOPE, "state": {"request_id": "x"}}, nothing, send)
    return int(sent[0]["status"])


async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


async def at_once(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


class Clock:
    """The time and the timers of an event loop, which go on when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop, "call_at", self._call_at)
        monkeypatch.setattr(loop, "call_later", lambda delay, *rest: self._call_at(self.now + delay, *rest))

    def _call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> None:
        self.timers.append((when, callback, arguments))

    def move_to(self, when: float) -> None:
        """Have all timers go off that are due by then."""
        self.now = when
        due = [timer for timer in self.timers if timer[0] <= when]
        self.timers = [timer for timer in self.timers if timer[0] > when]
        for _, callback, arguments in due:
            callback(*arguments)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    with monkeypatch.context() as patch:
        yield Clock(patch)


async def turns(number: int = 5) -> None:
    """Let everything happen that needs no time."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_each_request_has_its_own_time(clock: Clock) -> None:
    limit = TimeLimit(never, seconds=10)
    start = clock.now
    first = asyncio.create_task(answered(limit))
    await turns()
    clock.move_to(start + 4)
    later = [asyncio.create_task(answered(limit)) for _ in range(2)]
    await turns()
    clock.move_to(start + 9)
    await turns()
    assert not first.done()
    clock.move_to(start + 10)
    await turns()
    assert first.result() == 503
    assert not any(task.done() for task in later), "not with the first"
    clock.move_to(start + 14)
    await turns()
    assert [task.result() for task in later] == [503, 503]
    clock.move_to(start + 100)
    assert clock.timers == []
    again = asyncio.create_task(answered(limit))
    await turns()
    clock.move_to(start + 110)
    await turns()
    assert again.result() == 503


async def test_an_answer_that_has_begun_is_not_cut(clock: Clock) -> None:
    go_on = asyncio.Event()

    async def slowly(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()
        await send({"type": "http.response.body"})

    request = asyncio.create_task(answered(TimeLimit(slowly, seconds=10)))
    await turns()
    clock.move_to(clock.now + 20)
    await turns()
    assert not request.done()
    go_on.set()
    assert await request == 200


async def test_there_is_one_timer_however_many_requests(clock: Clock) -> None:
    limit = TimeLimit(at_once, seconds=10)
    assert [await answered(limit) for _ in range(50)] == [204] * 50
    assert len(clock.timers) == 1
    clock.move_to(clock.now + 10)
    assert clock.timers == [], "nobody is left to be given up"


@pytest.mark.parametrize("first", ["somebody", "limit"])
async def test_who_is_cancelled_by_somebody_else_too_hears_nothing(clock: Clock, first: str) -> None:
    request = asyncio.create_task(answered(TimeLimit(never, seconds=10)))
    await turns()
    if first == "somebody":
        request.cancel()
    clock.move_to(clock.now + 10)
    if first == "limit":
        request.cancel()
    await turns()
    assert request.cancelled()


async def test_who_is_cancelled_by_somebody_else_alone_does_not_either(clock: Clock) -> None:
    request = asyncio.create_task(answered(TimeLimit(never, seconds=10)))
    await turns()
    request.cancel()
    await turns()
    assert request.cancelled()
    clock.move_to(clock.now + 10)
    assert clock.timers == []


async def test_the_task_goes_on_as_if_it_had_never_been_cancelled(clock: Clock) -> None:
    """For servers that answer the next request of a connection in the same task."""
    limit = TimeLimit(never, seconds=10)

    async def two_requests() -> tuple[list[int], int]:
        task = asyncio.current_task()
        assert task is not None
        return [await answered(limit), await answered(limit)], task.cancelling()

    requests = asyncio.create_task(two_requests())
    for _ in range(2):
        await turns()
        clock.move_to(clock.now + 10)
    await turns()
    assert requests.result() == ([503, 503], 0)


def test_one_application_serves_one_event_loop_after_the_other() -> None:
    limit = TimeLimit(at_once, seconds=60)
    for _ in range(3):
        with asyncio.Runner() as runner:  # whose timer is left behind with it
            assert runner.run(answered(limit)) == 204
    late = TimeLimit(never, seconds=0.01)
    for _ in range(3):
        with asyncio.Runner() as runner:
            assert runner.run(answered(late)) == 503
