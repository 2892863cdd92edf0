"""The source of an entity's tests: a start, with values that are good, and others that are not."""

from typing import Any, Final

from app.models.resource import snake
from tools.scaffold import names
from tools.scaffold.entity import Entity
from tools.scaffold.grammar import Field, Type
from tools.scaffold.model import TEMPLATES
from tools.scaffold.rules import length

# One value, and another one, as JSON has them.
_VALUES: Final[dict[str, tuple[Any, Any]]] = {
    "int": (7, 8),
    "bigint": (7_000_000_000, 8),
    "float": (1.5, -2.25),
    "bool": (True, False),
    "date": ("2026-02-03", "2026-02-04"),
    "datetime": ("2026-02-03T04:05:06Z", "2026-02-03T04:05:07Z"),
    "time": ("04:05:06", "23:59:59"),
    "uuid": ("123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174001"),
    "json": ({"a": [1, None]}, []),
}
_WRONG: Final[dict[str, Any]] = {
    "text": 1,
    "int": 2**31,
    "bigint": 2**63,
    "float": "one",
    "decimal": "1,5",
    "bool": "perhaps",
    "date": "2026-02-30",
    "datetime": "2026-02-03T04:05:06",
    "time": "25:00:00",
    "uuid": "nobody",
    "enum": "there is no such word",
    "list": "no list",
}


def test_source(entity: Entity) -> str:
    """As ruff has to sort and shorten it yet."""
    sent = [field for field in entity.columns if field.type.kind != "json" or not field.nullable]
    return TEMPLATES.get_template("test.py.jinja").render(
        entity=entity,
        snake=snake,
        thing=names.a(names.words(entity.one)),
        things=names.words(entity.table),
        values=[(field.name, repr(_values(field)[0])) for field in sent],
        called={one.name: f"Some{one.name}" if _is_another(one.name) else one.name for one in entity.required},
        ids=any(ref.target.name != "User" for ref in entity.referred),
        keys=[(ref.column, _id(ref.target.name)) for ref in entity.referred],
        changed=next((f"{field.name!r}: {_values(field)[1]!r}" for field in entity.columns), ""),
        queries=_queries(entity),
        included=[ref for ref in (*entity.referred, *([entity.owner] if entity.owner else [])) if ref.target.shown],
        required=[field.name for field in entity.columns if not field.nullable and field.default is None]
        + [ref.column for ref in entity.sent_refs if not ref.field.nullable],
        wrong=list(_wrong(entity)),
        unique=any(field.unique for field in (*entity.columns, *(ref.field for ref in entity.refs))),
        scoped_refs=any(ref.target.scoped for ref in entity.referred),
    )


def _is_another(name: str) -> bool:
    """Whether the name is another thing's in a module of tests: pytest itself takes what begins with Test."""
    return name.startswith("Test") or name in {"People", "Person", "Role"}


def _id(target: str) -> str:
    return "ada.user.id" if target == "User" else f'ids["{snake(target)}_id"]'


def _values(field: Field) -> tuple[Any, Any]:
    """One that is good, and another one."""
    of = field.type
    match of.kind:
        case "str" | "text":
            words = names.words(field.name)
            return _text(f"Some {words}", "a", of), _text(f"Another {words}", "b", of)
        case "decimal":
            return _number(of, "5"), _number(of, "25")
        case "enum":
            return of.choices[0], of.choices[-1]
        case "list" if of.item:
            return list(_values(Field(field.name, of.item))), []
    return _VALUES[of.kind]


def _text(text: str, letter: str, of: Type) -> str:
    longest = length(of) if of.kind == "str" else len(text)
    return text if len(text) <= longest else letter * longest


def _number(of: Type, digits: str) -> str:
    """With as many digits behind the point as the column keeps, because that is what it gives back."""
    precision, scale = (*of.sizes, 0)[:2] if of.sizes else (1000, 2)
    whole = "1" if precision > scale else "0"
    return f"{whole}.{digits[:scale].ljust(scale, '0')}" if scale else whole


def _queries(entity: Entity) -> list[str]:
    """What finds the row: by its order, by a word, and by the first field that can stand in a query as it is."""
    found = ["sort=id"]
    for field in entity.columns:
        if field.type.kind in {"int", "bigint", "enum", "date", "uuid"}:
            found.append(f"{field.name}={_values(field)[0]}")
            break
    if searchable := [field for field in entity.columns if field.type.kind in {"str", "text"}]:
        found.append(f"q={_values(searchable[0])[0].split()[0]}")
    return found


def _wrong(entity: Entity) -> Any:
    for field in entity.columns:
        if field.type.kind == "str":
            yield field.name, f'"x" * {length(field.type) + 1}'
        elif field.type.kind in _WRONG:
            yield field.name, repr(_WRONG[field.type.kind])
        if not field.nullable and field.type.kind != "json":
            yield field.name, "None"
    for ref in entity.sent_refs:
        yield ref.column, '"nobody"'
    yield from (("id", "1"), ("workspace_id", "1"))
