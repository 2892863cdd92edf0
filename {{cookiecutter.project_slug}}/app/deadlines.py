"""What takes too long, told by one timer."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Watched = TypeVar("Watched")


class Deadlines(Generic[Watched]):
    """Gives up what has taken so many seconds.

    All have the same time, so the first that came is the first that is due, and one timer is enough. `asyncio.timeout`
    sets one for each, which takes as long as a question to PostgreSQL.
    """

    def __init__(self, seconds: float, give_up: Callable[[Watched], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._due: dict[Watched, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # that has the timer

    def watch(self, one: Watched) -> None:
        """Give it up in so many seconds from now, unless it is forgotten before."""
        loop = asyncio.get_running_loop()
        self._due[one] = loop.time() + self._seconds
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self._seconds, self._look, loop)

    def forget(self, one: Watched) -> None:
        """It is done, or given up."""
        self._due.pop(one, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = None
        for one, when in list(self._due.items()):
            if when > loop.time():
                self._loop = loop
                loop.call_at(when, self._look, loop)
                break
            self.forget(one)
            self._give_up(one)
