"""The generated operations in OpenAPI, made from the description alone: no endpoint has to exist for it.

It says what FastAPI would say of the same endpoints written by hand, which is what `eject` is held to.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from app import errors, headers
from app.models.resource import Access
from app.resources.catalog import Catalog
from app.resources.description import Entity, Field, Key, Kind, Taken
from app.resources.operations import Does, Operation, target_keys
from app.resources.parameters import CONDITIONS, conditions, fragment, item_parameters, list_parameters, ref
from app.resources.types import asked, sent, shown
from app.schemas.base import MOST_AT_ONCE, document_text

Json = dict[str, Any]

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS: Final[dict[Does, tuple[type[errors.Error], ...]]] = {
    "list": (errors.Invalid,),
    "read": (errors.NotFound, errors.Invalid),
    "create": (errors.Conflict, errors.Invalid),
    "update": (errors.NotFound, errors.Conflict, errors.Stale, errors.Invalid),
    "delete": (errors.NotFound, errors.Conflict, errors.Stale, errors.Invalid),
    "list_related": (errors.NotFound, errors.Invalid),
    "read_related": (errors.NotFound, errors.Invalid),
    "link": (errors.NotFound, errors.Invalid),
    "unlink": (errors.NotFound, errors.Invalid),
}


def errors_of(operation: Operation) -> tuple[type[errors.Error], ...]:
    """What may go wrong, in the order of the statuses."""
    raised: set[type[errors.Error]] = {errors.Unauthenticated, *_ERRORS[operation.does]}
    if operation.access is not Access.anyone or operation.method != "GET":  # cross-site writes are forbidden to all
        raised.add(errors.Forbidden)
    if operation.entity.parent and operation.does in {"list", "create"}:
        raised.add(errors.NotFound)
    return tuple(sorted(raised, key=lambda error: error.status))


def headers_of(operation: Operation) -> tuple[int, tuple[str, ...]]:
    """The status of success, and the headers that come with it."""
    version = ("ETag",) if (operation.target or operation.entity).versioned else ()
    match operation.does:
        case "list" | "list_related":
            return 200, ("ETag", "Link", "X-Total-Count")
        case "read" | "read_related":
            return 200, ("ETag",)
        case "update":
            return 200, version
        case "create":
            return 201, (*version, "Location")
    return 204, ()


def describe(operation: Operation, security: list[Json], catalog: Catalog) -> Json:
    """The operation, as it stands under its path and method."""
    described: Json = {
        "tags": [operation.entity.path.strip("/")],
        "summary": operation.name.replace("_", " ").title(),
        "description": operation.sentence,
        "operationId": operation.name,
        "security": [*security, {}] if operation.access is Access.anyone else security,
        "parameters": [*_path_parameters(operation, catalog), *_header_parameters(operation)],
        "responses": {
            **_success(operation),
            **{
                str(int(error.status)): {"description": (error.__doc__ or "").splitlines()[0], "content": _PROBLEM}
                for error in errors_of(operation)
            },
            "default": {"description": "Any other error", "content": _PROBLEM},
        },
    }
    shown_entity = operation.target or operation.entity
    if operation.does in {"list", "list_related"}:
        described["parameters"] += list_parameters(shown_entity, catalog)
    elif operation.does in {"read", "read_related"}:
        described["parameters"] += item_parameters(shown_entity, catalog)
    if operation.does in {"create", "update"}:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(operation)}}}
    if not described["parameters"]:
        del described["parameters"]
    if role := operation.access.role:
        described["description"] += f"\n\nTakes the role `{role}` in the active workspace."
        described["x-required-role"] = role.value
    return described


# ------------------------------------------------------------------------------------------------------- parameters


def _path_parameters(operation: Operation, catalog: Catalog) -> Iterator[Json]:
    entity = operation.entity
    if entity.parent and operation.does in {"list", "create"}:
        yield from map(_path_parameter, catalog.target(entity, entity.parent).keys)
    elif operation.does not in {"list", "create"}:
        yield from map(_path_parameter, entity.keys)
    if operation.does in {"link", "unlink"} and operation.target:
        yield from map(_path_parameter, target_keys(entity, operation.target))


def _path_parameter(key: Key) -> Json:
    return {"name": key.parameter, "in": "path", "required": True, "schema": fragment(asked(key.type))}


_NAMED: Final = "Names this request, for a day: sent again under the same name it is answered and not done again"
_KEY_OF_REQUEST: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$", "description": _NAMED},
    "description": _NAMED,
}
_VERSION: Final = "The `ETag` that the row was read with: if the row has changed since, nothing is done"
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "description": _VERSION},
    "description": _VERSION,
}


def _header_parameters(operation: Operation) -> list[Json]:
    if operation.does == "create":
        return [_KEY_OF_REQUEST]
    return [_IF_MATCH] if operation.does in {"update", "delete"} else []


# -------------------------------------------------------------------------------------------------- bodies, answers


def _body(operation: Operation) -> Json:
    if operation.does == "update":
        return ref(operation.entity, "Update")
    one = ref(operation.entity, "Create")
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_AT_ONCE}]}


def _success(operation: Operation) -> Json:
    status, announced = headers_of(operation)
    answer: Json = {"description": "Successful Response"}
    if schema := _shown(operation):
        answer["content"] = {"application/json": {"schema": schema}}
    if announced:
        answer["headers"] = headers.described(*announced)
    if is_conditional(operation):
        names = (name for name in announced if name != "ETag")
        return {str(status): answer, "304": headers.conditional(*names)[304]}
    return {str(status): answer}


def is_conditional(operation: Operation) -> bool:
    """Whether a client that knows the answer is told so."""
    return operation.does in {"list", "list_related", "read", "read_related"}


def _shown(operation: Operation) -> Json | None:
    entity = operation.target or operation.entity
    whole = ref(entity, "Read")
    either = {"anyOf": [whole, ref(entity, "Part")]}
    match operation.does:
        case "list" | "list_related":
            return {"type": "array", "items": either}
        case "read" | "read_related":
            return either
        case "create":
            return {"anyOf": [whole, {"type": "array", "items": whole}]}
        case "update":
            return whole
    return None


# ---------------------------------------------------------------------------------------------------------- schemas


def schemas(entity: Entity, catalog: Catalog) -> Json:
    """The schemas of the entity, by their names."""
    created = [field for field in entity.fields if field.created is not Taken.never]
    read = {field.name: _nullable(shown(field.type), field) for field in entity.fields}
    part = deepcopy(read)
    for relation in entity.relations:
        if relation.included:
            target = ref(catalog.target(entity, relation.name), "Read")
            one = {"anyOf": [target, {"type": "null"}]}
            either = one if relation.nullable or relation.kind is Kind.one_to_one else target
            part[relation.name] = {"type": "array", "items": target} if relation.kind.many else either
    return {
        f"{entity.name}Filter": {
            "type": "object",
            "description": CONDITIONS,
            "properties": conditions(entity),
            "additionalProperties": False,
        },
        f"{entity.name}Create": _input(created, [field.name for field in created if field.created is Taken.required]),
        f"{entity.name}Update": _input([field for field in entity.fields if field.updated], []),
        f"{entity.name}Read": {"type": "object", "properties": read, "required": list(read)},
        f"{entity.name}Part": {"type": "object", "properties": part},
    }


def _input(fields: list[Field], required: list[str]) -> Json:
    properties = {field.name: deepcopy(_nullable(sent(field.type), field)) for field in fields}
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    document_text(schema)
    return schema | {"required": required} if required else schema


def _nullable(annotation: Any, field: Field) -> Json:
    return fragment(annotation | None) if field.nullable else fragment(annotation)
