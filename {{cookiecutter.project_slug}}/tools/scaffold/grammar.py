"""How entities and their fields are written.

A field is `name:type`, then, in this order and each only where it is wanted, `?` for one that may be null, `!` for one
that is unique within the workspace, and `=value` for a default:

    name:str:120!  note:text?  stock:int=0  price:decimal:10:2  status:enum(draft,live)=draft  tags:list(str:50)

Types are str (200 characters, or str:120), text, int, bigint, float, decimal (decimal:10:2), bool, date, datetime,
time, uuid, json, enum(a,b), list(str) of any of the types before enum but json, ref(Entity), many(Entity). `ref` makes
the column `<name>_id`: its row goes with what it refers to, or forgets it if it may be null. `many` makes an
association table. A ref(User) that is called `owner` is set to whoever makes the row, which he and admins change.

A file of YAML has any number of entities, which may refer to each other and to those that are there:

    Category:
      name: str:60!
      parent: ref(Category)?
    Product:
      is: Something that the shop sells.        # a sentence, for the documentation
      plural: products                          # where an s at the end is not enough
      fields: name:str:120 price:decimal:10:2   # several in a line, or each in a line of its own:
      category: ref(Category)
      tags: many(Tag)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

PLAIN: Final = ("str", "text", "int", "bigint", "float", "decimal", "bool", "date", "datetime", "time", "uuid")
KINDS: Final = (*PLAIN, "json", "enum", "list", "ref", "many")
_SIZES: Final = {"str": 1, "decimal": 2}
_MOST_CHARACTERS: Final = 10_485_760
_MOST_DIGITS: Final = 1_000

_FIELD: Final = re.compile(
    r"(?P<name>[^:\s]+):(?P<kind>\w+)(?P<sizes>(:\d+)*)(\((?P<inside>[^()]*)\))?(?P<flags>[?!]*)(=(?P<default>.*))?",
    re.DOTALL,
)
# A list of fields is cut at spaces, but for those between parentheses.
_PARTS: Final = re.compile(r"(?:\([^)]*\)|[^\s(])+")


class Refused(Exception):
    """What is asked for cannot be made. The message is a sentence that names the culprit; nothing was written."""


@dataclass(frozen=True)
class Type:
    """What a field holds: `sizes` of str and decimal, `choices` of enum, `item` of list, `target` of ref and many."""

    kind: str
    sizes: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    item: "Type | None" = None
    target: str = ""


@dataclass(frozen=True)
class Field:
    """A field as it was written."""

    name: str
    type: Type
    nullable: bool = False
    unique: bool = False
    default: str | None = None


@dataclass(frozen=True)
class Spec:
    """An entity as it was written."""

    name: str
    fields: tuple[Field, ...]
    sentence: str = ""
    plural: str = ""


def entity(name: str, fields: str) -> Spec:
    """The entity of a command line. Raises `Refused`."""
    return Spec(name, tuple(_field(name, part) for part in _PARTS.findall(fields)))


def entities(path: Path) -> list[Spec]:
    """The entities of a file. Raises `Refused`."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _NothingTwice)  # noqa: S506  # a safe one
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not document:
        raise Refused(f"{path} names no entity: write `Product:` and its fields below")
    return [_entity(name, said) for name, said in document.items()]


def _entity(name: Any, said: Any) -> Spec:
    if not isinstance(name, str):
        raise Refused(f"{name!r} is YAML's word for something else: put the name in quotes")
    if isinstance(said, str | list):
        said = {"fields": said}
    if not isinstance(said, dict):
        raise Refused(f"{name} has no fields: write `fields: name:str` below it")
    spec = Spec(name, tuple(_fields(name, said)))
    for key, attribute in {"is": "sentence", "plural": "plural"}.items():
        if not isinstance(said.get(key, ""), str):
            raise Refused(f"{name}: {key} is {said[key]!r}, which is no text")
        spec = replace(spec, **{attribute: said.get(key, "").strip()})
    return spec


def _fields(entity_name: str, said: dict[Any, Any]) -> Iterator[Field]:
    for key, value in said.items():
        if key in {"is", "plural"}:
            continue
        if not isinstance(key, str):
            raise Refused(f"{entity_name}: {key!r} is YAML's word for something else: put the name in quotes")
        if key == "fields" and isinstance(value, str):
            yield from (_field(entity_name, part) for part in _PARTS.findall(value))
        elif key == "fields" and isinstance(value, list) and all(isinstance(part, str) for part in value):
            yield from (_field(entity_name, part) for part in value)
        elif isinstance(value, str) and key != "fields":
            yield _field(entity_name, f"{key}:{value}")
        else:
            raise Refused(f"{entity_name}.{key}: {value!r} is no type; there are {', '.join(KINDS)}")


def _field(entity_name: str, text: str) -> Field:
    found = _FIELD.fullmatch(text)
    if found is None:
        raise Refused(f"{entity_name}: {text!r} is no field: write name:type, such as price:decimal:10:2")
    where = f"{entity_name}.{found['name']}"
    of = _type(where, found["kind"], found["sizes"], found["inside"])
    flags = found["flags"]
    if len(set(flags)) != len(flags):
        raise Refused(f"{where}: {flags!r} says the same twice")
    return Field(found["name"], of, "?" in flags, "!" in flags, found["default"])


def _type(where: str, kind: str, sizes: str, inside: str | None) -> Type:
    if kind not in KINDS:
        raise Refused(f"{where}: {kind!r} is no type; there are {', '.join(KINDS)}")
    numbers = tuple(int(size[:9]) for size in sizes.split(":")[1:])
    if len(numbers) > _SIZES.get(kind, 0) or not _fits(kind, numbers):
        raise Refused(f"{where}: {kind}{sizes} has no such size; there are str:120 and decimal:10:2")
    parts = [part.strip() for part in (inside or "").split(",")]
    if kind in {"enum", "list", "ref", "many"}:
        if not all(parts) or (kind != "enum" and len(parts) > 1):
            raise Refused(f"{where}: {kind} says of what in parentheses, such as {_EXAMPLES[kind]}")
    elif inside is not None:
        raise Refused(f"{where}: {kind} takes no parentheses")
    if kind == "list":
        return Type(kind, item=_item(where, parts[0]))
    return Type(kind, numbers, tuple(parts) if kind == "enum" else (), target="" if kind == "enum" else parts[0])


_EXAMPLES: Final = {"enum": "enum(draft,live)", "list": "list(str)", "ref": "ref(User)", "many": "many(Tag)"}


def _item(where: str, text: str) -> Type:
    kind, colon, sizes = text.partition(":")
    if kind not in PLAIN:
        raise Refused(f"{where}: there is no list of {text!r}; there are lists of {', '.join(PLAIN)}")
    return _type(where, kind, colon + sizes, None)


def _fits(kind: str, sizes: tuple[int, ...]) -> bool:
    """Whether PostgreSQL has such a column."""
    if kind == "str" and sizes:
        return 1 <= sizes[0] <= _MOST_CHARACTERS
    if kind == "decimal" and sizes:
        return 1 <= sizes[0] <= _MOST_DIGITS and (len(sizes) == 1 or sizes[1] <= sizes[0])
    return True


class _NothingTwice(yaml.SafeLoader):
    """YAML in which a name that stands there twice is refused, instead of the first being lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise Refused(f"{name} stands there twice, in line {node.start_mark.line + 1} and below")
        return super().construct_mapping(node, deep)
