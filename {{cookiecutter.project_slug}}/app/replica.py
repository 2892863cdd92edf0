"""A copy of the database that answers reads, as long as it is there."""

import time
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.errors import Unavailable

# Seconds after a failure in which nobody asks. Then one request finds out, at its own expense.
PAUSE: Final = 5.0
# What says that the server is no good, not the statement: connection, shutdown, system. 40001 is that of a replica
# which had to choose between a statement and what it replays; by itself a single read never gets it.
_ITS_OWN: Final = ("08", "57P", "58", "40001")

log = structlog.get_logger(__name__)


class Replica:
    """Where reads go first, and whether they may."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions
        self._lost = False
        self._ask_again_at = 0.0

    def may_be_asked(self) -> bool:
        """Whether it answers, as far as is known."""
        if not self._lost:
            return True
        if time.monotonic() < self._ask_again_at:
            return False
        self._ask_again_at = time.monotonic() + PAUSE
        return True

    def lose(self, error: Exception) -> None:
        """Leave it alone for a while."""
        self._ask_again_at = time.monotonic() + PAUSE
        if not self._lost:
            self._lost = True
            reason = error.__cause__ if isinstance(error, Unavailable) else getattr(error, "orig", error)
            log.warning("replica_lost", reason=str(reason), consequence="the primary answers every read")

    def find(self) -> None:
        """It has answered."""
        if self._lost:
            self._lost = False
            log.info("replica_found")


def is_its_own(error: Exception) -> bool:
    """Whether the primary may well answer what the replica did not.

    Not what took too long, or found every connection in use: that would go on to fill the primary.
    """
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state.startswith(_ITS_OWN)
    return isinstance(error, Unavailable)  # there was no connection to be had
