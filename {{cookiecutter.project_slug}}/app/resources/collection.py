"""Reading one model over HTTP, as the contract has it: for the routes that are generated and for those written by hand.

articles = Collection(Article, ArticleRead)

@router.get("", response_model=articles.many, openapi_extra=articles.list_parameters)
async def list_articles(request: Request, reader: Reads) -> Response:
    return await articles.page(request, reader, select(Article).where(Article.published))
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from inspect import unwrap
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl, quote, unquote_plus

from fastapi import Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy import Select, literal, select

from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.errors import NotFound
from app.headers import caching, is_known, received
from app.models.resource import title_of
from app.repositories.base import Model
from app.resources import parameters
from app.resources.catalog import Catalog, catalog_of, narrowed, shown_by
from app.resources.description import Entity
from app.resources.given import QueryError
from app.resources.json_reader import JsonReader
from app.resources.queries import ListQuery, Shape
from app.resources.query_reader import QueryReader
from app.resources.statements import only
from app.resources.values import text_of

JSON = "application/json"
_MOST_QUERIES: Final = 500
_LONGEST_KEPT: Final = 2_000  # bytes of one: few are as long, and somebody may send 500 of sixty thousand
_HARMLESS: Final = "!$&'()*+,/:;=?@%-._~"  # in an address as it was sent, and in a header

Asked = TypeVar("Asked")


class Collection(Generic[Model]):
    """The rows of a model, as a schema shows them.

    PostgreSQL writes the JSON where the schema is made of columns; where it has more, or a column that only Python can
    write, Pydantic does.
    """

    def __init__(self, model: type[Model], schema: type[BaseModel] | None = None) -> None:
        self.model = model
        self._schema_by_hand = schema
        if schema is not None:
            shown_by(model, schema)

    # What follows is made when it is first asked for: by then every model is known.

    @cached_property
    def _catalog(self) -> Catalog:
        return catalog_of(self.model)

    @cached_property
    def entity(self) -> Entity:
        """What the model is to clients of these rows."""
        entity = self._catalog.entity_of(self.model)
        return narrowed(entity, self._schema_by_hand) if self._schema_by_hand else self._catalog.shown(entity)

    @cached_property
    def _described(self) -> Any:
        return self._schema_by_hand or self._catalog.described(self.entity)

    @cached_property
    def one(self) -> Any:
        """The `response_model` of a row."""
        return self._described | self._catalog.part_schema(self.entity)

    @cached_property
    def many(self) -> Any:
        """The `response_model` of a page."""
        return list[self.one]  # type: ignore[name-defined]  # a type that is made here

    @cached_property
    def made(self) -> Any:
        """The `response_model` of what is made: one row, or as many as were sent."""
        return self._described | list[self._described]  # type: ignore[name-defined]  # as above

    @cached_property
    def list_parameters(self) -> dict[str, Any]:
        """The `openapi_extra` of a page."""
        return {"parameters": parameters.list_parameters(self.entity, self._catalog)}

    @cached_property
    def item_parameters(self) -> dict[str, Any]:
        """The `openapi_extra` of a row."""
        return {"parameters": parameters.item_parameters(self.entity, self._catalog)}

    @cached_property
    def _queries(self) -> QueryReader:
        return QueryReader(self.entity, self._catalog)

    # The same few queries are asked again and again: what they mean is remembered.

    @cached_property
    def _list_query(self) -> Callable[[bytes], ListQuery]:
        return lru_cache(maxsize=_MOST_QUERIES)(lambda sent: self._queries.list_query(_parameters(sent)))

    @cached_property
    def _item_query(self) -> Callable[[bytes], Shape]:
        return lru_cache(maxsize=_MOST_QUERIES)(lambda sent: self._queries.item_query(_parameters(sent)))

    @cached_property
    def _json(self) -> JsonReader:
        return JsonReader(self.model, self.entity, self._catalog, self._schema_by_hand)

    # ---------------------------------------------------------------------------------------------------- answers

    async def page(
        self,
        request: Request,
        reader: Reader,
        rows: Select[Any] | None = None,
        *,
        of: Select[Any] | None = None,
        **values: Any,
    ) -> Response:
        """The page of these rows that the query string asks for. It says where the list goes on (RFC 8288).

        `values` are for the `bindparam`s of the rows, where they are a select that was built once for all requests.
        `of` is the row that they belong to. Raises `NotFound` when there are none, because it is not there.
        """
        query = _asked(request, self._list_query)
        wanted = self._every if rows is None else rows
        page = await self._json.page(reader, wanted, query, values)
        if of is not None and not page.bodies:
            await _find(reader.fresh(), of, values)
        headers = caching(request.scope)
        if page.last is not None:
            headers["Link"] = f'<{self._next(request, query, page.last)}>; rel="next"'
        if query.count is not None:
            headers["X-Total-Count"] = str(await self._json.count(reader, wanted, query, values))
        return _answer(request, "[" + ",".join(page.bodies) + "]", headers)

    async def item(self, request: Request, reader: Reader, rows: Select[Any], **values: Any) -> Response:
        """The only row of these, with its version as `ETag`. Raises `NotFound`.

        No replica answers: whoever has just made the row is told where it is, and `If-Match` wants its version of now.
        """
        shape = _asked(request, self._item_query)
        found = await self._json.item(reader.fresh(), rows, shape, values)
        if found is None:
            raise NotFound(self.entity.title)
        headers = caching(request.scope)
        if not shape.include:
            headers |= found.etag
        return _answer(request, found.body, headers)

    async def created(self, uow: UnitOfWork, entities: Sequence[Model], data: object) -> Response:
        """201 with what was made: an array if the body was one, else one row with its `Location`."""
        rows = await self._json.written(uow, entities)
        if isinstance(data, list):
            body = "[" + ",".join(row.body for row in rows) + "]"
            return Response(body, status.HTTP_201_CREATED, media_type=JSON)
        headers = {"Location": self._location(rows[0].keys), **rows[0].etag}
        return Response(rows[0].body, status.HTTP_201_CREATED, headers, JSON)

    async def updated(self, uow: UnitOfWork, entity: Model) -> Response:
        """200 with the row as it is now."""
        (row,) = await self._json.written(uow, [entity])
        return Response(row.body, status.HTTP_200_OK, row.etag, JSON)

    # ------------------------------------------------------------------------------------------------------ parts

    def _location(self, keys: Sequence[Any]) -> str:
        """The path of the row with these keys."""
        texts = (text_of(key.type, value) for key, value in zip(self.entity.keys, keys, strict=True))
        return "/".join((self.entity.path, *(quote(text, safe="") for text in texts)))

    @cached_property
    def _every(self) -> Select[Any]:
        return select(self.model)

    def _next(self, request: Request, query: ListQuery, last: Sequence[Any]) -> str:
        """The address of the next page. It is relative, so that it is right behind every proxy."""
        if query.skip is not None:
            name, value = "skip", str(query.skip + query.limit)
        else:
            name, value = "cursor", self._queries.cursor(query, last)
        path = request.scope.get("raw_path") or quote(request.url.path).encode()  # as it was sent, whatever keys hold
        return _kept(_without, path, _sent(request))(name, path, _sent(request)) + value


def _answer(request: Request, body: str, headers: dict[str, str]) -> Response:
    """200, or 304 where the client knows it. A list has no version of its own, so that everybody's is made of what it
    says, in its headers too; that of one caller is kept by nobody else, and seldom the same.
    """
    if "ETag" not in headers and headers["Cache-Control"].startswith("public"):
        version = hashlib.sha256(body.encode())
        version.update(repr(headers).encode())  # or a cache would keep the link to a next page that is no more
        headers["ETag"] = f'W/"{version.hexdigest()[:32]}"'
    if "ETag" in headers and is_known(received(request.scope, b"if-none-match"), headers["ETag"]):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def _kept(read: Callable[..., Asked], *asked: bytes) -> Callable[..., Asked]:
    """The function that remembers, or the one behind it, where what it would remember is long."""
    if sum(map(len, asked)) <= _LONGEST_KEPT:
        return read
    forgetful: Callable[..., Asked] = unwrap(read)
    return forgetful


def _sent(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return query


@lru_cache(maxsize=_MOST_QUERIES)
def _without(name: str, path: bytes, query: bytes) -> str:
    """The address that was asked, ending in this parameter, which wants its new value."""
    others = [part for part in query.decode("latin-1").split("&") if part and not _is_of(name, part)]
    following = "&".join([*(quote(part, safe=_HARMLESS) for part in others), f"{name}="])
    return f"{quote(path.decode('latin-1'), safe=_HARMLESS)}?{following}"


def _parameters(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _is_of(name: str, part: str) -> bool:
    return unquote_plus(part.partition("=")[0]) == name


def _asked(request: Request, read: Callable[[bytes], Asked]) -> Asked:
    """What the query string asks for. Raises FastAPI's error for one that is wrong."""
    sent = _sent(request)
    try:
        return _kept(read, sent)(sent)
    except QueryError as error:
        raise RequestValidationError(
            [
                {"type": "value_error", "loc": ("query", name), "msg": message, "input": None}
                for name, message in error.problems.items()
            ]
        ) from error


async def _find(reader: Reader, row: Select[Any], values: Mapping[str, Any]) -> None:
    model = row.column_descriptions[0]["entity"]
    if not await reader.rows(only(row, model, [literal(1)]), values):
        raise NotFound(title_of(model))
