"""What is asked of the servers, of each in its own words, and what their answers have in common."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from asking import ask, form, request, with_json
from stage import LOGIN, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stage import Stage

Json = Any

MANY = 100
TIMES = {"created_at", "updated_at"}  # written differently, if equal
SPREAD = 1_000  # articles that are changed in turns


@dataclass(frozen=True)
class Calls:
    """What one server is asked: requests that are sent in turns."""

    server: str
    requests: Sequence[bytes]


@dataclass(frozen=True)
class Kind:
    """One line of the table: `calls` by the name of what is compared, which is "ours" and others."""

    name: str
    title: str
    calls: Callable[[Stage], Mapping[str, Calls]]
    status: int = 200
    # What has to be the same in the first answers of all.
    essence: Callable[[Json], Json] | None = None
    # The least that "ours" may be, as multiples of the requests per second of the others.
    floors: Mapping[str, float] = field(default_factory=dict)
    writes: bool = False

    def checked(self, stage: Stage) -> Mapping[str, Calls]:
        """The calls; ends the run when they are not answered as they should be."""
        calls = self.calls(stage)
        seen: dict[str, Json] = {}
        for name, one in calls.items():
            answer = ask(stage.servers[one.server].port, one.requests[0])
            if answer.status != self.status:
                said = answer.body[:500].decode(errors="replace")
                sys.exit(f"{self.name}: {name} has answered {answer.status} instead of {self.status}: {said}")
            if self.essence is not None:
                seen[name] = self.essence(json.loads(answer.body))
        for name, essence in seen.items():
            if essence != seen["ours"]:
                sys.exit(f"{self.name}: the answers differ.\n{name}: {essence}\nours: {seen['ours']}")
        if self.writes:
            stage.tidy()
        return calls


def bearer(stage: Stage, server: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.servers[server].token}"}


def reads(paths: Mapping[str, str], *, anonymous: bool = False) -> Callable[[Stage], Mapping[str, Calls]]:
    """The same path again and again."""

    def calls(stage: Stage) -> Mapping[str, Calls]:
        return {
            server: Calls(server, [request("GET", path, None if anonymous else bearer(stage, server))])
            for server, path in paths.items()
        }

    return calls


def alike(path: str, textbook: str) -> dict[str, str]:
    return {"limit": path, "textbook": textbook, "ours": path}


# --------------------------------------------------------------------------------------------------- what is compared


def rows(count: int) -> Callable[[Json], Json]:
    """So many rows, and all that they hold but times."""

    def essence(body: Json) -> Json:
        if len(body) != count:
            sys.exit(f"{len(body)} rows instead of {count}")
        return [row(one) for one in body]

    return essence


def row(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in TIMES}


def new_row(body: Json) -> Json:
    return {name: value for name, value in row(body).items() if name != "id"}


def changed_row(body: Json) -> Json:
    return {name: value for name, value in row(body).items() if name != "title"}


def token(body: Json) -> bool:
    return len(body["access_token"]) > 100  # noqa: PLR2004  # it is no short one


# --------------------------------------------------------------------------------------------- requests that vary more

NEW = {
    "title": "What came in with the tide",
    "content": "It is what one reads, and then some more. " * 4,
    "published": True,
}


def single(stage: Stage) -> Mapping[str, Calls]:
    path = f"/articles/{stage.articles[len(stage.articles) // 2]}"
    return reads(alike(path, path))(stage)


def create(stage: Stage) -> Mapping[str, Calls]:
    return {
        server: Calls(server, [with_json("POST", "/articles", NEW, bearer(stage, server))]) for server in stage.servers
    }


def update(stage: Stage) -> Mapping[str, Calls]:
    """Another title for each of many articles, and then yet another: to an ORM, the same one would be no change."""

    def changes(server: str) -> Iterator[bytes]:
        for title in (f"Changed by {server}", f"Changed by {server} again"):
            for number in stage.articles[:SPREAD]:
                yield with_json("PATCH", f"/articles/{number}", {"title": title}, bearer(stage, server))

    return {server: Calls(server, list(changes(server))) for server in stage.servers}


def log_in(stage: Stage) -> Mapping[str, Calls]:
    return {server: Calls(server, [form("/auth/login", LOGIN)]) for server in stage.servers}


def mixed(stage: Stage) -> Mapping[str, Calls]:
    """Nine lists, and an article that is written."""
    lists, writes = reads(alike(LIST, LIST))(stage), create(stage)
    return {
        server: Calls(server, [*lists[server].requests] * 9 + [*writes[server].requests]) for server in stage.servers
    }


def unchanged(stage: Stage) -> Mapping[str, Calls]:
    """What the client has already; beside it a route that does nothing but say so."""
    path = f"/articles/{stage.articles[0] + 1}"
    tag = ask(stage.servers["ours"].port, request("GET", path)).headers["etag"]
    asked = [request("GET", path, {"If-None-Match": tag})]
    return {
        "limit": Calls("limit", asked),
        "empty": Calls("textbook", [request("GET", "/empty")]),
        "ours": Calls("ours", asked),
    }


def pages(stage: Stage) -> Mapping[str, Calls]:
    """Page 10,000 of a list, and page 1."""
    headers = bearer(stage, "ours")
    port = stage.servers["ours"].port
    # Where a list that begins with that article goes on is where page 10,000 begins.
    start = urlencode({"limit": 1, "created_at__lte": stage.grow()})
    link = ask(port, request("GET", f"/articles?{start}", headers)).headers.get("link", "")
    cursor = link.partition("cursor=")[2].partition(">")[0].partition("&")[0]
    if not cursor:
        sys.exit(f"pages: no cursor in the answer to /articles?{start}")
    first, deep = (request("GET", path, headers) for path in (LIST, f"{LIST}&cursor={cursor}"))
    ids = [one["id"] for one in json.loads(ask(port, deep).body)]
    order = "ORDER BY created_at DESC, id DESC"
    expected = stage.sql(f"SELECT id FROM articles {order} OFFSET (SELECT count(*) FROM articles) - {PAGE}")  # noqa: S608  # numbers
    if ids != [number for (number,) in expected]:
        sys.exit("pages: the page behind the cursor is not page 10,000")
    return {"first": Calls("ours", [first]), "ours": Calls("ours", [deep])}


LIST = f"/articles?limit={PAGE}"
FILTERED = f"/articles?limit={PAGE}&published=true&title__icontains=harbour&sort=-title"
KINDS = [
    Kind(
        "list",
        "list of 25, authenticated",
        reads(alike(LIST, LIST)),
        essence=rows(PAGE),
        floors={"limit": 0.5, "textbook": 3.5},
    ),
    Kind(
        "anonymous",
        "list of 25, anonymous",
        reads(alike(LIST, f"/articles/public?limit={PAGE}"), anonymous=True),
        essence=rows(PAGE),
        floors={"limit": 0.5},
    ),
    Kind(
        "author",
        "list of 100 with their authors",
        reads(alike(f"/articles?limit={MANY}&include=author", f"/articles/with-author?limit={MANY}")),
        essence=rows(MANY),
        floors={"limit": 0.5, "textbook": 5},
    ),
    Kind(
        "filtered",
        "list of 25, filtered and sorted",
        reads(alike(FILTERED, f"/articles/found?limit={PAGE}&title=harbour")),
        essence=rows(PAGE),
    ),
    Kind("single", "one article", single, essence=row, floors={"limit": 0.45, "textbook": 2.5}),
    Kind("unchanged", "one article, unchanged (304)", unchanged, status=304, floors={"empty": 0.5}),
    Kind("mixed", "nine lists to one create", mixed, essence=rows(PAGE), writes=True),
    Kind("create", "create", create, status=201, essence=new_row, floors={"textbook": 1.5}, writes=True),
    Kind("update", "update", update, essence=changed_row, writes=True),
    Kind("login", "login", log_in, essence=token),
    # The last one: it fills the table.
    Kind("pages", "page 10,000 of a list", pages, essence=None, floors={"first": 1 / 1.2}),
]
