"""What an entity may say of itself: types, signs and defaults that a column can have."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.models.resource import snake
from app.resources import types, values
from app.resources.declaration import SECRET
from app.resources.description import Type as Served
from tools.scaffold import names
from tools.scaffold.grammar import Field, Refused, Spec, Type

_NEVER_UNIQUE: Final = {"bool", "enum", "float", "json", "list", "many", "text"}
# Four bytes for a character, and an index takes 2,704 for a row.
_LONGEST_UNIQUE: Final = 600
DEFAULT_LENGTH: Final = 200
_LONGEST_SENTENCE: Final = 100


def check(specs: Iterable[Spec]) -> None:
    """What can be told without a look at the project. Raises `Refused`."""
    seen: set[str] = set()
    for spec in specs:
        _check(spec)
        if snake(spec.name) in seen:
            raise Refused(f"{spec.name} is there twice")
        seen.add(snake(spec.name))


def _check(spec: Spec) -> None:
    names.check_entity(spec.name)
    if not spec.fields:
        raise Refused(f"{spec.name} has no fields: write at least one, such as name:str")
    if spec.sentence and (
        len(spec.sentence) > _LONGEST_SENTENCE or not spec.sentence.isprintable() or set(spec.sentence) & {'"', "\\"}
    ):
        raise Refused(
            f"{spec.name}: `is` is not one line of {_LONGEST_SENTENCE} characters without quotes and backslashes"
        )
    if spec.plural:
        names.check_field(f"{spec.name}: the plural {spec.plural}", spec.plural)
    seen: set[str] = set()
    for field in spec.fields:
        where = f"{spec.name}.{field.name}"
        for name in _taken(field):
            names.check_field(f"{spec.name}.{name}", name)
        if seen & set(_taken(field)):
            raise Refused(f"{where} is there twice")
        seen |= set(_taken(field))
        _check_field(where, field)


def _taken(field: Field) -> list[str]:
    """The attributes that a field becomes."""
    return [field.name, f"{field.name}_id"] if field.type.kind == "ref" else [field.name]


def _check_field(where: str, field: Field) -> None:
    kind = field.type.kind
    if kind in {"ref", "many"} and field.name.endswith("_id"):
        raise Refused(f"{where} gets its _id by itself: call it {field.name.removesuffix('_id')}")
    if any(SECRET.search(name) for name in _taken(field)):
        raise Refused(f"{where} is named like a secret, which is never shown or taken: choose another name")
    if kind == "enum":
        names.check_words(where, field.type.choices)
    if kind == "many" and (field.nullable or field.unique):
        raise Refused(f"{where}: many takes no ? and no !")
    if field.unique and kind in _NEVER_UNIQUE:
        raise Refused(f"{where}: {kind} cannot be unique")
    if field.unique and kind == "str" and length(field.type) > _LONGEST_UNIQUE:
        raise Refused(f"{where} is too long to be unique: str:{_LONGEST_UNIQUE} at most")
    if field.default is not None:
        _check_default(where, field)


def _check_default(where: str, field: Field) -> None:
    of, text = field.type, field.default or ""
    if of.kind in {"ref", "many"} or field.unique:
        raise Refused(f"{where}: what is {'unique' if field.unique else of.kind} takes no default")
    if (of.kind, text) in {("datetime", "now"), ("list", "[]")}:
        return
    if of.kind == "list":
        raise Refused(f"{where}: the default of a list is [] or none")
    try:
        if of.kind == "json":
            TypeAdapter(dict[str, Any] | list[Any]).validate_json(text)
        elif of.kind in {"str", "text", "decimal", "enum"}:
            TypeAdapter(types.sent(served(of))).validate_python(text)
        else:
            values.value_of(served(of), text)
    except (ValidationError, ValueError) as error:
        raise Refused(f"{where}: {text!r} is no default for it: {values.told(error)}") from error
    if not text.isprintable() or set(text) & set("'\\%"):  # which Alembic takes for its own
        raise Refused(f"{where}: {text!r} is no default for it: give it in the model and the migration, by hand")


def length(of: Type) -> int:
    """Of a str."""
    return of.sizes[0] if of.sizes else DEFAULT_LENGTH


def served(of: Type) -> Served:
    """The type as the runtime calls it."""
    kind = {"str": "string", "text": "string", "int": "integer", "bool": "boolean"}.get(of.kind, of.kind)
    if of.kind == "decimal":
        precision, scale = (*of.sizes, 0, 0)[:2]
        return Served(kind, precision=precision or None, scale=scale if of.sizes else None)
    return Served(kind, length=length(of) if of.kind == "str" else None, choices=of.choices)
