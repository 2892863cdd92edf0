"""Work that is done again because PostgreSQL gave it up in favour of somebody else's: a deadlock, or two transactions
that cannot have happened one after the other. Nothing is wrong with it; it comes off the next time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

import structlog

from app.errors import Contended

TRIES: Final = 3
_PAUSE: Final = 0.05  # seconds at most before the second try, doubled for each that follows

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class Attempt:
    """One try. What has committed something, even if only a part, must not be done again."""

    def __init__(self) -> None:
        self.committed = False


_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempt() -> Iterator[Attempt]:
    """The block is one try."""
    this = Attempt()
    token = _current.set(this)
    try:
        yield this
    finally:
        _current.reset(token)


def committed() -> None:
    """Note that a transaction of this try was committed."""
    if this := _current.get():
        this.committed = True


async def pause(number: int) -> None:
    """Wait before try `number`, each time for another while: or those that met would meet again."""
    log.info("tried_again", attempt=number)
    await asyncio.sleep(random.uniform(0, _PAUSE * 2 ** (number - 2)))  # noqa: S311  # no secret


async def retried(work: Callable[[], Awaitable[Result]]) -> Result:
    """The outcome of the work, which opens its own unit of work and has no effects but in it.

    For scripts and workers; a request is tried again as a whole (`app.middleware.request_retries`). Raises `Contended`
    after the last of three tries, and for work that has committed something already.
    """
    for number in range(2, TRIES + 1):
        with attempt() as this:
            try:
                return await work()
            except Contended:
                if this.committed:
                    raise
        await pause(number)
    return await work()
