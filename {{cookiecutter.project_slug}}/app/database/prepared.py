"""Statements that are compiled once and asked with other values each time: by the driver itself, without a session."""

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BindParameter, Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.functions import aggregate_strings
from sqlalchemy.sql.visitors import cloned_traverse, iterate

from app.database import tenancy

_DIALECT: Final = dialect(dbapi=dialect.import_dbapi())  # type: ignore[no-untyped-call]  # ranges ask for the driver
_AS_THEY_ARE: Final = {"maintain_key": True, "detect_subquery_cols": True}
_MOST_KNOWN: Final = 100  # some may be built for one request, and take ten kilobytes
_ANONYMOUS: Final = "%("  # what SQLAlchemy begins the name of a parameter with that has none


class _Parameter:
    """What `$1` or another one stands for in a compiled statement."""

    __slots__ = ("_constant", "_convert", "_is_required", "_name")

    def __init__(self, name: str, constant: Any, bind: BindParameter[Any], *, is_required: bool) -> None:
        self._name = name
        self._constant = constant
        self._is_required = is_required
        self._convert = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)

    def of(self, values: Mapping[str, Any]) -> Any:
        """What the driver gets."""
        value = values[self._name] if self._is_required else values.get(self._name, self._constant)
        return value if self._convert is None else self._convert(value)


class Compiled:
    """A statement as PostgreSQL gets it."""

    __slots__ = ("_parameters", "sql")

    def __init__(self, sql: str, parameters: list[_Parameter]) -> None:
        self.sql = sql
        self._parameters = parameters

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values of `$1`, `$2`, …: by the names of the `bindparam`s, or as they were when it was compiled.

        Raises `KeyError` for one that is missing.
        """
        return [parameter.of(values) for parameter in self._parameters]


class Key:
    """What something is known by, of many parts: the hash, which takes a walk through all of them, is taken once."""

    __slots__ = ("_hash", "_parts")

    def __init__(self, *parts: Hashable) -> None:
        self._parts = parts
        self._hash = hash(parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Key) and self._parts == other._parts)


_shapes: dict[Key, tuple[Key, frozenset[int]]] = {}


def parted(statement: Select[Any]) -> tuple[Key, Mapping[str, Any]]:
    """What statements have in common that differ in values alone, and the values of this one.

    They are the values of `parametrized`, but for those that stay in the statement: a list by hand (`in_`),
    `literal_execute`, and what is out of reach (`_shape`). They are part of the shape. A parameter with a name may have
    a value too: `bindparam("author", 7)`, or by `.params(author=7)`.
    """
    key, values = _parted(statement) if has_fixed_values(statement) else _parted.__wrapped__(statement)
    return key, values


@lru_cache(maxsize=_MOST_KNOWN)  # it is the same statement each time for most requests, and not only an equal one
def has_fixed_values(statement: Select[Any]) -> bool:
    """Whether `parted` says the same of it each time: not where a value is asked of a function."""
    key = statement._generate_cache_key()  # noqa: SLF001  # as below
    return all(bind.callable is None for bind in (key.bindparams if key else _parameters_of(statement)))


@lru_cache(maxsize=_MOST_KNOWN)
def _parted(statement: Select[Any]) -> tuple[Key, Mapping[str, Any]]:
    key = statement._generate_cache_key()  # noqa: SLF001  # what SQLAlchemy keeps its own compiled statements by
    if key is None:
        return _of_its_own(statement), _given(statement)
    shape, out_of_reach = _shape(statement, key)
    given = key.params or {}
    written: list[Any] = []
    values: dict[str, Any] = {}
    for place, bind in enumerate(key.bindparams):
        value = given.get(bind.key, bind.effective_value)
        if place in out_of_reach or _is_written(bind):
            written.append(tuple(value or ()) if bind.expanding else value)
            written.append(repr(written[-1]))  # 1, True and Decimal("1.0") are equal, and not the same to PostgreSQL
        if not (bind.required or _is_written(bind)):  # out of reach it may be in one place, and in another not
            values[_name(place) if _is_nameless(bind) else bind.key] = value
    values.update(given)
    try:
        return Key(shape, tuple(written)), values
    except TypeError:  # a value that cannot be compared, a dict: the statement shares its SQL with none
        return _of_its_own(statement), values


def _given(statement: Select[Any]) -> dict[str, Any]:
    """What `.params()` gave it, and its parts."""
    return {name: value for part in iterate(statement) for name, value in getattr(part, "_params", {}).items()}


def _of_its_own(statement: Select[Any]) -> Key:
    """Known by what it is; where a value is asked of a function, which its SQL may hold, not again at all."""
    return Key(statement if has_fixed_values(statement) else object())


def _shape(statement: Select[Any], key: CacheKey) -> tuple[Key, frozenset[int]]:
    """What statements of the same shape are known by, and the places of those parameters that `parametrized` does not
    reach, as in `join(Article.author.and_(…))` and in options.
    """
    shape = Key(key.key)
    known = _shapes.get(shape)
    if known is None:
        reached: set[BindParameter[Any]] = set()
        copy = _cloned(statement, reached.add)
        left = copy._generate_cache_key()  # noqa: SLF001  # as above
        kept = {bind.key for bind in left.bindparams if bind not in reached} if left else set()
        # Whose separator is written as it is.
        if any(isinstance(part, aggregate_strings) for part in iterate(statement)):
            kept.update(bind.key for bind in key.bindparams)
        places = frozenset(place for place, bind in enumerate(key.bindparams) if bind.key in kept)
        if len(_shapes) >= _MOST_KNOWN:
            _shapes.clear()
        known = _shapes[shape] = shape, places
    return known


def parametrized(statement: Select[Any]) -> Select[Any]:
    """The statement with parameters in place of its values, each of which has to be given."""
    key = statement._generate_cache_key()  # noqa: SLF001  # as above
    if key is None:
        return statement
    names = {bind.key: _name(place) for place, bind in enumerate(key.bindparams) if _is_nameless(bind)}

    def name(bind: BindParameter[Any]) -> None:
        if not _is_written(bind):
            bind.key, bind.unique, bind.required = names.get(bind.key, bind.key), False, True

    return _cloned(statement, name)


def _cloned(statement: Select[Any], change: Callable[[BindParameter[Any]], None]) -> Select[Any]:
    """A copy with parameters that were changed so. Options are taken over: SQLAlchemy copies not every one."""
    options = [option for part in iterate(statement) for option in getattr(part, "_with_options", ())]
    return cloned_traverse(statement, _AS_THEY_ARE | {"stop_on": options}, {"bindparam": change})


def _name(place: int) -> str:
    return f"nameless_{place}"


def _is_nameless(bind: BindParameter[Any]) -> bool:
    return (bind.unique or bind.key.startswith(_ANONYMOUS)) and not _is_written(bind)


def _is_written(bind: BindParameter[Any]) -> bool:
    return bind.expanding or bind.literal_execute


class Prepared:
    """A statement that always has the same shape: what differs from one time to another is a `bindparam`.

    It is compiled when it is first asked, once for each way in which sessions are kept to a workspace
    (`app.database.tenancy`).
    """

    def __init__(
        self, statement: Select[Any] | Callable[[], Select[Any]], finish: Callable[[str], str] | None = None
    ) -> None:
        """Where there are many, `statement` is what makes it: it is not kept then, and takes a hundred times the memory
        of its SQL. `finish` makes the SQL that is sent of the SQL of the statement.
        """
        if isinstance(statement, Select):
            _refuse_lists(statement)
        self._statement = statement
        self._finish = finish
        self._compiled: dict[LoaderCriteriaOption | None, Compiled] = {}

    def compiled(self, criteria: LoaderCriteriaOption | None) -> Compiled:
        """The statement, filtered by these."""
        if criteria not in self._compiled:
            self._compiled[criteria] = self._compile(criteria)
        return self._compiled[criteria]

    def _compile(self, criteria: LoaderCriteriaOption | None) -> Compiled:
        made = self._statement if isinstance(self._statement, Select) else self._statement()
        _refuse_lists(made)
        required = {part.key for part in _parameters_of(made) if part.required}
        # Compiled without values, of which SQLAlchemy would ask for every one.
        statement = _cloned(made, _ask_for_nothing)
        if criteria is not None:
            statement = statement.options(criteria)
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        if criteria is not None:
            tenancy.refuse_unfiltered(compiled.string)
        names = list(compiled.positiontup or ())
        written = compiled._post_compile_expanded_state  # noqa: SLF001  # `params` refuses IN beside `.params()`
        constants = compiled.params if written is None else written.parameters
        return Compiled(
            self._finish(compiled.string) if self._finish else compiled.string,
            [_Parameter(name, constants[name], _bind(compiled, name), is_required=name in required) for name in names],
        )


def _parameters_of(statement: Select[Any]) -> list[BindParameter[Any]]:
    return [part for part in iterate(statement) if isinstance(part, BindParameter)]


def _refuse_lists(statement: Select[Any]) -> None:
    """Compiled once, `IN` would have the values of that time for ever."""
    if lists := [part.key for part in _parameters_of(statement) if part.expanding and not part.unique]:
        raise ValueError(f"IN takes no parameter ({', '.join(lists)}): write `column == any_(bindparam(…))`")


def _ask_for_nothing(bind: BindParameter[Any]) -> None:
    bind.required = False


def _bind(compiled: Any, name: str) -> BindParameter[Any]:
    """What is behind a parameter. A list by hand makes `state_1_1` and `state_1_2` of `state_1`."""
    while name and name not in compiled.binds:
        name = name.rpartition("_")[0]
    bind: BindParameter[Any] = compiled.binds[name]
    return bind
