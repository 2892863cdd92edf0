"""Text of Python: types as annotations, and the imports that a text needs."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from app.resources.description import Field, Key, Type

_SENT: Final = {
    "boolean": "Bool",
    "smallint": "SmallInt",
    "integer": "Int",
    "bigint": "BigInt",
    "float": "Float",
    "uuid": "UUID",
    "date": "Date",
    "time": "Time",
    "datetime": "Moment",
    "local-datetime": "LocalMoment",
    "interval": "Duration",
    "json": "Json",
    "string": "str",
}
_SHOWN: Final = {
    "boolean": "bool",
    "smallint": "int",
    "integer": "int",
    "bigint": "int",
    "float": "float",
    "decimal": "Number",
    "date": "date",
    "time": "Clock",
    "datetime": "datetime",
    "local-datetime": "LocalInstant",
    "interval": "Duration",
    "string": "str",
    "uuid": "UUID",
    "json": "Json",
}
_BITS: Final = {"smallint": 16, "integer": 32, "bigint": 64}

_MODULES: Final = {
    "collections.abc": "Sequence",
    "datetime": "date datetime time timedelta",
    "decimal": "Decimal",
    "typing": "Annotated Any Literal",
    "uuid": "UUID",
    "fastapi": "Depends Path Request Response status",
    "pydantic": "Field",
    "sqlalchemy": "Select select tuple_",
    "sqlalchemy.orm": "aliased",
    "app.auth.dependencies": (
        "CurrentUser OptionalCaller Superuser Viewer WorkspaceReads WorkspaceUow Writer require_role"
    ),
    "app.auth.membership": "Actor Member",
    "app.database.unit_of_work": "UnitOfWork",
    "app.dependencies": "Expected Id Reads Uow",
    "app.errors": "Conflict Forbidden Invalid NotFound Stale Unauthenticated",
    "app.headers": "announced conditional",
    "app.idempotency": "IdempotentRoute Once",
    "app.models.user": "User",
    "app.problems": "documented",
    "app.repositories.base": "Repository Versions",
    "app.resources.collection": "Collection",
    "app.roles": "Role",
    "app.routing": "Router",
    "app.schemas.base": "Input NOT_SENT OneOrMany Output Patch TEXT_PATTERN as_list",
    "app.schemas.types": (
        "BigInt Bool Clock Date Digits Duration Float Int Json LocalInstant LocalMoment Moment Number SmallInt Time"
    ),
    "app.services.resource": "ResourceService",
    "tests.people": "People Person",
    "tests.rows": "make_row",
}
_WHERE: Final = {name: module for module, names in _MODULES.items() for name in names.split()}
# Names of modules that are imported whole.
_WHOLE: Final = {"httpx", "pytest", "itertools"}


def sent(of: Type) -> str:
    """The annotation of what a client sends."""
    match of.kind:
        case "string" if of.length or of.least:
            limits = {"min_length": of.least, "max_length": of.length}
            said = ", ".join(f"{name}={limit}" for name, limit in limits.items() if limit)
            return f"Annotated[str, Field({said})]"
        case "enum":
            return f"Literal[{', '.join(map(quoted, of.choices))}]"
        case "decimal":
            digits = f"{of.precision}, {of.scale or 0}" if of.precision else ""
            return f"Annotated[Decimal, Digits({digits})]"
        case "array" if of.item:
            return f"list[{sent(of.item)}]"
    return _SENT[of.kind]


def shown(of: Type) -> str:
    """The annotation of what a client receives."""
    if of.item:
        return f"list[{shown(of.item)} | None]"
    return sent(of) if of.kind == "enum" else _SHOWN[of.kind]


def asked(key: Key) -> str:
    """The annotation of a key in a path."""
    if bits := _BITS.get(key.type.kind):
        return f"Annotated[int, Path(ge=-(2**{bits - 1}), le=2**{bits - 1} - 1)]"
    if key.type.kind == "id":
        return "Id"
    if key.type.kind == "float":
        return "Annotated[float, Path(allow_inf_nan=False)]"
    if key.type.kind == "string":
        return 'Annotated[str, Path(json_schema_extra={"pattern": TEXT_PATTERN})]'
    return {"boolean": "bool"}.get(key.type.kind, sent(key.type))


def plain(key: Key) -> str:
    """The type of a key, where it is none of a path."""
    if key.type.kind in {"id", "float"}:
        return {"id": "int", "float": "float"}[key.type.kind]
    return {"decimal": "Decimal"}.get(key.type.kind, _SHOWN.get(key.type.kind, "str"))


def nullable(annotation: str, field: Field) -> str:
    return f"{annotation} | None" if field.nullable else annotation


def quoted(text: str) -> str:
    """A string literal: one of JSON is one of Python too."""
    return json.dumps(text, ensure_ascii=False)


def names_of(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives to something."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def imports(body: str, own: Mapping[str, tuple[str, str]]) -> list[str]:
    """An import for each name that the text uses. `own` are names beside those that all projects have."""
    tree = ast.parse(body)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(names_of(tree))
    lines = [f"import {name}" for name in sorted(used & _WHOLE)]
    for name in sorted(used):
        module, what = own.get(name) or (_WHERE.get(name, ""), name)
        if module:
            lines.append(f"from {module} import {what}")
    return lines


def with_imports(body: str, own: Mapping[str, tuple[str, str]], head: str = "") -> str:
    """The text with what it has to import."""
    return "\n".join([head, *imports(body, own), "", body])


def formatted(text: str, name: str) -> str:
    """As the project's formatter has it, with its imports in order and none that is not used."""
    for command in (["check", "--select", "I,F401,F811", "--fix-only", "--quiet"], ["format"]):
        arguments = [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"]
        text = subprocess.run(arguments, input=text, check=True, capture_output=True, encoding="utf-8").stdout
    return text


def is_known(name: str) -> bool:
    """Whether the name means something in every project."""
    return name in _WHERE


def is_generated(module: str) -> bool:
    """Whether a schema of this module was made from a model."""
    return module.startswith("app.resources.")
