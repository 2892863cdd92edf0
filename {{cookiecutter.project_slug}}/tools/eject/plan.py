"""What an entity becomes: which files, with which text."""

import importlib
import inspect as python
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from app.config import ROOT
from app.idempotency import IdempotentRoute
from app.models.resource import Access
from app.resources.collection import Collection
from app.resources.description import Entity
from app.resources.operations import operations
from app.resources.overrides import shape
from app.resources.runtime import Runtime
from app.services.resource import ResourceService
from tools.eject import files, source, tests
from tools.eject.files import EjectError
from tools.eject.routers import RouterWriter
from tools.eject.schemas import schemas
from tools.eject.services import class_of, service
from tools.eject.subject import Subject, class_name


@dataclass
class Plan:
    """New texts of files, by their paths from the project's root, and what is to be said about it.

    `models` are the files that only learn that the routes are written by hand.
    """

    texts: dict[Path, str] = field(default_factory=dict)
    models: set[Path] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def read(self, path: Path) -> str:
        """The text as it is going to be so far; nothing for a file that is not there."""
        if path in self.texts:
            return self.texts[path]
        return (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else ""


class Planner:
    """Plans for entities of an application."""

    def __init__(self, app: FastAPI) -> None:
        self._runtime: Runtime = app.state.runtime
        self._by_hand = list(_written(app.routes))
        found = {service.model: service for service in ResourceService.__subclasses__()}
        self._services: dict[type[Any], type[ResourceService[Any]]] = found

    def plan(self, entities: Iterable[Entity]) -> Plan:
        """Raises `EjectError` for what does not fit in with what is there."""
        plan = Plan()
        for entity in entities:
            self._add(self._subject(entity), plan)
        return plan

    def _add(self, subject: Subject, plan: Plan) -> None:
        _write_schemas(subject, plan)
        if subject.own_service:
            _write_service(subject, plan)
        self._unmark(subject, plan)
        _write_router(subject, plan)
        _write_tests(subject, plan)
        model = Path(python.getfile(subject.model)).relative_to(ROOT)
        plan.texts[model] = files.without_routes(model, plan.read(model), subject.model.__name__)
        plan.models.add(model)

    def _subject(self, entity: Entity) -> Subject:
        catalog = self._runtime.catalog
        remaining = [operation for operation in self._runtime.operations if operation.entity is entity]
        hooks = self._services.get(catalog.model_of(entity))
        if hooks is None and entity.owner and entity.write is Access.anyone:
            hooks = ResourceService
        return Subject(entity, catalog, remaining, hooks)

    def _unmark(self, subject: Subject, plan: Plan) -> None:
        """Nothing is overridden any more."""
        shapes = {shape(one.method, one.path) for one in operations(subject.entity, subject.catalog)}
        marked: dict[Path, list[str]] = {}
        for found, endpoint in self._by_hand:
            if found in shapes and getattr(endpoint, "__overrides__", False):
                path = Path(python.getfile(endpoint)).relative_to(ROOT)
                marked.setdefault(path, []).append(endpoint.__name__)
        for path, functions in marked.items():
            text = files.without_marks(plan.read(path), functions)
            plan.texts[path] = source.formatted(text, str(path))
            plan.said.append(f"{path}: {', '.join(functions)} stays, without @overrides")


def _written(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, Any]]:
    for context in iter_route_contexts(list(routes)):
        route = context.original_route
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                yield shape(method, context.path_format or ""), route.endpoint


def _path(module: str) -> Path:
    return Path(*module.split(".")).with_suffix(".py")


def _write_schemas(subject: Subject, plan: Plan) -> None:
    path = _path(subject.schema_module)
    existing = files.defined(plan.read(path))
    shown = subject.catalog.read_schema(subject.entity)
    if not source.is_generated(shown.__module__):
        existing.add(shown.__name__)
    text = schemas(subject, existing).strip("\n")
    if text:
        plan.texts[path] = _added(plan, path, "", text, {})


def _write_service(subject: Subject, plan: Plan) -> None:
    path = _path(subject.service_module)
    if class_of(subject) in files.defined(plan.read(path)):
        raise EjectError(
            f"{path} has a {class_of(subject)} that is no ResourceService: make it one, or give it another name"
        )
    plan.texts[path] = _added(plan, path, "", service(subject), RouterWriter(subject, "").names())


def _write_router(subject: Subject, plan: Plan) -> None:
    if not subject.operations:
        return
    path = _path(subject.router_module)
    tag = source.quoted(subject.entity.path.strip("/"))
    if not (ROOT / path).exists():
        nested = subject.parent is not None
        prefix = "" if nested else subject.entity.path
        said = "" if nested else f"prefix={source.quoted(prefix)}, "
        writer = RouterWriter(subject, prefix)
        body = writer.endpoints()
        made = f"router = Router({said}tags=[{tag}], route_class=IdempotentRoute)"
        plan.texts[path] = _added(plan, path, f"{made}\n{writer.head()}", body, writer.names())
        return
    module = importlib.import_module(subject.router_module)  # noqa: TID251  # the one that is ejected
    router = module.router
    _refuse_other(path, router, subject)
    known = {class_name(value.model): name for name, value in vars(module).items() if isinstance(value, Collection)}
    writer = RouterWriter(subject, router.prefix, known)
    body = writer.endpoints()
    names = writer.names()
    text = plan.read(path)
    own = known.get(class_name(subject.model))
    if own:
        text = files.collection_with(text, own, f"{subject.entity.name}Read")
    plan.texts[path] = files.amended(path, text, writer.head(), body, names)
    plan.said.append(f"{path}: {len(subject.operations)} endpoints more, beside what is there")


def _refuse_other(path: Path, router: APIRouter, subject: Subject) -> None:
    way_out = f"rename {path}, and {subject.entity.name} gets a module of its own"
    if any(not one.path.startswith(router.prefix) for one in subject.operations):
        raise EjectError(f"{path} has a router for {router.prefix}, which not all routes begin with: {way_out}")
    if router.tags != [subject.entity.path.strip("/")]:
        raise EjectError(f"{path} has a router with other tags than {subject.entity.path.strip('/')!r}: {way_out}")
    if subject.does("create") and router.route_class is not IdempotentRoute:
        raise EjectError(f"{path} has a router without route_class=IdempotentRoute: give it that, or {way_out}")


def _write_tests(subject: Subject, plan: Plan) -> None:
    if (ROOT / subject.test_file).exists():
        plan.said.append(f"{subject.test_file} is there already and stays as it is")
        return
    missing = tests.cannot_be_made(subject)
    if missing:
        plan.said.append(f"No tests: {missing}")
        return
    text = tests.module(subject)
    plan.texts[subject.test_file] = source.formatted(text, str(subject.test_file))


def _added(plan: Plan, path: Path, head: str, body: str, names: dict[str, tuple[str, str]]) -> str:
    return files.amended(path, plan.read(path), head, body, names)
