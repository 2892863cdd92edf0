"""Bodies that the contract allows, invented by Hypothesis from the description of an entity, and what finds them."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import TypeAdapter

from app.resources.description import Entity, Field, Taken, Type
from app.resources.types import operators

Drawn = TypeVar("Drawn")
Json = dict[str, Any]

ALL = list(HealthCheck)
_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
# What a statement, a pattern or an address could take for something else.
_TEXTS = (
    "%",
    "_",
    "\\",
    "\\%",
    "'",
    '"',
    "''; --",
    "a,b",
    " ",
    "/",
    "?&#",
    "null",
    "Straße",
    "\U0001f600",
    "\t\r\n",
    "é",
)


async def for_each(drawn: SearchStrategy[Drawn], check: Callable[[Drawn], Awaitable[None]], examples: int) -> None:
    """Run the check, which is a coroutine of this loop, for as many examples."""
    loop = asyncio.get_running_loop()

    # What fails is not made smaller: that takes hundreds of requests more.
    @settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=ALL)
    @given(drawn)
    def run(value: Drawn) -> None:
        asyncio.run_coroutine_threadsafe(_done(check(value)), loop).result()

    await asyncio.to_thread(run)


async def _done(work: Awaitable[None]) -> None:
    await work


def bodies(entity: Entity, neighbours: Mapping[str, Any]) -> SearchStrategy[Json]:
    """Everything that the entity takes; where it refers to another row, that is the neighbour."""
    required: dict[str, SearchStrategy[Any]] = {}
    optional: dict[str, SearchStrategy[Any]] = {}
    for field in entity.fields:
        if field.created is not Taken.never:
            group = required if field.created is Taken.required else optional
            group[field.name] = value_of_field(field, neighbours, key=field.name in {key.field for key in entity.keys})
    return st.fixed_dictionaries(required, optional=optional)


def value_of_field(field: Field, neighbours: Mapping[str, Any], *, key: bool = False) -> SearchStrategy[Any]:
    if field.name in neighbours:
        value: SearchStrategy[Any] = st.just(neighbours[field.name])
    else:
        value = _rules(field, values(field.type))
    if key and field.type.kind == "string":
        value = value.filter(lambda text: text.rstrip(" ") != "" and text not in {".", ".."})
    return st.none() | value if field.nullable else value


def _rules(field: Field, value: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What the samples' own constraints allow."""
    allowed = {
        "release_year": st.integers(1901, 2155),
        "quantity": st.integers(1, 2**15 - 1),
        "discount": st.sampled_from([0.0, 0.1, 0.25, 1.0]),
        "reports_to": st.none(),
        "manager_staff_id": st.none(),
    }
    return allowed.get(field.name, value)


def values(of: Type) -> SearchStrategy[Any]:  # noqa: C901, PLR0911, PLR0912  # one line for each type
    """Values of this type, as JSON has them."""
    match of.kind:
        case "boolean":
            return st.booleans()
        case "smallint" | "integer" | "bigint":
            most = 2 ** _INTEGERS[of.kind]
            return st.integers(-most, most - 1)
        case "float":
            return st.floats(-1e6, 1e6, width=32).map(_shortest)
        case "decimal":
            return _decimals(of)
        case "string":
            return _texts(of.length or 50)
        case "enum":
            return st.sampled_from(of.choices)
        case "uuid":
            return st.uuids().map(str)
        case "date":
            return st.dates(date(1, 1, 1)).map(date.isoformat)
        case "time":
            return st.times().map(time.isoformat)
        case "datetime":
            return st.datetimes(datetime(2, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001  # as Hypothesis wants it
        case "local-datetime":
            return st.datetimes().map(datetime.isoformat)
        case "interval":
            most_days = timedelta(days=10_000)
            return st.timedeltas(-most_days, most_days).map(_duration)
        case "array" if of.item:
            return st.lists(values(of.item), max_size=3)
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | _texts(10),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts(5), inner, max_size=2),
        max_leaves=4,
    )


def _texts(length: int) -> SearchStrategy[str]:
    anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=length)
    return anything | st.lists(st.sampled_from(_TEXTS), max_size=3).map(lambda parts: "".join(parts)[:length])


def _decimals(of: Type) -> SearchStrategy[str]:
    scale = of.scale or 0 if of.precision else 4
    most = 10 ** (of.precision or 12) - 1
    return st.integers(-most, most).map(lambda number: format(Decimal(number).scaleb(-scale), "f"))


def _shortest(number: float) -> float:
    """The shortest decimal number that is the same float of four bytes."""
    for digits in range(1, 10):
        short = float(f"{number:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", number):
            return short
    return number


def _duration(value: timedelta) -> str:
    text: str = json.loads(TypeAdapter(timedelta).dump_json(value))
    return text


# ---------------------------------------------------------------------------------------------------- what finds them


def finding(field: Field, value: Any) -> Iterator[tuple[str, str]]:
    """Conditions that hold for a row in which the field has this value."""
    name, known = field.name, set(operators(field.type, nullable=field.nullable))
    if not field.filterable:
        return
    if value is None:
        yield f"{name}__isnull", "true"
        return
    if "isnull" in known:
        yield f"{name}__isnull", "false"
    if field.type.kind == "array":
        yield from ((f"{name}__contains", text(one)) for one in value[:1])
        return
    written = text(value)
    if name not in {"count", "limit", "sort"}:  # those mean something else to a list
        yield name, written
    yield from ((f"{name}__{one}", written) for one in ("gte", "lte") if one in known)
    if "in" in known and "," not in written:
        yield f"{name}__in", written
    if "contains" in known:
        middle = len(written) // 2
        for operator, part in (
            ("startswith", written[: middle + 1]),
            ("endswith", written[middle:]),
            ("contains", written[middle : middle + 2]),
            ("icontains", "".join(c.swapcase() if c.isascii() else c for c in written)),
        ):
            yield f"{name}__{operator}", part


def missing(field: Field, value: Any) -> Iterator[tuple[str, str]]:
    """Conditions that do not hold for it."""
    name, known = field.name, set(operators(field.type, nullable=field.nullable))
    if not field.filterable:
        return
    if value is None:
        yield f"{name}__isnull", "false"
        return
    if "isnull" in known:
        yield f"{name}__isnull", "true"
    if field.type.kind == "array":
        return
    written = text(value)
    yield from ((f"{name}__{one}", written) for one in ("ne", "gt", "lt") if one in known)
    if "nin" in known and "," not in written:
        yield f"{name}__nin", written
    if "contains" in known:
        yield from ((f"{name}__{one}", f"{written}%") for one in ("startswith", "endswith", "contains", "icontains"))


def text(value: Any) -> str:
    """A value of JSON as it stands in a query."""
    return value if isinstance(value, str) else json.dumps(value)
