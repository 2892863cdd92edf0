"""The endpoints of an entity, as FastAPI serves them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from fastapi import APIRouter, Request, Response, status
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Select, bindparam, exists, inspect, literal, select
from sqlalchemy.orm import aliased

from app.dependencies import Expected
from app.errors import NotFound
from app.idempotency import IdempotentRoute, Once
from app.repositories.base import Repository
from app.resources.access import Reading, Writing, reading, writing
from app.resources.catalog import Catalog
from app.resources.collection import Collection
from app.resources.description import Entity, Key
from app.resources.json_rows import joined
from app.resources.operations import Operation, target_keys
from app.resources.schemas import create_schema, update_schema
from app.resources.values import held, told, value_of
from app.schemas.base import Input, OneOrMany, Patch, as_list
from app.services.resource import ResourceService


class Endpoints:
    """Endpoints for the operations of one entity. Each reads its keys from the path itself: how many there are, and of
    which types, differs from model to model.
    """

    def __init__(self, entity: Entity, catalog: Catalog, service: type[ResourceService[Any]]) -> None:
        self._entity = entity
        self._catalog = catalog
        self._model: type[Any] = catalog.model_of(entity)
        self._service = service
        self._rows: Collection[Any] = Collection(self._model)

    def router(self, operations: Iterable[Operation]) -> APIRouter:
        """A router with these operations. `app.resources.openapi` describes them."""
        router = APIRouter(route_class=IdempotentRoute, include_in_schema=False)
        for operation in operations:
            endpoint = getattr(self, f"_{operation.does}")(operation)
            router.add_api_route(
                operation.path, endpoint, methods=[operation.method], name=operation.name, response_model=None
            )
        return router

    # -------------------------------------------------------------------------------------------------- endpoints

    def _list(self, operation: Operation) -> Any:
        rows, parent = self._visible, None
        if self._entity.parent:
            rows, parent = self._beneath_parent(rows), self._parent_row

        async def list_rows(request: Request) -> Response:
            on = await reading(request, operation.access)
            values = self._values(request, on, self._parent[1].keys if parent is not None else ())
            return await self._rows.page(request, on.reader, rows, of=parent, **values)

        return list_rows

    def _read(self, operation: Operation) -> Any:
        async def read_row(request: Request) -> Response:
            on = await reading(request, operation.access)
            values = self._values(request, on, self._entity.keys)
            return await self._rows.item(request, on.reader, self._row, **values)

        return read_row

    def _create(self, operation: Operation) -> Any:
        schema = create_schema(self._entity)

        async def create_rows(
            request: Request,
            data: OneOrMany[schema],  # type: ignore[valid-type]
            by: writing(operation.access),  # type: ignore[valid-type]
            _once: Once,
        ) -> Response:
            given = await self._given_by_parent(request, by)
            # Called by the class: a field may be called `sent`.
            rows = await self._service_for(by).create([self._held(Input.sent(one)) | given for one in as_list(data)])
            return await self._rows.created(by.uow, rows, data)

        return create_rows

    def _update(self, operation: Operation) -> Any:
        schema = update_schema(self._entity)

        async def update_row(
            request: Request,
            data: schema,  # type: ignore[valid-type]
            by: writing(operation.access),  # type: ignore[valid-type]
            expected: Expected,
        ) -> Response:
            wanted = self._named(request, by)
            row = await self._service_for(by).update(wanted, self._held(Patch.changes(data)), expected)
            return await self._rows.updated(by.uow, row)

        return update_row

    def _delete(self, operation: Operation) -> Any:
        async def delete_row(
            request: Request,
            by: writing(operation.access),  # type: ignore[valid-type]
            expected: Expected,
        ) -> Response:
            await self._service_for(by).delete(self._named(request, by), expected)
            return Response(status_code=status.HTTP_204_NO_CONTENT)

        return delete_row

    def _list_related(self, operation: Operation) -> Any:
        others: Collection[Any] = Collection(self._target(operation))
        rows = self._related(operation)

        async def list_related(request: Request) -> Response:
            on = await reading(request, operation.access)
            values = self._values(request, on, self._entity.keys)
            return await others.page(request, on.reader, rows, of=self._row, **values)

        return list_related

    def _read_related(self, operation: Operation) -> Any:
        others: Collection[Any] = Collection(self._target(operation))
        rows = self._related(operation)

        async def read_related(request: Request) -> Response:
            on = await reading(request, operation.access)
            values = self._values(request, on, self._entity.keys)
            return await others.item(request, on.reader, rows, **values)

        return read_related

    def _link(self, operation: Operation) -> Any:
        async def link(request: Request, by: writing(operation.access)) -> Response:  # type: ignore[valid-type]
            row, other = await self._pair(request, by, operation)
            await Repository(self._model, by.uow.session).link(row, _name(operation), other)
            return Response(status_code=status.HTTP_204_NO_CONTENT)

        return link

    def _unlink(self, operation: Operation) -> Any:
        async def unlink(request: Request, by: writing(operation.access)) -> Response:  # type: ignore[valid-type]
            row, other = await self._pair(request, by, operation)
            if not await Repository(self._model, by.uow.session).unlink(row, _name(operation), other):
                raise NotFound(_entity(operation).title)
            return Response(status_code=status.HTTP_204_NO_CONTENT)

        return unlink

    # ------------------------------------------------------------------------------------------------------ rows

    # Each is built once. What differs from request to request are `_values`.

    @cached_property
    def _visible(self) -> Select[Any]:
        """The rows that the caller may see. Those of a workspace are found by the session's being bound to it."""
        return select(self._model).where(*self._of_caller(self._model))

    @cached_property
    def _row(self) -> Select[Any]:
        """The row that the path names."""
        return self._visible.where(*_conditions(self._model, self._entity.keys))

    def _named(self, request: Request, by: Writing) -> Select[Any]:
        """The same, for a session to execute."""
        return self._row.params(self._values(request, by, self._entity.keys))

    def _related(self, operation: Operation) -> Select[Any]:
        """What the relation of the row in the path leads to, if the caller may see that row."""
        row, target = aliased(self._model), self._target(operation)
        relation = inspect(self._model).relationships[_name(operation)]
        link = joined(inspect(row).selectable, relation, inspect(target).selectable)
        conditions = [*_conditions(row, self._entity.keys), *self._of_caller(row), *link]
        return select(target).where(exists(select(literal(1)).select_from(row).where(*conditions)))

    def _of_caller(self, rows: Any) -> list[Any]:
        return [getattr(rows, self._entity.owner or "") == bindparam(_CALLER)] if self._is_his_own else []

    @cached_property
    def _is_his_own(self) -> bool:
        return self._entity.owner is not None and not self._entity.scoped

    def _values(self, request: Request, by: Reading | Writing, keys: Sequence[Key]) -> dict[str, Any]:
        values = _key_values(request, keys)
        if self._is_his_own:
            values[_CALLER] = by.user_id
        return values

    def _target(self, operation: Operation) -> type[Any]:
        return self._catalog.model_of(_entity(operation))

    async def _pair(self, request: Request, by: Writing, operation: Operation) -> tuple[Any, Any]:
        row = await self._service_for(by).editable(self._named(request, by), key_share=True)
        model, keys = self._target(operation), target_keys(self._entity, _entity(operation))
        others = Repository(model, by.uow.session)
        named = select(model).where(*_conditions(model, keys)).params(_key_values(request, keys))
        other = await others.one_or_none(_referred_to(named, _entity(operation)))
        if other is None:
            raise NotFound(_entity(operation).title)
        return row, other

    def _held(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        columns = inspect(self._model).columns
        return {name: held(columns[name].type, value) for name, value in sent.items()}

    def _service_for(self, by: Writing) -> ResourceService[Any]:
        return self._service(by.uow, by.actor, self._model)

    # ----------------------------------------------------------------------------------------------- the parent's

    @property
    def _parent(self) -> tuple[type[Any], Entity]:
        entity = self._catalog.target(self._entity, self._entity.parent or "")
        return self._catalog.model_of(entity), entity

    @cached_property
    def _parent_row(self) -> Select[Any]:
        model, entity = self._parent
        return select(model).where(*_conditions(model, entity.keys))

    def _beneath_parent(self, rows: Select[Any]) -> Select[Any]:
        model, entity = self._parent
        parent = aliased(model)
        relation = inspect(self._model).relationships[self._entity.parent or ""]
        link = joined(inspect(self._model).selectable, relation, inspect(parent).selectable)
        return rows.where(
            exists(select(literal(1)).select_from(parent).where(*_conditions(parent, entity.keys), *link))
        )

    async def _given_by_parent(self, request: Request, by: Writing) -> dict[str, Any]:
        """The columns that refer to the row in the path. Raises `NotFound`."""
        if not self._entity.parent:
            return {}
        model, entity = self._parent
        named = self._parent_row.params(_key_values(request, entity.keys))
        parent = await Repository(model, by.uow.session).one_or_none(_referred_to(named, entity))
        if parent is None:
            raise NotFound(entity.title)
        mapper, of_parent = inspect(self._model), inspect(model)
        return {
            mapper.get_property_by_column(local).key: getattr(parent, of_parent.get_property_by_column(remote).key)
            for local, remote in mapper.relationships[self._entity.parent].local_remote_pairs or ()
        }


# What the statements call the user who asks.
_CALLER: Final = "caller_id"


def _parameter(key: Key) -> str:
    return f"key_{key.parameter}"


def _conditions(model: Any, keys: Sequence[Key]) -> list[Any]:
    """The row that the path names."""
    return [getattr(model, key.field) == bindparam(_parameter(key)) for key in keys]


def _key_values(request: Request, keys: Sequence[Key]) -> dict[str, Any]:
    """The keys in the path. Raises FastAPI's error for one that is none."""
    values: dict[str, Any] = {}
    problems: list[Any] = []
    for key in keys:
        text = request.path_params[key.parameter]
        try:
            values[_parameter(key)] = value_of(key.type, text)
        except ValueError as error:
            problems.append({"type": "value_error", "loc": ("path", key.parameter), "msg": told(error), "input": text})
    if problems:
        raise RequestValidationError(problems)
    return values


def _referred_to(wanted: Select[Any], entity: Entity) -> Select[Any]:
    """Locked against being deleted before what refers to it is there; a view has no rows of its own to lock."""
    return wanted.with_for_update(read=True, key_share=True) if entity.versioned else wanted


def _name(operation: Operation) -> str:
    assert operation.relation is not None  # noqa: S101  # for mypy: it is an operation of a relation
    return operation.relation.name


def _entity(operation: Operation) -> Entity:
    assert operation.target is not None  # noqa: S101  # as above
    return operation.target
