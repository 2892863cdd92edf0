"""What every table needs an index for: what it refers to, and the order in which it is listed.

PostgreSQL makes none for a foreign key: without one, whoever deletes the row it points to has the whole table searched.
"""

from dataclasses import dataclass

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app import main
from app.resources.description import Entity
from tests.good_requests import CATALOG, DECLARED
from tests.test_access import operations

# Each as an array of columns; of a key that is an expression there is none (null), and it ends what the index is good
# for here. The lowest bit of an option says DESC.
_INDEXES = """
SELECT indrelid::regclass::text AS table, indisunique AS is_unique,
    array(SELECT attname FROM unnest(indkey[0 : indnkeyatts - 1]) WITH ORDINALITY AS key (number, place)
        LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = nullif(number, 0) ORDER BY place) AS columns,
    array(SELECT option & 1 = 1 FROM unnest(indoption) WITH ORDINALITY AS one (option, place) ORDER BY place) AS down
FROM pg_index WHERE indpred IS NULL AND indisvalid
"""
_REFERENCES = """
SELECT conrelid::regclass::text AS table,
    array(SELECT attname FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS columns
FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Found:
    """An index that has every row."""

    table: str
    is_unique: bool
    columns: tuple[str | None, ...]
    down: tuple[bool, ...]

    def finds(self, wanted: set[str]) -> bool:
        """Whether it leads to the rows with these values, past no others, or to one at most."""
        return set(self.columns[: len(wanted)]) == wanted or (self.is_unique and set(self.columns) <= wanted)

    def lists(self, among: set[str], order: list[tuple[str, bool]]) -> bool:
        """Whether it has the rows that are alike in some columns in this order, or the other way round."""
        behind = list(zip(self.columns, self.down, strict=True))[len(among) :]
        # Among what is unique nothing is left to be sorted by the rest.
        order = order[: len(behind)] if self.is_unique and behind else order
        turned = [(name, not down) for name, down in order]
        return set(self.columns[: len(among)]) == among and behind[: len(order)] in (order, turned)


async def indexes(connection: AsyncConnection) -> list[Found]:
    return [
        Found(table, is_unique, tuple(columns), tuple(down))
        for table, is_unique, columns, down in await connection.execute(text(_INDEXES))
    ]


def line(*columns: str) -> str:
    """What is to be added to the model."""
    parts = (f'text("{one}")' if one.endswith(" DESC") else f'"{one}"' for one in columns)
    return f"Index(None, {', '.join(parts)})"


async def searched(connection: AsyncConnection) -> list[str]:
    """The tables that are searched for what refers to a row which is deleted."""
    found = await indexes(connection)
    return [
        f"{table} lacks {line(*columns)}"
        for table, columns in await connection.execute(text(_REFERENCES))
        if not any(index.table == table and index.finds(set(columns)) for index in found)
    ]


def listing(entity: Entity) -> tuple[list[str], list[tuple[str, bool]]]:
    """The columns that are the same for all rows of its list, and those that it is sorted by: the name, and whether
    that is descending.
    """
    mapper = inspect(CATALOG.model_of(entity))
    among = [mapper.columns["workspace_id"].name] if entity.scoped else []
    if entity.owner and not entity.scoped:
        among.append(mapper.columns[entity.owner].name)
    if entity.parent:
        of_parent = [column.name for column in mapper.relationships[entity.parent].local_columns]
        among += sorted(set(of_parent) - set(among))
    terms = [(part.removeprefix("-"), part.startswith("-")) for part in entity.sort.split(",")]
    terms += [(key.field, terms[0][1]) for key in entity.keys if key.field not in dict(terms)]
    return among, [(mapper.columns[name].name, down) for name, down in terms]


async def test_whatever_refers_to_a_row_is_found_when_it_is_deleted(connection: AsyncConnection) -> None:
    assert await searched(connection) == []


LISTED = [one.entity for label, one in DECLARED.items() if one.does == "list" and label in operations(main.app)]


@pytest.mark.parametrize("entity", LISTED, ids=lambda entity: entity.name)
async def test_every_list_has_its_order_in_an_index(connection: AsyncConnection, entity: Entity) -> None:
    among, order = listing(entity)
    columns = [*among, *(f"{name} DESC" if down != order[0][1] else name for name, down in order)]
    assert any(index.table == entity.table and index.lists(set(among), order) for index in await indexes(connection)), (
        f"{entity.table} lacks {line(*columns)} for {entity.sort}"
    )


@pytest.mark.parametrize(
    ("index", "missing"),
    [
        ("", True),
        ("(one)", True),
        ("(two, three, one)", True),
        ("(one, two) WHERE three > 0", True),
        ("((one + 1), two)", True),
        ("(one) INCLUDE (two)", True),
        ("(two, one, three)", False),
    ],
)
async def test_a_foreign_key_without_an_index_is_found(connection: AsyncConnection, index: str, missing: bool) -> None:
    await connection.execute(text("CREATE TABLE parent (one int, two int, PRIMARY KEY (one, two))"))
    child = "CREATE TABLE child (one int, two int, three int, FOREIGN KEY (one, two) REFERENCES parent)"
    await connection.execute(text(child))
    if index:
        await connection.execute(text(f"CREATE INDEX ON child {index}"))
    assert await searched(connection) == (['child lacks Index(None, "one", "two")'] if missing else [])


@pytest.mark.parametrize(
    ("columns", "down", "is_unique", "good"),
    [
        (("of", "at", "id"), (False, False, False), False, True),
        (("of", "at", "id"), (False, True, True), False, True),
        (("of", "at", "id"), (False, True, False), False, False),
        (("of", "at"), (False, False), False, False),
        (("of", "at"), (False, False), True, True),
        (("at", "id", "of"), (False, False, False), False, False),
        (("of", None, "id"), (False, False, False), False, False),
        (("of",), (False,), True, False),
    ],
)
def test_an_order_is_found_forwards_and_backwards(
    columns: tuple[str | None, ...], down: tuple[bool, ...], is_unique: bool, good: bool
) -> None:
    index = Found("rows", is_unique, columns, down)
    assert index.lists({"of"}, [("at", True), ("id", True)]) is good
