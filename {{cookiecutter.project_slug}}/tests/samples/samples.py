"""What the tests of samples have in hand: an application, somebody who may write, and rows that may be made."""

import itertools
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import httpx
from fastapi import FastAPI
from pydantic import TypeAdapter
from sqlalchemy import CHAR, REAL, inspect

from app.models.resource import Access
from app.resources.catalog import Catalog, catalog_of
from app.resources.description import Entity, Field, Kind, Relation, Taken, Type
from tests.rows import example
from tests.samples.northwind import Northwind
from tests.samples.oddities import Oddities
from tests.samples.pagila import Pagila

SAMPLES: Final[dict[str, type[Any]]] = {"pagila": Pagila, "northwind": Northwind, "oddities": Oddities}

Json = dict[str, Any]
_PARSED: Final[dict[str, Any]] = {
    "decimal": Decimal,
    "date": date,
    "time": time,
    "datetime": datetime,
    "local-datetime": datetime,
    "interval": timedelta,
}


@dataclass
class Sample:
    """A served sample."""

    app: FastAPI
    client: httpx.AsyncClient
    base: type[Any]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _some: dict[str, Json] = field(default_factory=dict)

    @property
    def catalog(self) -> Catalog:
        return catalog_of(self.base)

    @property
    def entities(self) -> list[Entity]:
        return list(self.catalog.entities.values())

    @property
    def written(self) -> list[Entity]:
        """Those whose rows may be made."""
        return [entity for entity in self.entities if entity.write is not Access.nobody]

    def entity(self, name: str) -> Entity:
        return self.catalog.entities[name]

    def model(self, entity: Entity) -> Any:
        return self.catalog.model_of(entity)

    # ------------------------------------------------------------------------------------------------------- paths

    def path(self, entity: Entity, row: Mapping[str, Any]) -> str:
        """Where the row is."""
        return "/".join((entity.path, *(quote(str(row[key.field]), safe="") for key in entity.keys)))

    def listed(self, entity: Entity, row: Mapping[str, Any]) -> str:
        """Where rows like this one are listed and made."""
        if not entity.parent:
            return entity.path
        parent = self.catalog.target(entity, entity.parent)
        keys = {there: row[here] for here, there in self.references(entity, entity.relation(entity.parent)).items()}
        return f"{self.path(parent, keys)}{entity.path}"

    # ------------------------------------------------------------------------------------------------------- rows

    def references(self, entity: Entity, relation: Relation) -> dict[str, str]:
        """Which field of the row is which of the row that a many-to-one relation leads to."""
        return references(self.model(entity), relation.name)

    async def neighbours(self, entity: Entity) -> Json:
        """New rows that a row may refer to: for each field that refers to one, its value."""
        found: Json = {}
        for relation in entity.relations:
            target = self.catalog.target(entity, relation.name)
            if relation.kind is Kind.many_to_one and target is not entity:
                references = self.references(entity, relation)
                needed = any(not entity.by_name[name].nullable for name in references)
                if needed or target.name != "Staff":  # whose store is this one
                    row = await self.some(target.name)
                    found |= {here: row[there] for here, there in references.items()}
        return found

    async def some(self, name: str) -> Json:
        """A row, the same each time."""
        if name not in self._some:
            self._some[name] = await self.make(name)
        return self._some[name]

    async def make(self, name: str, /, **given: Any) -> Json:
        """A new row, with what it needs: made over HTTP. Fields of the parent may be given, too."""
        entity = self.entity(name)
        values = await self.required(entity, given) | given
        taken = {one.name for one in entity.fields if one.created is not Taken.never}
        body = {name: value for name, value in values.items() if name in taken}
        response = await self.client.post(self.listed(entity, values), json=body)
        assert response.status_code == 201, (name, body, response.text)
        made: Json = response.json()
        return made

    async def required(self, entity: Entity, given: Mapping[str, Any]) -> Json:
        """What a new row has to have, beside what is given."""
        values: Json = {}
        for relation in entity.relations:
            if relation.kind is not Kind.many_to_one:
                continue
            references = self.references(entity, relation)
            if any(entity.by_name[name].nullable for name in references) or references.keys() <= given.keys():
                continue
            target = self.catalog.target(entity, relation.name).name
            alone = not references.keys() & {key.field for key in entity.keys}
            row = await (self.some(target) if alone else self.make(target))
            values |= {here: row[there] for here, there in references.items()}
        for one in entity.fields:
            if one.created is Taken.required and one.name not in values:
                values[one.name] = self.plain(one.type)
        return values

    def plain(self, of: Type) -> Any:  # noqa: PLR0911  # one line for each type
        """A value that no other row has, where that is possible."""
        number = next(self._numbers)
        match of.kind:
            case "string":
                return f"{number:05}"
            case "smallint" | "integer" | "bigint":
                return 1950 + number % 200
            case "date":
                return (date(2026, 1, 1) + timedelta(days=number)).isoformat()
            case "datetime":
                return (datetime(2026, 1, 1) + timedelta(hours=number)).isoformat() + "Z"  # noqa: DTZ001  # the Z says it
            case "enum":
                return of.choices[number % len(of.choices)]
            case "array" if of.item:
                return [self.plain(of.item)]
        return example(of, "")

    async def get(self, path: str, **parameters: Any) -> Any:
        """What is there."""
        response = await self.client.get(path, params=parameters)
        assert response.status_code == 200, (path, parameters, response.text)
        return response.json()

    # ---------------------------------------------------------------------------------------------------- meaning

    def same(self, entity: Entity, row: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
        """The fields in which the row is something else than what was sent."""
        columns = inspect(self.model(entity)).columns
        return [
            f"{name}: {row[name]!r} for {value!r}"
            for name, value in sent.items()
            if meaning(entity.by_name[name], columns[name].type, row[name])
            != meaning(entity.by_name[name], columns[name].type, value)
        ]


@cache
def references(model: Hashable, relation: str) -> dict[str, str]:
    mapper: Any = inspect(model)
    found = mapper.relationships[relation]
    return {
        mapper.get_property_by_column(here).key: found.mapper.get_property_by_column(there).key
        for here, there in found.local_remote_pairs
    }


def meaning(of: Field, column: Any, value: Any) -> Any:
    """What the JSON of a field stands for."""
    return _meaning(of.type, column, value)


def _meaning(of: Type, column: Any, value: Any) -> Any:
    if value is None:
        return None
    if of.item is not None:
        return [_meaning(of.item, column.item_type, one) for one in value]
    if of.kind in _PARSED:
        return _adapter(of.kind).validate_python(value)
    if isinstance(column, CHAR):  # which does not know blanks at its end
        return value.rstrip(" ")
    if isinstance(column, REAL):
        return TypeAdapter(float).validate_python(f"{value:.6g}")
    return value


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_PARSED[kind])
