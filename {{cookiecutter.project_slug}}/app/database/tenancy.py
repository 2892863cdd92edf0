"""Whose rows a session sees.

A session is bound to a workspace, declared to be unscoped, or neither. Bound, every statement of the ORM is filtered
by the workspace, wherever a `WorkspaceScoped` model appears in it, and every new row gets the workspace's id. Neither,
such a statement fails: a query that forgets its tenant is a mistake of ours, and must not answer anything.

Where SQLAlchemy would leave the filter out, the statement is refused (`app.database.unfiltered`). What is no statement
of the ORM is on its own: SQL as text, and tables instead of models (`Article.__table__`).
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NoReturn, cast

from sqlalchemy import (
    BigInteger,
    ColumnClause,
    Engine,
    FromClause,
    Select,
    SelectBase,
    TextClause,
    bindparam,
    event,
    inspect,
    type_coerce,
)
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql.expression import ClauseElement, Delete, Insert, ReturnsRows, Update
from sqlalchemy.sql.selectable import AliasedReturnsRows

from app.database.unfiltered import unfiltered
from app.models.base import Declarative, WorkspaceScoped

# In the `info` of a session: the key of its workspace, None if it sees every one, nothing if nobody has said.
_WORKSPACE: Final = "workspace"
_KEY: Final = "bound_workspace_id"
_KEPT: Final = "keeps_to_workspace"  # an option of a statement


class TenantError(RuntimeError):
    """A statement or a row that belongs to no workspace, or to another one. Never a client's mistake."""


class TenantSession(Session):
    """A session of SQLAlchemy's that keeps to its workspace."""

    def get(self, *args: Any, **options: Any) -> Any:
        """As ever. What the session knows from another workspace, or from when it was unscoped, is not there."""
        row = super().get(*args, **options)
        if not isinstance(row, WorkspaceScoped) or _sees_all(self.info):
            return row
        return row if row.workspace_id == _workspace_of(self) else None


def bind(session_info: dict[Any, Any], workspace_id: int) -> None:
    """Show the session with this `info` the rows of the workspace, and no others."""
    session_info[_WORKSPACE] = workspace_id


def lift(session_info: dict[Any, Any]) -> None:
    """Show the session with this `info` the rows of every workspace."""
    session_info[_WORKSPACE] = None


def criteria(session_info: Mapping[Any, Any]) -> LoaderCriteriaOption | None:
    """What the statements of a session with this `info` are filtered by: one of three, whichever its workspace is, so
    that they are compiled once. The values that it takes are `values`.
    """
    if _sees_all(session_info):
        return None
    return _BOUND if _WORKSPACE in session_info else _REFUSAL


def values(session_info: Mapping[Any, Any]) -> dict[str, Any]:
    """What belongs to `criteria`."""
    workspace_id = session_info.get(_WORKSPACE)
    return {} if workspace_id is None else {_KEY: workspace_id}


def refuse_unfiltered(sql: str) -> None:
    """Raises `TenantError` for a statement of a session that is not unscoped, in which a filter is missing."""
    if names := unfiltered(sql):
        raise TenantError(
            f"Nothing filters {', '.join(sorted(names))}: SQLAlchemy finds no model in select_from(join(…)), "
            "tablesample(…), filter(…) and over(…). Select a column of it, or write select(…).join(…)"
        )


def _sees_all(session_info: Mapping[Any, Any]) -> bool:
    return _WORKSPACE in session_info and session_info[_WORKSPACE] is None


def _refuse() -> NoReturn:
    raise TenantError("The session is bound to no workspace: enter one, or say that the statement is unscoped")


def _workspace_of(session: Session) -> int:
    workspace_id: int | None = session.info.get(_WORKSPACE)
    return _refuse() if workspace_id is None else workspace_id


_nobody: Final = bindparam(None, callable_=_refuse, type_=BigInteger)
# The value is asked for when a statement with a scoped model in it is executed, however deep the model is hidden.
_REFUSAL: Final[LoaderCriteriaOption] = with_loader_criteria(
    WorkspaceScoped, lambda model: model.workspace_id == _nobody, include_aliases=True, track_closure_variables=False
)


_bound: Final = bindparam(_KEY, value=None, type_=BigInteger)
_BOUND: Final[LoaderCriteriaOption] = with_loader_criteria(
    WorkspaceScoped, lambda model: model.workspace_id == _bound, include_aliases=True, track_closure_variables=False
)


@event.listens_for(TenantSession, "do_orm_execute")
def _keep_to_the_workspace(state: ORMExecuteState) -> None:
    info = state.session.info
    if _sees_all(info):
        return
    if isinstance(state.statement, Insert | Update | Delete):
        _keep_write(state, state.statement)
    elif state.is_column_load and state.bind_mapper and issubclass(state.bind_mapper.class_, WorkspaceScoped):
        # A refresh, which takes no criteria: the row is thought to be known.
        of_workspace = state.bind_mapper.class_.workspace_id == _workspace_of(state.session)
        state.statement = cast("Select[Any]", state.statement).where(of_workspace)
    state.statement = state.statement.options(_criteria_with_value(info))
    state.update_execution_options(**{_KEPT: not isinstance(state.statement, TextClause)})


@event.listens_for(Engine, "before_cursor_execute")
def _refuse_unfiltered(
    _connection: object, _cursor: object, sql: str, _parameters: object, context: Any, _many: object
) -> None:
    if context is not None and context.execution_options.get(_KEPT):
        refuse_unfiltered(sql)


def _criteria_with_value(session_info: Mapping[Any, Any]) -> LoaderCriteriaOption:
    return _criteria_of(session_info[_WORKSPACE]) if _WORKSPACE in session_info else _REFUSAL


@lru_cache(maxsize=1_000)
def _criteria_of(workspace_id: int) -> LoaderCriteriaOption:
    # With its type, because a lambda's variable would be sent as INTEGER, which not every key fits into.
    return with_loader_criteria(
        WorkspaceScoped, lambda model: model.workspace_id == type_coerce(workspace_id, BigInteger), include_aliases=True
    )


def _keep_write(state: ORMExecuteState, write: Insert | Update | Delete) -> None:
    """Filter or refuse what the criteria leave alone, which know only the table that is written, and only by WHERE."""
    scoped = {
        mapper.local_table for mapper in Declarative.registry.mappers if issubclass(mapper.class_, WorkspaceScoped)
    }
    if write.table in scoped and (isinstance(write, Insert) or isinstance(state.parameters, list)):
        raise TenantError("A bulk INSERT or UPDATE names its rows itself: say that it is unscoped")
    if isinstance(write, Insert):
        return
    if write.table in scoped and "workspace_id" in _columns_set(write, state.parameters):
        raise TenantError("A row stays in its workspace")
    for table in {table for table in _tables(write) if _unaliased(table) in scoped}:
        write = write.where(table.c.workspace_id == _workspace_of(state.session))
    state.statement = write


def _columns_set(write: ClauseElement, parameters: Any) -> set[str]:
    return {part.name for part in write.get_children() if isinstance(part, ColumnClause)} | set(parameters or ())


def _tables(part: ClauseElement) -> Iterator[FromClause]:
    """What a statement reads or writes itself. Its subqueries are filtered where they stand."""
    for child in part.get_children():
        source = child.table if isinstance(child, ColumnClause) else child
        if isinstance(source, FromClause):
            yield source
        elif source is not None and not isinstance(source, SelectBase):
            yield from _tables(source)


def _unaliased(table: ReturnsRows) -> ReturnsRows:
    return _unaliased(table.element) if isinstance(table, AliasedReturnsRows) else table


@event.listens_for(TenantSession, "before_flush")
def _keep_rows(session: Session, _context: UOWTransaction, _instances: object) -> None:
    if _sees_all(session.info):
        return
    new = session.new  # a set that is made each time
    for row in chain(new, session.dirty, session.deleted):
        if not isinstance(row, WorkspaceScoped):
            continue
        workspace_id = _workspace_of(session)
        if row in new and row.workspace_id is None:
            row.workspace_id = workspace_id
        moved = row not in new and inspect(row).attrs.workspace_id.history.has_changes()
        if moved or row.workspace_id != workspace_id:
            raise TenantError(f"A row of another workspace than {workspace_id}, which the session is bound to")
