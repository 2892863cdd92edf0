"""Which names entities, fields and words may have, and what is made of them."""

import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Final

from app.models.base import Declarative
from app.models.resource import snake
from app.schemas.base import Input, Output, Patch
from tools.scaffold.grammar import Refused

# What the modules that are written import. A class of one of these names would hide it.
IMPORTS: Final = {
    "collections.abc": ["Sequence"],
    "enum": ["StrEnum"],
    "typing": ["TYPE_CHECKING", "Any"],
    "decimal": ["Decimal"],
    "uuid": ["UUID"],
    "sqlalchemy": [
        *("ARRAY", "BigInteger", "Column", "Date", "DateTime", "Double", "ForeignKey", "ForeignKeyConstraint"),
        *("Index", "Integer", "Boolean", "Numeric", "String", "Table", "Text", "Time", "UniqueConstraint", "Uuid"),
        *("false", "func", "true"),
    ],
    "sqlalchemy.dialects.postgresql": ["JSONB"],
    "sqlalchemy.orm": ["Mapped", "mapped_column", "relationship"],
    "app.models.base": ["Base", "Declarative", "Timestamped", "WorkspaceScoped", "text_enum"],
    "app.models.resource": ["Resource"],
}
_IMPORTED: Final = {name for names in IMPORTS.values() for name in names} | {"dt"}
_TYPES: Final = {"str", "int", "float", "bool", "list"}  # used in the body of the class
_OF_EVERY_ROW: Final = {"id", "workspace_id", "created_at", "updated_at"}
_OF_LISTS: Final = {"limit", "skip", "cursor", "sort", "q", "fields", "include", "count", "filter"}
LONGEST: Final = 63  # of PostgreSQL's names


def check_entity(name: str) -> None:
    """Raises `Refused` for what cannot be the name of a class and a table."""
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        raise Refused(f"{name!r} is no name for an entity: write it like Product or OrderLine, in ASCII")
    if keyword.iskeyword(name) or keyword.iskeyword(snake(name)):
        raise Refused(f"{name} is a keyword of Python: choose another name")
    if name in _IMPORTED or hasattr(builtins, name):
        raise Refused(f"{name} is a name that its own module needs for something else: choose another one")


def check_field(where: str, name: str) -> None:
    """Raises `Refused` for what cannot be a column, an attribute and a parameter of a list."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise Refused(f"{where} is no name for a field: write it like unit_price, in small ASCII letters")
    if keyword.iskeyword(name):
        raise Refused(f"{where} is a keyword of Python: choose another name")
    if name in _OF_EVERY_ROW:
        raise Refused(f"{where} is there in every entity already: leave it out")
    if name in _OF_LISTS:
        raise Refused(f"{where} has the name of a parameter that every list takes: choose another name")
    if name in _IMPORTED | _TYPES or any(hasattr(base, name) for base in (Declarative, Input, Patch, Output)):
        raise Refused(f"{where} has a name that models or schemas need for something else: choose another one")


def check_words(where: str, words: Iterable[str]) -> None:
    """Raises `Refused` for words that an enum of ours cannot have: they are kept in 20 characters."""
    words = list(words)
    for word in words:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,19}", word):
            raise Refused(f"{where}: {word!r} is no word for an enum: 20 ASCII letters, digits, - and _ at most")
    if len({member(word) for word in words}) < len(words):
        raise Refused(f"{where}: {', '.join(words)} are not all different")


def member(word: str) -> str:
    """The word as a member of a `StrEnum`, whose own attributes stay what they are."""
    name = snake(word.replace("-", "_"))
    taken = keyword.iskeyword(name) or hasattr(str, name) or name in {"name", "value", "mro"}
    return f"{name}_" if taken else name


def plural(word: str) -> str:
    """As most English words have it. The others say theirs in the file."""
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)$", word) else f"{word}s"


def pascal(name: str) -> str:
    """`unit_price` is a `UnitPrice`."""
    return "".join(part.capitalize() for part in name.split("_"))


def words(name: str) -> str:
    """`order_line` is an `order line`."""
    return name.replace("_", " ")


def a(thing: str) -> str:
    """With its article."""
    return f"an {thing}" if thing[0] in "aeio" else f"a {thing}"
