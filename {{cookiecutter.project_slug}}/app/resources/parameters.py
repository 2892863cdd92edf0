"""What lists and single rows understand, as OpenAPI tells it: for the `openapi_extra` of a route by hand, too."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from app.resources.catalog import Catalog
from app.resources.description import Entity, Field
from app.resources.queries import DEFAULT_LIMIT
from app.resources.query_reader import INCLUDE_DEPTH, MAX_LIMIT, MAX_VALUES
from app.resources.types import asked, operators
from app.resources.values import listed
from app.schemas.base import TEXT_PATTERN
from app.schemas.page import MAX_OFFSET

Json = dict[str, Any]

CONDITIONS: Final = "More conditions, each a parameter of its own: `?created_at__gte=…`"


@cache
def list_parameters(entity: Entity, catalog: Catalog) -> list[Json]:
    """What a list understands: for the `openapi_extra` of a route by hand, too."""
    parameters = [
        _query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            "How many at most",
        ),
        _query("skip", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET}, "How many to pass over"),
        _query("cursor", {"type": "string"}, "Where to go on: given by the `next` link, however deep it is"),
        _sort_parameter(entity),
        _query(
            "count", {"type": "string", "enum": ["exact", "estimated"]}, "Say in `X-Total-Count` how many there are"
        ),
    ]
    if searched := [field.name for field in entity.fields if field.searchable]:
        parameters.append(
            _query(
                "q",
                {"type": "string", "pattern": TEXT_PATTERN},
                f"Text to find in {' or '.join(searched)}, in any case",
            )
        )
    parameters += item_parameters(entity, catalog)
    filtered = [field for field in entity.fields if field.filterable]
    taken = {parameter["name"] for parameter in parameters}  # a field called `count` is asked for by `count__in`
    parameters += [
        _query(field.name, fragment(asked(field.type)), "")
        for field in filtered
        if field.type.kind != "array" and field.name not in taken
    ]
    if conditions(entity):
        name = "conditions" if "filter" in entity.by_name else "filter"  # of no meaning in the query itself
        filters = {"name": name, "in": "query", "required": False, "style": "form", "explode": True}
        # The example keeps /docs from proposing to try all of them at once.
        parameters.append(filters | {"example": {}} | {"schema": ref(entity, "Filter"), "description": CONDITIONS})
    return parameters


@cache
def item_parameters(entity: Entity, catalog: Catalog) -> list[Json]:
    """What a single row understands."""
    names = "|".join(field.name for field in entity.fields)
    parameters = [
        _query("fields", {"type": "string", "pattern": f"^({names})(,({names}))*$"}, "Only these, comma-separated")
    ]
    if included := list(_include_paths(entity, catalog, INCLUDE_DEPTH)):
        one = f"({'|'.join(path.replace('.', '[.]') for path in included)})"
        schema = {"type": "string", "pattern": f"^{one}(,{one})*$"}
        parameters.append(_query("include", schema, "Rows that it leads to, comma-separated, sent along"))
    return parameters


def _include_paths(entity: Entity, catalog: Catalog, depth: int) -> Iterator[str]:
    for relation in entity.relations if depth else ():
        if relation.included:
            yield relation.name
            below = _include_paths(catalog.target(entity, relation.name), catalog, depth - 1)
            yield from (f"{relation.name}.{path}" for path in below)


def _sort_parameter(entity: Entity) -> Json:
    names = [field.name for field in entity.fields if field.sortable]
    one = f"-?({'|'.join(names)})"
    schema = {"type": "string", "pattern": f"^{one}(,{one})*$", "default": entity.sort}
    return _query("sort", schema, "Comma-separated, `-` in front for descending")


def conditions(entity: Entity) -> Json:
    """What a list may be filtered by beside equality, as a schema by each name."""
    return {name: schema for field in entity.fields if field.filterable for name, schema in _conditions(field)}


def _conditions(field: Field) -> Iterator[tuple[str, Json]]:
    for operator in operators(field.type, nullable=field.nullable):
        if operator == "isnull":
            yield f"{field.name}__{operator}", {"type": "boolean"}
        elif operator in {"in", "nin"}:
            yield f"{field.name}__{operator}", listed(field.type, MAX_VALUES)
        else:
            yield f"{field.name}__{operator}", fragment(asked(field.type))


def _query(name: str, schema: Json, description: str) -> Json:
    said = {"description": description} if description else {}  # in both places, because each has its readers
    return {"name": name, "in": "query", "required": False, "schema": schema | said, **said}


def ref(entity: Entity, family: str) -> Json:
    """A reference to a schema of the entity: `TagRead`."""
    return {"$ref": f"#/components/schemas/{entity.name}{family}"}


@cache
def fragment(annotation: Any) -> Json:
    """The schema of a type, as Pydantic has it."""
    return TypeAdapter(annotation).json_schema()
