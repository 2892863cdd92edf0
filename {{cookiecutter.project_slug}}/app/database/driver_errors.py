"""What PostgreSQL refuses, told in the application's own errors.

A constraint is the last line of defence, and two requests at once can reach it with data that each looked
fine: so it is answered like any other mistake of a client, naming the field, without a word of the driver's.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.errors import Conflict, Contended, Error, Invalid, Unavailable

# What the client is told for a SQLSTATE (PostgreSQL's manual, appendix A), given the fields at fault.
_REFUSALS: Final[dict[str, Callable[[Sequence[str]], Error]]] = {
    "23505": lambda fields: Conflict(f"{' and '.join(fields)} {'is' if len(fields) == 1 else 'are'} already taken"),
    "23P01": lambda fields: Conflict(f"{' and '.join(fields)} must not overlap with what is there"),
    "23503": lambda fields: _refers_to_nothing(fields[-1]),
    "23502": lambda fields: Invalid(f"{fields[-1]} must have a value", fields[-1]),
    "23514": lambda fields: Invalid(f"{fields[-1]} has a value that is not allowed", fields[-1]),
    "23001": lambda _: Conflict(_REFERRED_TO),
    "40001": lambda _: Contended(),
    "40P01": lambda _: Contended(),
}


def _refers_to_nothing(field: str) -> Error:
    if field == _WORKSPACE:  # which nobody sends: it has been deleted since the request began
        return Conflict("The workspace is gone")
    return Invalid(f"{field} refers to nothing that exists", field)


_WORKSPACE: Final = "workspace_id"
_REFERRED_TO: Final = "Other data still refer to this"
# Whole classes of them that say "not now": connection, resources, intervention of an operator (a time limit is one),
# system; and two by themselves: a lock that was not to be had in time, a transaction that stood idle for too long.
_PASSING: Final = ("08", "53", "57", "58", "55P03", "25P03")
_KEY: Final = re.compile(r"\(([^()]+)\)=\(")  # of columns, not of an expression such as lower(email)
_OF_EVERY_ROW: Final = {_WORKSPACE, "id"}
_DATA_EXCEPTION: Final = "22"  # out of range, a NUL byte, a bad encoding


class translated:  # noqa: N801  # a block, as `contextlib.suppress` is
    """Turn the driver's errors in the block into the application's; leave every other error alone.

    `fields` are the names that clients know columns by, where these are called something else.
    """

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields = fields or {}

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        own: Error | None = None
        if isinstance(error, DBAPIError):
            own = _translate(error, self._fields, error.statement or "", is_lost=error.connection_invalidated)
        elif isinstance(error, asyncpg.PostgresError):
            own = _translate(error, self._fields)
        elif isinstance(error, PoolTimeoutError):
            own = Unavailable("The database does not answer")
        if own is not None:
            raise own from error


@contextmanager
def connecting() -> Iterator[None]:
    """The same for a block that does nothing but connect: whatever goes wrong there is no client's mistake.

    The network's errors, which elsewhere may be anybody's; a server that is full or starting, a wrong password.
    """
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable("The database does not answer") from error


def sqlstate(error: Exception) -> str:
    """The SQLSTATE that PostgreSQL gave, as the driver or SQLAlchemy has it; nothing where there is none."""
    return getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None) or ""


def is_outdated(error: Exception) -> bool:
    """Whether a migration has changed what the statement was prepared for. The next time it is prepared anew."""
    return isinstance(_cause(error), asyncpg.InvalidCachedStatementError)


def _cause(error: Exception) -> BaseException:
    """The driver's own error."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    return (orig and orig.__cause__) or error


def _translate(
    error: DBAPIError | asyncpg.PostgresError, fields: Mapping[str, str], statement: str = "", *, is_lost: bool = False
) -> Error | None:
    state = sqlstate(error)
    if is_outdated(error):
        return Contended()
    if state == "23503" and statement.startswith("DELETE"):
        return Conflict(_REFERRED_TO)
    if state in _REFUSALS:
        return _REFUSALS[state]([fields.get(column, column) for column in _columns(error)])
    if state.startswith(_DATA_EXCEPTION):
        return Invalid("A value cannot be stored as it is")
    if state.startswith(_PASSING) or is_lost:
        return Unavailable("The database does not answer")
    return None


def _columns(error: DBAPIError | asyncpg.PostgresError) -> list[str]:
    """The columns at fault, as a client knows them: without those that make another's key fit for a workspace's rows.

    PostgreSQL says `Key (workspace_id, name)=(1, x) already exists.` Where it does not, they are read from the name of
    the constraint: `uq_users_email` speaks of `email`. The naming convention of `app.models.base` guarantees the form.
    """
    cause = _cause(error)
    if column := getattr(cause, "column_name", None):
        return [str(column)]
    if key := _KEY.search(str(getattr(cause, "detail", None) or "")):
        columns = [column.strip('"') for column in key[1].split(", ")]
    else:
        name = str(getattr(cause, "constraint_name", None) or "")
        table = str(getattr(cause, "table_name", None) or "")
        columns = [name.partition(f"_{table}_")[2] or "A value"]
    return [column for column in columns if column not in _OF_EVERY_ROW] or columns
