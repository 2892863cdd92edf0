"""Hashing beside everything else that goes on: threads, and who else is at the same account."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from passlib.context import CryptContext
from sqlalchemy import func, select, update

from app.auth import passwords
from app.config import Settings
from app.database.database import Database, open_database
from app.models.session import UserSession
from app.models.user import User
from app.repositories.users import with_id
from tests.contract import ContractTransport
from tests.people import HASH, PASSWORD, People
from tests.servers import PATIENCE, until
from tests.watch import Watch, watching

LOGIN = {"username": "ada", "password": PASSWORD}


@pytest.fixture
def database(own_app: FastAPI) -> Database:
    database: Database = own_app.state.database
    return database


@pytest.fixture
async def own_client(own_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=ContractTransport(own_app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def watch(own_settings: Settings) -> AsyncIterator[Watch]:
    async with watching(own_settings.dsn) as watch:
        yield watch


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> CryptContext:
    """Hashing that takes no time, so that `HASH` is up to date."""
    context = passwords._context().copy(argon2__memory_cost=8, argon2__time_cost=1)
    monkeypatch.setattr(passwords, "_context", lambda: context)
    return context


class Hashing:
    """Hashing that takes as long as the test likes."""

    def __init__(self, context: CryptContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._now = 0
        self.most_at_once = 0
        self.threads: set[int] = set()

    def verify_and_update(self, password: str, hashed: str) -> tuple[bool, str | None]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.threads.add(threading.get_ident())
        assert self._released.wait(PATIENCE)
        with self._lock:
            self._now -= 1
        valid: tuple[bool, str | None] = self._context.verify_and_update(password, hashed)
        return valid

    async def begun(self) -> bool:
        return self._now > 0

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def hashing(cheap: CryptContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    hashing = Hashing(cheap)
    monkeypatch.setattr(passwords, "_context", lambda: hashing)
    yield hashing
    hashing.release()


async def test_robustness_11_64_logins_at_once_leave_the_application_free_for_others(
    own_app: FastAPI, own_people: People, own_client: httpx.AsyncClient, own_settings: Settings, hashing: Hashing
) -> None:
    await own_people.join(username="ada")
    # So many at once may have to wait for a connection for longer than a request would.
    patient = own_settings.model_copy(update={"database_pool_timeout": PATIENCE})
    async with open_database(patient) as own_app.state.database:
        logins = [asyncio.create_task(own_client.post("/auth/login", data=LOGIN)) for _ in range(64)]
        await until(hashing.begun)
        for _ in range(10):
            assert (await own_client.get("/health/live")).status_code == 200
        assert not any(login.done() for login in logins)
        hashing.release()
        assert {login.status_code for login in await asyncio.gather(*logins)} == {200}
    assert threading.get_ident() not in hashing.threads
    assert len(hashing.threads) <= passwords._hashers()._max_workers
    assert hashing.most_at_once <= passwords._hashers()._max_workers


@pytest.mark.parametrize("replaced", [False, True], ids=["up to date", "out of date"])
async def test_a_login_with_the_old_password_does_not_overtake_a_new_one(
    database: Database, own_people: People, own_client: httpx.AsyncClient, watch: Watch, replaced: bool
) -> None:
    hashed = HASH if replaced else passwords._context().hash(PASSWORD)
    ada = await own_people.join(username="ada", hashed_password=hashed)
    async with database.unit_of_work() as uow:
        change = update(User).where(User.id == ada.user.id)
        await uow.session.execute(change.values(hashed_password=passwords._context().hash("something new")))
        login = asyncio.create_task(own_client.post("/auth/login", data=LOGIN))
        await until(lambda: watch.waiting(1))
    assert (await login).status_code == 401
    sessions = await database.reader().all(select(UserSession.id))
    assert sessions == [ada.session_id]


async def test_logins_that_replace_the_same_hash_all_succeed(
    database: Database, own_people: People, own_client: httpx.AsyncClient, watch: Watch
) -> None:
    ada = await own_people.join(username="ada")
    async with database.unit_of_work() as uow:
        await uow.session.get_one(User, ada.user.id, with_for_update=True)
        logins = [asyncio.create_task(own_client.post("/auth/login", data=LOGIN)) for _ in range(3)]
        await until(lambda: watch.waiting(3))
    assert [(await login).status_code for login in logins] == [200] * 3
    user = await database.reader().one_or_none(with_id(ada.user.id))
    assert user is not None
    assert not passwords._context().needs_update(user.hashed_password)
    assert await database.reader().one_or_none(select(func.count()).select_from(UserSession)) == 4
