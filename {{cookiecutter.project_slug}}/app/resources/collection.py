"""Reading one model over HTTP, as the contract has it: for the routes that are generated and for those written by hand.

articles = Collection(Article, ArticleRead)

@router.get("", response_model=articles.many, openapi_extra=articles.list_parameters)
async def list_articles(request: Request, reader: Reads) -> Response:
    return await articles.page(request, reader, select(Article).where(Article.published))
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl, quote, unquote_plus

from fastapi import Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy import Row, Select, and_, case, literal, select, tuple_

from app.database import UnitOfWork
from app.errors import NotFound
from app.headers import caching, is_known
from app.models.resource import title_of
from app.reader import Reader
from app.repositories.base import Model
from app.resources import parameters
from app.resources.catalog import Catalog, catalog_of, narrowed, shown_by
from app.resources.description import Entity
from app.resources.queries import ListQuery, QueryError, QueryReader, Shape
from app.resources.schemas import is_plain
from app.resources.statements import Statements
from app.resources.types import as_python, needs_python
from app.resources.values import text_of

JSON = "application/json"
_MOST_QUERIES: Final = 500
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
    def schema(self) -> type[BaseModel]:
        """What a client receives of a row."""
        return self._schema_by_hand or self._catalog.read_schema(self.entity)

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
    def _statements(self) -> Statements:
        return Statements(self.model, self.entity, self._catalog, by_hand=self._schema_by_hand is not None)

    @cached_property
    def _only_python(self) -> bool:
        if self._schema_by_hand is not None and not is_plain(self._schema_by_hand, self.entity):
            return True
        return any(needs_python(field.type) for field in self.entity.fields)

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
        page = await self._page(reader, wanted, query, values)
        if of is not None and not page.bodies:
            await _find(reader.fresh(), of, values)
        headers = caching(request.headers)
        if page.last is not None:
            headers["Link"] = f'<{self._next(request, query, page.last)}>; rel="next"'
        if query.count is not None:
            headers["X-Total-Count"] = str(await self._count(reader, wanted, query, values))
        return _answer(request, "[" + ",".join(page.bodies) + "]", headers)

    async def item(self, request: Request, reader: Reader, rows: Select[Any], **values: Any) -> Response:
        """The only row of these, with its version as `ETag`. Raises `NotFound`.

        No replica answers: whoever has just made the row is told where it is, and `If-Match` wants its version of now.
        """
        shape = _asked(request, self._item_query)
        found = await self._item(reader.fresh(), rows, shape, values)
        if found is None:
            raise NotFound(self.entity.title)
        body, version = found
        headers = caching(request.headers)
        if version is not None and not shape.include:
            headers["ETag"] = f'"{version}"'
        return _answer(request, body, headers)

    async def created(self, uow: UnitOfWork, entities: Sequence[Model], data: object) -> Response:
        """201 with what was made: an array if the body was one, else one row with its `Location`."""
        rows = await self._read(uow, entities)
        if isinstance(data, list):
            body = "[" + ",".join(row.body for row in rows) + "]"
            return Response(body, status.HTTP_201_CREATED, media_type=JSON)
        headers = {"Location": self._location(rows[0].keys), **rows[0].etag}
        return Response(rows[0].body, status.HTTP_201_CREATED, headers, JSON)

    async def updated(self, uow: UnitOfWork, entity: Model) -> Response:
        """200 with the row as it is now."""
        (row,) = await self._read(uow, [entity])
        return Response(row.body, status.HTTP_200_OK, row.etag, JSON)

    # ---------------------------------------------------------------------------------------------------- reading

    async def _page(self, reader: Reader, rows: Select[Any], query: ListQuery, values: Mapping[str, Any]) -> "_Page":
        if self._only_python:
            statement = self._statements.whole_page(rows, query)
            found = await reader.rows(statement, {**values, **query.values})
            bodies = [self._written(row, query.shape) for row in found[: query.limit]]
            last = found[query.limit - 1][-len(query.order) :] if len(found) > query.limit else None
            return _Page(bodies, last)
        page, own = self._statements.page(rows, query)
        ((bodies, *last),) = await reader.fetch(page, {**own, **values})
        if bodies is None or len(bodies) <= query.limit:
            return _Page(bodies or [], None)
        return _Page(bodies[: query.limit], last)

    async def _item(
        self, reader: Reader, rows: Select[Any], shape: Shape, values: Mapping[str, Any]
    ) -> tuple[str, str | None] | None:
        """The row as JSON, and its version."""
        if self._only_python:
            found = await reader.rows(self._statements.whole_item(rows, shape), values)
            return (self._written(found[0], shape), found[0].version) if found else None
        item, own = self._statements.item(rows, shape)
        written = await reader.fetch(item, {**own, **values})
        return (written[0]["body"], written[0]["version"]) if written else None

    async def _count(self, reader: Reader, rows: Select[Any], query: ListQuery, values: Mapping[str, Any]) -> int:
        if query.count == "estimated":
            every, own = self._statements.every(rows, query)
            return await reader.estimate(every, {**own, **values})
        count, own = self._statements.count(rows, query)
        ((counted,),) = await reader.fetch(count, {**own, **values})
        return int(counted)

    # ------------------------------------------------------------------------------------------------------ parts

    def _location(self, keys: Sequence[Any]) -> str:
        """The path of the row with these keys."""
        texts = (text_of(key.type, value) for key, value in zip(self.entity.keys, keys, strict=True))
        return "/".join((self.entity.path, *(quote(text, safe="") for text in texts)))

    @cached_property
    def _whole(self) -> Shape:
        return Shape(tuple(one.name for one in self.entity.fields))

    @cached_property
    def _every(self) -> Select[Any]:
        return select(self.model)

    def _written(self, row: Row[Any], shape: Shape) -> str:
        """The row as JSON by the schema, with what is included beside it."""
        every = shape.fields == self._whole.fields
        fields = dict(zip(self._whole.fields, row, strict=False))  # there is more behind them
        shown = self.schema.model_validate(row[0] if self._schema_by_hand else fields)
        text = shown.model_dump_json(include=None if every else set(shape.fields))
        if not shape.include:
            return text
        included = json.loads(row.included)
        return json.dumps(json.loads(text) | included, ensure_ascii=False, separators=(",", ":"))

    async def _read(self, uow: UnitOfWork, entities: Sequence[Model]) -> list["_Row"]:
        """The rows as they are in this transaction, in this order.

        What is equal is for PostgreSQL to say: to Python an enum is not its name, nor is a CHAR that was padded.
        """
        names = [key.field for key in self.entity.keys]
        values = [tuple(getattr(entity, name) for name in names) for entity in entities]
        if len(values) == 1 and not self._only_python:
            statement = self._statements.one(names, self._whole)
            ((body, version, *keys),) = await uow.fetch(statement, dict(zip(names, values[0], strict=True)))
            return [_Row(body, version, keys)]
        rows = await uow.session.execute(self._these(names, values), execution_options={"populate_existing": True})
        return [
            _Row(self._written(row, self._whole) if self._only_python else row.body, row.version, row[-len(names) :])
            for row in rows
        ]

    def _these(self, names: Sequence[str], values: Sequence[tuple[Any, ...]]) -> Select[Any]:
        """The rows with these keys, in their order, each ending in them."""
        keys = [getattr(self.model, name) for name in names]
        wanted = select(self.model).where(
            tuple_(*keys).in_(values) if len(keys) > 1 else keys[0].in_(v for (v,) in values)
        )
        these = (and_(*(key == part for key, part in zip(keys, value, strict=True))) for value in values)
        wanted = wanted.order_by(case(*((this, place) for place, this in enumerate(these))))
        shown = [as_python(key.type, column) for key, column in zip(self.entity.keys, keys, strict=True)]
        read = self._statements.whole_item if self._only_python else self._statements.written
        return read(wanted, self._whole).add_columns(*shown)

    def _next(self, request: Request, query: ListQuery, last: Sequence[Any]) -> str:
        """The address of the next page. It is relative, so that it is right behind every proxy."""
        if query.skip is not None:
            name, value = "skip", str(query.skip + query.limit)
        else:
            name, value = "cursor", self._queries.cursor(query.order, last)
        others = [part for part in _sent(request).decode("latin-1").split("&") if part and not _is_of(name, part)]
        following = "&".join([*(quote(part, safe=_HARMLESS) for part in others), f"{name}={value}"])
        path = request.scope.get("raw_path") or quote(request.url.path).encode()  # as it was sent, whatever keys hold
        return f"{quote(path.decode('latin-1'), safe=_HARMLESS)}?{following}"


def _answer(request: Request, body: str, headers: dict[str, str]) -> Response:
    """200, or 304 where the client knows it. A list has no version of its own, so that everybody's is made of its text;
    that of one caller is kept by nobody else, and seldom the same.
    """
    written = body.encode()
    if "ETag" not in headers and headers["Cache-Control"].startswith("public"):
        headers["ETag"] = f'W/"{hashlib.sha256(written).hexdigest()[:32]}"'
    if "ETag" in headers and is_known(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(written, media_type=JSON, headers=headers)


def _sent(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return query


def _parameters(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _is_of(name: str, part: str) -> bool:
    return unquote_plus(part.partition("=")[0]) == name


def _asked(request: Request, read: Callable[[bytes], Asked]) -> Asked:
    """What the query string asks for. Raises FastAPI's error for one that is wrong."""
    try:
        return read(_sent(request))
    except QueryError as error:
        raise RequestValidationError(
            [
                {"type": "value_error", "loc": ("query", name), "msg": message, "input": None}
                for name, message in error.problems.items()
            ]
        ) from error


@dataclass(frozen=True)
class _Row:
    """A row as JSON, with its version if it has one, and its keys."""

    body: str
    version: str | None
    keys: Sequence[Any]

    @property
    def etag(self) -> dict[str, str]:
        return {} if self.version is None else {"ETag": f'"{self.version}"'}


@dataclass(frozen=True)
class _Page:
    """Rows as JSON, and what the last of them is sorted by where there are more."""

    bodies: list[str]
    last: Sequence[Any] | None


async def _find(reader: Reader, row: Select[Any], values: Mapping[str, Any]) -> None:
    if not await reader.rows(row.with_only_columns(literal(1), maintain_column_froms=True), values):
        raise NotFound(title_of(row.column_descriptions[0]["entity"]))
