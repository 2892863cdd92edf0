"""With 200,000 rows in every table a request does as much as with 200: PostgreSQL is asked what it has done.

The routes come from the contract, the tables from the models: a new one is held to it without a word here.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from email.message import EmailMessage
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import inspect

from app.auth.tokens import create_access_token
from app.config import Settings
from app.database.database import Database, open_database
from app.models.base import Declarative
from app.models.resource import snake
from app.resources.description import Entity
from app.services.housekeeping import clear_away
from app.worker import Worker
from tests.accounts_of_work import Work, accounted
from tests.contract import ContractTransport
from tests.crowd import CROWD, OWNERS, ROWS, fill, keys_at, room
from tests.databases import clone, connect
from tests.good_requests import CATALOG, DECLARED, good_request
from tests.people import PASSWORD

# What is wrong with what, if anything is.
Findings = AsyncIterator[tuple[str, list[str]]]
# They do something with every row of the workspace, and may.
OF_ALL = {"DELETE /workspaces/{workspace_id}"}
SMALL = {table.name for table in Declarative.metadata.sorted_tables if room(table) < ROWS}
# Rows of a table, or entries of an index, that a request may read: some pages' worth, of all that there are.
MOST = 1000
# PostgreSQL plans a statement anew some times before it settles on a plan for all values.
TIMES = 7
PAGE, DEEP = 3, 10_000  # rows of a page, and which page is far down

pytestmark = pytest.mark.timeout(300)


class Crowd:
    """An application on a database with very many rows in every table, and the account of what it does there."""

    def __init__(self, app: FastAPI, settings: Settings, connection: asyncpg.Connection) -> None:
        self.app = app
        self.settings = settings
        self._connection = connection
        self._turn = 0

    def owner(self, *, alone: bool) -> int:
        """Somebody whom nobody has asked for yet: of the crowd, or with a workspace of his own."""
        self._turn += 1
        return self._turn * OWNERS + 1 + (CROWD if alone else 0)

    def client(self, user: int | None) -> httpx.AsyncClient:
        """The client of this user, or of nobody."""
        token = create_access_token(user, user, self.settings) if user else ""
        headers = {"Authorization": f"Bearer {token}"} if user else {}
        return httpx.AsyncClient(transport=ContractTransport(self.app), base_url="http://test", headers=headers)

    async def work(self, do: Callable[[Database], Awaitable[None]]) -> Work:
        """What the database does for this."""
        async with accounted(self._connection) as work, open_database(self.settings) as database:
            self.app.state.database = database
            await do(database)
        # To search a small table is quicker than to look into an index.
        work.read = {key: read for key, read in work.read.items() if key[0] not in SMALL}
        return work

    async def reads(self, user: int | None, url: str, query: dict[str, Any]) -> Work:
        """What it is to read this, so often that PostgreSQL has settled on a plan."""

        async def read(_database: Database) -> None:
            async with self.client(user) as client:
                for _ in range(TIMES):
                    response = await client.get(url, params=query)
                    assert response.status_code in {200, 404}, response.text

        return await self.work(read)

    async def writes(self, user: int, operation: str, keys: dict[str, Any]) -> tuple[Work, int]:
        """What it is to do this, and the status of the answer."""
        method, path = operation.split()
        # Of its purpose there is one in the row, or in the next but one: see `tests.crowd`.
        word = f"token{user + 2 if 'verify' in path else user}"
        request = good_request(operation, word, keys)
        if operation == "POST /auth/login":
            request = {"data": {"username": f"user{user}", "password": PASSWORD, "scope": "offline_access"}}
        statuses = []

        async def write(_database: Database) -> None:
            async with self.client(user) as client:
                response = await client.request(method, path.format(**keys), **request)
                statuses.append(response.status_code)

        return await self.work(write), statuses[0]

    async def cursor(self, user: int | None, url: str, sort: str, keys: list[str]) -> str:
        """Where the page far down begins. It comes from the list of the two rows before it."""
        query: dict[str, Any] = {"sort": sort, "skip": PAGE * (DEEP - 1) - 1, "limit": 2, "fields": ",".join(keys)}
        rows = await self._rows(user, url, query)
        assert len(rows.json()) == 2, f"{url} is shorter than {DEEP} pages"
        two = {f"{key}__in": ",".join(str(row[key]) for row in rows.json()) for key in keys}
        before = await self._rows(user, url, {"sort": sort, "limit": 1} | two)
        return str(httpx.URL(before.links["next"]["url"]).params["cursor"])

    async def few(self, user: int, url: str, name: str) -> Any:
        """What some row far down refers to by this field, and hardly any other row; None if there is nothing such: the
        first row is what most refer to.
        """
        rows = await self._rows(user, url, {"skip": PAGE * (DEEP - 1), "limit": 10, "fields": name})
        return max({row[name] for row in rows.json()} - {None, 1}, default=None)

    async def _rows(self, user: int | None, url: str, query: dict[str, Any]) -> httpx.Response:
        async with open_database(self.settings) as database, self.client(user) as client:
            self.app.state.database = database
            response = await client.get(url, params=query)
            assert response.status_code == 200, response.text
        return response

    async def expire(self) -> None:
        """Have some rows of each kind expire that can."""
        for table in Declarative.metadata.sorted_tables:
            if "expires_at" in table.columns:
                await self._connection.execute(
                    f"UPDATE {table.name} SET expires_at = now() - INTERVAL '1 s' WHERE id > {ROWS - 20}"  # noqa: S608
                )

    async def keys(self, row: int) -> dict[str, Any]:
        """What paths and bodies call the keys of the rows of this number."""
        known: dict[str, Any] = {"session_id": row}
        for mapper in Declarative.registry.mappers:
            values = await keys_at(self._connection, mapper, row)
            known |= {f"{snake(mapper.class_.__name__)}_{name}": value for name, value in values.items()}
        for entity in CATALOG.entities.values():
            values = await keys_at(self._connection, inspect(CATALOG.model_of(entity)), row)
            known |= {f"{other}{key.parameter}": values[key.field] for key in entity.keys for other in ("", "other_")}
        return known


class Nowhere:
    """Takes every mail."""

    async def send(self, message: EmailMessage) -> None: ...


def gets(app: FastAPI) -> list[tuple[str, dict[str, Any]]]:
    return [(path, methods["get"]) for path, methods in app.openapi()["paths"].items() if "get" in methods]


def listed(path: str) -> Entity:
    """What the list at this path consists of."""
    declared = DECLARED[f"GET {path}"]
    return declared.target or declared.entity


def references(path: str, operation: dict[str, Any]) -> list[str]:
    """The parameters that find rows by what they refer to. Under one row there is an index for that row already."""
    if not is_paged(path, operation) or "{" in path:
        return []
    columns = inspect(CATALOG.model_of(listed(path))).columns
    return [one.name for one in listed(path).fields if one.filterable and columns[one.name].foreign_keys]


def filters_by_hand(path: str, operation: dict[str, Any]) -> list[str]:
    """The parameters of the same kind that a schema has for its list."""
    if f"GET {path}" in DECLARED:
        return []
    queries = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    return [name for name in queries if name.endswith("_id")]


def is_paged(path: str, operation: dict[str, Any]) -> bool:
    """Whether it is a list that goes on by cursor, and may be long."""
    by_cursor = "cursor" in {parameter["name"] for parameter in operation.get("parameters", ())}
    return by_cursor and listed(path).table not in SMALL


def sorts(path: str, *, by_key: bool) -> list[str]:
    """The orders of a list that have an index: its own, and that of the key where all rows are listed; both ways."""
    own, key = listed(path).sort, listed(path).keys[0].field
    return sorted({own, backwards(own)} | ({key, backwards(key)} if by_key else set()))


def backwards(sort: str) -> str:
    return ",".join(part[1:] if part.startswith("-") else f"-{part}" for part in sort.split(","))


def leads_nowhere(operation: str) -> bool:
    """Whether it may be that nothing is there."""
    declared = DECLARED.get(operation)
    return declared is not None and declared.does in {"unlink", "read_related"}


@pytest.fixture(scope="module")
async def crowd(template: str, settings: Settings, assembled: FastAPI) -> AsyncIterator[Crowd]:
    dsn = await clone(template, secrets.token_hex(4))
    connection = await connect(dsn)
    await fill(connection)
    yield Crowd(assembled, settings.model_copy(update={"database_url": SecretStr(dsn)}), connection)
    await connection.close()


async def test_with_very_many_rows_everything_does_as_much_as_with_few(crowd: Crowd) -> None:
    """One test, because the rows take longer to make than all else: each worker of pytest would make its own."""
    found = [
        f"{what} {problem}"
        for part in (pages, reads, writes, behind_the_scenes)
        async for what, problems in part(crowd)
        for problem in problems
    ]
    assert not found, "\n".join(found)


async def pages(crowd: Crowd) -> Findings:
    """The first page of a list and the ten-thousandth, in orders that have an index: up and down, by something unique
    and by something that is not.
    """
    for path, operation in gets(crowd.app):
        if not is_paged(path, operation):
            continue
        url = path.format(**await crowd.keys(1))
        for user in (1, None) if {} in operation["security"] else (1,):
            for sort in sorts(path, by_key={} in operation["security"]):
                query = {"sort": sort, "limit": PAGE}
                first = await crowd.reads(user, url, query)
                cursor = await crowd.cursor(user, url, sort, [key.field for key in listed(path).keys])
                deep = await crowd.reads(user, url, query | {"cursor": cursor})
                problems = [f"page 1 {problem}" for problem in first.beyond(MOST)]
                problems += [f"page {DEEP} {problem}" for problem in deep.beyond(MOST)]
                if deep.pages > 1.5 * first.pages:
                    problems.append(f"page 1 takes {first.pages} blocks, page {DEEP} {deep.pages}")
                yield f"GET {path}?sort={sort} by {'somebody' if user else 'anybody'}", problems


async def reads(crowd: Crowd) -> Findings:
    """Everything that can be read, by who has very much and by who has little; and lists by what they refer to."""
    for path, operation in gets(crowd.app):
        for row in (1, CROWD + 1):
            url = path.format(**await crowd.keys(row))
            yield f"GET {path}", (await crowd.reads(row, url, {})).beyond(MOST)
        for name in references(path, operation):
            if value := await crowd.few(1, path, name):
                yield f"GET {path}?{name}=", (await crowd.reads(1, path, {name: value})).beyond(MOST)
        for name in filters_by_hand(path, operation):
            yield f"GET {path}?{name}=", (await crowd.reads(1, path, {name: 1})).beyond(MOST)


async def writes(crowd: Crowd) -> Findings:
    """Everything that can be done, in the crowd's workspace and in one's own."""
    for path, methods in crowd.app.openapi()["paths"].items():
        for operation in (f"{method.upper()} {path}" for method in methods if method != "get"):
            for alone in (False, True):
                if operation in OF_ALL and not alone:
                    continue
                row = crowd.owner(alone=alone)
                keys = await crowd.keys(row)
                if not alone:
                    keys |= {"workspace_id": 1, "user_id": row + 2}
                work, status = await crowd.writes(row, operation, keys)
                problems = work.beyond(MOST)
                nothing_there = status in {404, 422} and (leads_nowhere(operation) or SMALL)
                if status not in {200, 201, 202, 204, 409} and not nothing_there:
                    problems.append(f"is answered with {status}: see tests/good_requests.py and tests/crowd.py")
                yield f"{operation}{' alone' if alone else ''}", problems


async def behind_the_scenes(crowd: Crowd) -> Findings:
    """What the worker does: it sends what is due, and clears away what has expired."""

    async def send(database: Database) -> None:
        worker = Worker(database, crowd.settings, Nowhere())
        for _ in range(TIMES):
            assert await worker.send_next()

    yield "sending mails", (await crowd.work(send)).beyond(MOST)
    await crowd.expire()
    yield "clearing away", (await crowd.work(clear_away)).beyond(MOST)
