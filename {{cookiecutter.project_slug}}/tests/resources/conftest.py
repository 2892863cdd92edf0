"""Applications for models that a test makes up, with tables in the test's own transaction."""

import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import BigInteger, Column, Identity, MetaData, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app import contract, problems
from app.config import Settings
from app.database.database import Database
from app.middleware.head import Head
from app.middleware.request_context import RequestContext
from app.middleware.trailing_slash import TrailingSlash
from app.models.base import Declarative
from app.models.resource import Resource
from app.resources import runtime
from app.resources.catalog import catalog_of
from app.routers import users
from tests.contract import ContractTransport
from tests.people import People


class Keyed:
    """A key that the server makes."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-1)


def new_metadata() -> MetaData:
    """Apart from the application's own, with what the mixins of `app.models.base` refer to."""
    metadata = MetaData(naming_convention=Declarative.metadata.naming_convention)
    for known in ("users", "workspaces"):
        Table(known, metadata, Column("id", BigInteger, primary_key=True), info={"known": True})
    return metadata


def new_base() -> type[DeclarativeBase]:
    """A declarative base like the application's, for models that nobody else sees."""

    class Made(DeclarativeBase):
        metadata = new_metadata()
        type_annotation_map = Declarative.type_annotation_map
        __mapper_args__ = Declarative.__mapper_args__
        models: ClassVar[list[Any]] = []  # SQLAlchemy holds them weakly, and tests drop what they have made

        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.models.append(cls)

    return Made


def assemble(base: type[DeclarativeBase], settings: Settings, *routers: APIRouter) -> FastAPI:
    """An application that serves the models of the base, and these routers by hand."""
    app = FastAPI(
        title="Made up",
        redirect_slashes=False,
        generate_unique_id_function=contract.operation_id,
        responses=problems.ANY_OTHER,
    )
    app.state.settings = settings
    problems.install(app)
    contract.install(app)
    by_hand = (users.router, *routers)
    for router in by_hand:
        app.include_router(router)
    runtime.install(app, catalog_of(base), by_hand)
    for middleware in (Head, TrailingSlash, RequestContext):
        app.add_middleware(middleware)
    return app


# Put together once for each base: that takes longer than a test.
_assembled: WeakKeyDictionary[type[DeclarativeBase], FastAPI] = WeakKeyDictionary()


@dataclass(frozen=True)
class World:
    """An application, people with accounts, and a client without one."""

    app: FastAPI
    people: People
    client: httpx.AsyncClient


Serve = Callable[..., Awaitable[World]]


@pytest.fixture
async def serve(settings: Settings, database: Database, connection: AsyncConnection) -> Serve:
    """Makes the tables of a base, and an application that serves it: a new one where there are routers by hand."""

    async def make(base: type[DeclarativeBase], *routers: APIRouter) -> World:
        app = assemble(base, settings, *routers) if routers or base not in _assembled else _assembled[base]
        if not routers:
            _assembled[base] = app
        app.state.database = database
        tables = [table for table in base.metadata.sorted_tables if not table.info.get("known")]
        await connection.run_sync(base.metadata.create_all, tables=tables)
        client = httpx.AsyncClient(transport=ContractTransport(app), base_url="http://test")
        return World(app, People(app, database, settings), client)

    return make


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Writes a module into a package of the application, where it is found like any other."""
    names: list[str] = []

    def write(package: Any, source: str) -> None:
        name = f"made_up_{tmp_path.name.replace('-', '_')}_{len(names)}"
        names.append(f"{package.__name__}.{name}")
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])

    yield write
    for name in names:
        sys.modules.pop(name, None)
    gc.collect()


def thing_of(base: Any, resource: Resource | None, *mixins: type[Any], name: str = "Thing", **more: Any) -> Any:
    columns = {"title": mapped_column(String(50), nullable=True)} | more
    said = {"__tablename__": f"{name.lower()}s"} | ({"__resource__": resource} if resource else {})
    return type(name, (*mixins, Keyed, base), said | columns)
