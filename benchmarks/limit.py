"""The limit: bare ASGI and an asyncpg pool, with statements in which PostgreSQL writes the JSON.

What no framework, no ORM and no logging would cost. It answers the requests of `kinds.py`, with the queries that the
project makes for them, and nothing else; run by the project's own Python: `uvicorn limit:app`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import asyncpg
from argon2 import PasswordHasher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
    Connection = Any  # asyncpg has no types
    Row = Any

KEY = os.environ["SECRET_KEY"].encode()
NAME = os.environ["APP_NAME"]

CALLER = """
SELECT u.id, u.active_workspace_id, m.role
FROM users u
JOIN sessions s ON s.user_id = u.id
LEFT JOIN memberships m ON m.workspace_id = u.active_workspace_id AND m.user_id = u.id
WHERE u.id = $1 AND u.disabled_at IS NULL AND s.id = $2 AND s.expires_at > now()
"""

COLUMNS = "a.id, a.title, a.content, a.published, a.author_id, a.created_at, a.updated_at"
AUTHOR = "(SELECT row_to_json(w) FROM (SELECT u.id, u.username) w) AS author"
OF_EVERYBODY = "a.published"
OF_MEMBERS = "(a.published OR a.workspace_id = $1)"


# A statement for each number of rows. With a parameter there, PostgreSQL would plan it anew for each request: a plan
# for all numbers has to expect a tenth of the table, and so it is never the one that looks cheaper.


@cache
def listing(visible: str, limit: int) -> str:
    return f"""
SELECT coalesce(json_agg(item), '[]') FROM (
    SELECT {COLUMNS} FROM articles a WHERE {visible} ORDER BY a.created_at DESC, a.id DESC LIMIT {limit}
) item
"""  # noqa: S608  # of our own parts


@cache
def with_author(limit: int) -> str:
    return f"""
SELECT coalesce(json_agg(item), '[]') FROM (
    SELECT a.*, {AUTHOR} FROM (
        SELECT {COLUMNS} FROM articles a WHERE {OF_MEMBERS} ORDER BY a.created_at DESC, a.id DESC LIMIT {limit}
    ) a JOIN users u ON u.id = a.author_id ORDER BY a.created_at DESC, a.id DESC
) item
"""  # noqa: S608  # as above


@cache
def filtered(limit: int) -> str:
    return f"""
SELECT coalesce(json_agg(item), '[]') FROM (
    SELECT {COLUMNS} FROM articles a
    WHERE {OF_MEMBERS} AND a.published AND a.title ILIKE '%' || $2 || '%' ORDER BY a.title DESC, a.id DESC LIMIT {limit}
) item
"""  # noqa: S608  # as above


def one(visible: str, number: str) -> str:
    return f"""
SELECT (SELECT row_to_json(item) FROM (SELECT {COLUMNS}) item), a.xmin::text
FROM articles a WHERE {visible} AND a.id = {number}
"""  # noqa: S608  # as above


ONE = one(OF_MEMBERS, "$2")
PUBLIC_ONE = one(OF_EVERYBODY, "$1")
INSERT = f"""
INSERT INTO articles AS a (title, content, published, author_id, workspace_id) VALUES ($1, $2, $3, $4, $5)
RETURNING a.id, (SELECT row_to_json(item) FROM (SELECT {COLUMNS}) item)
"""  # noqa: S608  # as above
LOCK = "SELECT author_id FROM articles WHERE id = $1 AND workspace_id = $2 FOR UPDATE"
UPDATE = f"""
UPDATE articles AS a SET title = $2, updated_at = now() WHERE id = $1
RETURNING (SELECT row_to_json(item) FROM (SELECT {COLUMNS}) item)
"""  # noqa: S608  # as above

LOGIN = "SELECT id, hashed_password FROM users WHERE lower(email) = lower($1) OR lower(username) = lower($1)"
SAME = "SELECT hashed_password FROM users WHERE id = $1 AND disabled_at IS NULL FOR SHARE"
OPEN = """
INSERT INTO sessions (user_id, address, user_agent, expires_at) VALUES ($1, $2, '', now() + interval '14 days')
RETURNING id
"""
AUDIT = "INSERT INTO audit_events (action, actor_id, address, details) VALUES ('login', $1, $2, $3)"
REFRESH = "INSERT INTO refresh_tokens (session_id, token_hash) VALUES ($1, $2)"

JSON = (b"content-type", b"application/json")
REFUSED: Answer = (401, [], b"")
MISSING: Answer = (404, [], b"")

hasher = PasswordHasher()
cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
threads = ThreadPoolExecutor(max_workers=cpus)
tokens: dict[bytes, tuple[int, int, float]] = {}
pool: Any = None


# ------------------------------------------------------------------------------------------------------------- tokens


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signature(signed: bytes) -> bytes:
    return encoded(hmac.digest(KEY, signed, "sha256"))


HEADER = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())


def token_for(user_id: int, session_id: int) -> str:
    now = int(time.time())
    claims = {"iss": NAME, "aud": NAME, "sub": str(user_id), "sid": session_id, "iat": now, "exp": now + 1800}
    claims |= {"jti": uuid.uuid4().hex, "type": "access"}
    signed = HEADER + b"." + encoded(json.dumps(claims).encode())
    return (signed + b"." + signature(signed)).decode()


def read(token: bytes) -> tuple[int, int, float] | None:
    """User, session and end of a token that is ours; each is verified once."""
    said = tokens.get(token)
    if said is None:
        signed, _, given = token.rpartition(b".")
        if not signed.startswith(HEADER) or not hmac.compare_digest(signature(signed), given):
            return None
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(b".")[2] + b"=="))
        if claims["iss"] != NAME or claims["aud"] != NAME or claims["type"] != "access":
            return None
        if len(tokens) > 1_000:  # noqa: PLR2004
            tokens.clear()
        said = tokens[token] = (int(claims["sub"]), claims["sid"], claims["exp"])
    return said if said[2] > time.time() else None


def bearer(scope: Message) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value[7:])
    return None


async def caller(connection: Connection, token: bytes) -> Row:
    said = read(token)
    return said and await connection.fetchrow(CALLER, said[0], said[1])


# ------------------------------------------------------------------------------------------------------------ answers


async def articles(scope: Message) -> Answer:
    asked = dict(parse_qsl(scope["query_string"].decode()))
    limit = min(int(asked.get("limit", "25")), 100)
    token = bearer(scope)
    async with pool.acquire() as connection:
        if token is None:
            return 200, [JSON], await connection.fetchval(listing(OF_EVERYBODY, limit))
        user = await caller(connection, token)
        if user is None:
            return REFUSED
        if "title__icontains" in asked:
            body = await connection.fetchval(filtered(limit), user[1], asked["title__icontains"])
        else:
            statement = with_author(limit) if "include" in asked else listing(OF_MEMBERS, limit)
            body = await connection.fetchval(statement, user[1])
        return 200, [JSON], body


async def article(scope: Message, number: int) -> Answer:
    token = bearer(scope)
    async with pool.acquire() as connection:
        if token is None:
            row = await connection.fetchrow(PUBLIC_ONE, number)
        elif user := await caller(connection, token):
            row = await connection.fetchrow(ONE, user[1], number)
        else:
            return REFUSED
    if row is None:
        return MISSING
    tag = b'"' + row[1].encode() + b'"'
    for name, value in scope["headers"]:
        if name == b"if-none-match" and value == tag:
            return 304, [(b"etag", tag)], b""
    return 200, [JSON, (b"etag", tag)], row[0]


async def create(scope: Message, body: bytes) -> Answer:
    data = json.loads(body)
    async with pool.acquire() as connection:
        user = await caller(connection, bearer(scope) or b"")
        if user is None:
            return REFUSED
        await connection.execute("BEGIN")
        row = await connection.fetchrow(
            INSERT, data["title"], data["content"], data.get("published", False), user[0], user[1]
        )
        await connection.execute("COMMIT")
    return 201, [JSON, (b"location", b"/articles/%d" % row[0])], row[1]


async def update(scope: Message, number: int, body: bytes) -> Answer:
    data = json.loads(body)
    async with pool.acquire() as connection:
        user = await caller(connection, bearer(scope) or b"")
        if user is None:
            return REFUSED
        await connection.execute("BEGIN")
        author = await connection.fetchval(LOCK, number, user[1])
        allowed = author is not None and (author == user[0] or user[2] in {"admin", "owner"})
        row = await connection.fetchval(UPDATE, number, data["title"]) if allowed else None
        await connection.execute("COMMIT")
    return (200, [JSON], bytes(row)) if row else MISSING


async def log_in(scope: Message, body: bytes) -> Answer:
    form = dict(parse_qsl(body.decode()))
    address = scope["client"][0]
    user = await pool.fetchrow(LOGIN, form["username"])
    # It raises if the password is another one.
    await asyncio.get_running_loop().run_in_executor(threads, hasher.verify, user[1], form["password"])
    refresh = secrets.token_urlsafe(32)
    async with pool.acquire() as connection:
        await connection.execute("BEGIN")
        if await connection.fetchval(SAME, user[0]) != user[1]:
            await connection.execute("ROLLBACK")
            return REFUSED
        session = await connection.fetchval(OPEN, user[0], address)
        await connection.execute(AUDIT, user[0], address, b'{"session_id": %d}' % session)
        await connection.execute(REFRESH, session, hashlib.sha256(refresh.encode()).digest())
        await connection.execute("COMMIT")
    answer = {"access_token": token_for(user[0], session), "token_type": "bearer", "refresh_token": refresh}
    return 200, [JSON], json.dumps(answer).encode()


# --------------------------------------------------------------------------------------------------------------- ASGI


async def received(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def answer(scope: Message, receive: Receive) -> Answer:
    method, path = scope["method"], scope["path"]
    if method == "GET":
        return await (articles(scope) if path == "/articles" else article(scope, int(path[10:])))
    body = await received(receive)
    if method == "PATCH":
        return await update(scope, int(path[10:]), body)
    return await (create(scope, body) if path == "/articles" else log_in(scope, body))


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    status, headers, body = await answer(scope, receive)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Receive, send: Send) -> None:
    """Have the pool open from start to end."""
    global pool  # noqa: PLW0603  # a variable of the process, and the quickest to reach
    await receive()
    pool = await asyncpg.create_pool(
        os.environ["DATABASE_URL"],
        min_size=15,
        max_size=15,
        max_queries=10**9,
        max_inactive_connection_lifetime=0,
        init=json_as_bytes,
        reset=nothing,
        server_settings={"timezone": "UTC"},
    )
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


async def json_as_bytes(connection: Connection) -> None:
    """JSON as PostgreSQL has written it, as it goes to the client."""
    for name, prefix in (("json", b""), ("jsonb", b"\1")):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=prefix.__add__,
            decoder=bytes,
            format="binary",
        )


async def nothing(_connection: Connection) -> None:
    """Instead of a query that resets the connection: no request leaves anything behind in it."""
