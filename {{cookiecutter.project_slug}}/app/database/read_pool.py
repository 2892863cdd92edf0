"""Connections for single statements, asked by the driver itself: what most requests do, at the least cost.

Nothing is ever begun on them and nothing set, so that there is nothing to reset when one is given back. asyncpg's own
pool takes a third as long again for that as a query of one row takes, in which it also starts a task.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.database.connections import Connection
from app.deadlines import Deadlines

# Seconds that a connection has, whose statement was given up, to be told so and to part.
_FAREWELL: Final = 5.0

_Turn = asyncio.Future[Connection | None]


class ReadPool:
    """As many connections as may be needed at once, each made when it is."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int, timeout: float) -> None:
        """`timeout` is how many seconds to wait for a connection where all are in use."""
        self._connect = connect
        self._size = size
        self._idle: list[Connection] = []
        # Who waits, in the order in which they came, for a place and the connection that somebody leaves with it.
        self._waiting: OrderedDict[_Turn, None] = OrderedDict()
        self._deadlines: Deadlines[_Turn] = Deadlines(timeout, _give_up)
        self._farewells: set[asyncio.Task[None]] = set()
        self._in_use = 0
        self._is_closed = False

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        """The rows, as the driver has them.

        Raises SQLAlchemy's `TimeoutError` when every connection is in use for too long, `Unavailable` when the one that
        it had is lost, and else what PostgreSQL refuses as the driver has it.
        """
        connection = await self._take()
        kept: Connection | None = connection
        try:
            return await connection.ask(sql, arguments)
        except asyncio.CancelledError:
            self._part(connection)
            kept = None
            raise
        finally:
            self._leave(kept)

    async def close(self) -> None:
        """End every connection: one that is in use, when it is given back."""
        self._is_closed = True
        farewells = [connection.close(timeout=_FAREWELL) for connection in self._idle]
        self._idle.clear()
        await asyncio.gather(*farewells, *self._farewells, return_exceptions=True)

    def size(self) -> int:
        return self._size

    def checkedout(self) -> int:
        return self._in_use

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _take(self) -> Connection:
        left: Connection | None = None
        if self._in_use < self._size:
            self._in_use += 1
        else:
            left = await self._wait()
        try:
            return left or self._rested() or await self._connect()
        except BaseException:
            self._leave()
            raise

    def _rested(self) -> Connection | None:
        while self._idle:
            # The last one that was used is the likeliest to be wanted again: the others may rest.
            connection = self._idle.pop()
            if not connection.is_gone():
                return connection
            connection.terminate()
        return None

    async def _wait(self) -> Connection | None:
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        self._deadlines.watch(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:  # it was his turn already
                self._leave(turn.result())
            raise
        finally:
            self._deadlines.forget(turn)
            self._waiting.pop(turn, None)

    def _leave(self, connection: Connection | None = None) -> None:
        """Give the place back, with the connection if it is good for more."""
        if connection is not None and self._is_closed:
            connection.terminate()
        good = connection if connection is not None and not connection.is_closed() else None
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(good)
                return
        self._in_use -= 1
        if good is not None:
            self._idle.append(good)

    def _part(self, connection: Connection) -> None:
        """Have PostgreSQL give up the statement that nobody waits for any more, and then the connection."""
        farewell = asyncio.create_task(connection.close(timeout=_FAREWELL))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._parted)

    def _parted(self, farewell: asyncio.Task[None]) -> None:
        self._farewells.discard(farewell)
        if not farewell.cancelled():
            farewell.exception()  # a connection that is lost anyway


def _give_up(turn: _Turn) -> None:
    if not turn.done():
        turn.set_exception(PoolTimeoutError("Every connection is in use"))
