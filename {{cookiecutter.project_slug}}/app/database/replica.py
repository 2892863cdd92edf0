"""The servers that answer reads: the primary, and a copy of it, as long as that is there."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.database.driver_errors import sqlstate
from app.database.read_pool import ReadPool
from app.dispensable import Dispensable
from app.errors import Unavailable

# What says that the server is no good, not the statement: connection, shutdown, system. 40001 is that of a replica
# which had to choose between a statement and what it replays; by itself a single read never gets it.
_ITS_OWN: Final = ("08", "57P", "58", "40001")


@dataclass(frozen=True)
class ReadSource:
    """One server, and the two ways to read from it, each in autocommit."""

    sessions: async_sessionmaker[AsyncSession]
    pool: ReadPool


class Replica(Dispensable):
    """Where reads go first, while it is there."""

    def __init__(self, source: ReadSource) -> None:
        super().__init__("replica", consequence="the primary answers every read")
        self.source = source


def reason_of(error: Exception) -> str:
    """What there is to say of an error that made the replica lost."""
    return str(error.__cause__ if isinstance(error, Unavailable) else getattr(error, "orig", error))


def is_its_own(error: Exception) -> bool:
    """Whether the primary may well answer what the replica did not.

    Not what took too long, or found every connection in use: that would go on to fill the primary.
    """
    if isinstance(error, Unavailable):  # there was no connection to be had
        return True
    return sqlstate(error).startswith(_ITS_OWN) or (isinstance(error, DBAPIError) and error.connection_invalidated)
