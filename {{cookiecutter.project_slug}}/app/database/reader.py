"""Reads that need no transaction."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, TypeVarTuple

import asyncpg
from sqlalchemy import Result, Select
from sqlalchemy import Row as SqlRow
from sqlalchemy.exc import DBAPIError

from app.database import tenancy
from app.database.driver_errors import is_outdated, translated
from app.database.prepared import Prepared
from app.database.replica import ReadSource, Replica, is_its_own, reason_of
from app.errors import Unavailable

Row = TypeVar("Row")
Columns = TypeVarTuple("Columns")
Answer = TypeVar("Answer")


class Reader:
    """Single statements in autocommit.

    A read in BEGIN … ROLLBACK costs three round trips where this costs one. Each statement takes a
    connection and gives it back, so that nothing is held while the request does something else.

    Where there is a replica it answers, and may not know yet what was committed a moment ago.
    """

    def __init__(
        self,
        source: ReadSource,
        scope: dict[Any, Any] | None = None,
        replica: Replica | None = None,
    ) -> None:
        self._source = source
        self._scope = scope or {}
        self._replica = replica

    def fresh(self) -> "Reader":
        """The same from the primary, which knows of every commit: for what decides who may do what."""
        return Reader(self._source, self._scope)

    def within(self, workspace_id: int) -> "Reader":
        """Reads of the rows of this workspace, and no others."""
        scope: dict[Any, Any] = {}
        tenancy.bind(scope, workspace_id)
        return Reader(self._source, scope, self._replica)

    def unscoped(self) -> "Reader":
        """Reads of the rows of every workspace. The statement has to know what it may show."""
        scope: dict[Any, Any] = {}
        tenancy.lift(scope)
        return Reader(self._source, scope, self._replica)

    # ---------------------------------------------------------------------------------------- rows as Python has them

    async def all(self, statement: Select[Row]) -> Sequence[Row]:
        """The first column of every row."""
        return (await self._result(statement)).scalars().all()

    async def one_or_none(self, statement: Select[Row]) -> Row | None:
        """The first column of the only row.

        Raises `MultipleResultsFound` when there is more than one: the statement is wrong then, not the request.
        """
        return (await self._result(statement)).scalars().one_or_none()

    async def rows(self, statement: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[SqlRow[Any]]:
        """Every row, with all its columns. `values` are for the `bindparam`s of the statement."""
        return (await self._result(statement, values)).all()

    async def row(self, statement: Select[*Columns]) -> SqlRow[*Columns] | None:
        """The only row, with all its columns.

        Raises `MultipleResultsFound` when there is more than one.
        """
        return (await self._result(statement)).one_or_none()

    async def _result(self, statement: Select[*Columns], values: Mapping[str, Any] | None = None) -> Result[*Columns]:
        async def execute(source: ReadSource) -> Result[*Columns]:
            async with source.sessions(info=self._scope) as session:
                result: Result[*Columns] = await session.execute(statement, values)
                return result

        async def execute_as_it_is_now(source: ReadSource) -> Result[*Columns]:
            try:
                return await execute(source)
            except DBAPIError as error:
                if not is_outdated(error):
                    raise
                return await execute(source)

        return await self._answer(execute_as_it_is_now)

    # ------------------------------------------------------------------------------------ rows as PostgreSQL has them

    async def fetch(self, statement: Prepared, values: Mapping[str, Any]) -> list[Any]:
        """Every row, as the driver has it: the values of its columns in a tuple that knows their names too.

        What most requests do: it costs a quarter of the same by a session. Raises `KeyError` for a missing value.
        """
        return await self._fetch(statement, values)

    async def estimate(self, statement: Prepared, values: Mapping[str, Any]) -> int:
        """How many rows PostgreSQL's planner expects, which takes no look at them."""
        ((plan,),) = await self._fetch(statement, values, "EXPLAIN (FORMAT JSON) ")
        (explained,) = json.loads(plan) if isinstance(plan, str) else plan  # as the connection's codecs have it
        return int(explained["Plan"]["Plan Rows"])

    async def _fetch(self, statement: Prepared, values: Mapping[str, Any], prefix: str = "") -> list[Any]:
        compiled = statement.compiled(tenancy.criteria(self._scope))
        arguments = compiled.arguments({**values, **tenancy.values(self._scope)})
        return await self._answer(lambda source: source.pool.fetch(prefix + compiled.sql, arguments))

    async def _answer(self, ask: Callable[[ReadSource], Awaitable[Answer]]) -> Answer:
        """What the replica answers, or else the primary."""
        with translated():
            if self._replica is None or not self._replica.may_be_asked():
                return await ask(self._source)
            try:
                answer = await ask(self._replica.source)
            except (DBAPIError, asyncpg.PostgresError, Unavailable) as error:
                if not is_its_own(error):
                    raise
                self._replica.lose(reason_of(error))
                return await ask(self._source)
            self._replica.find()
            return answer
