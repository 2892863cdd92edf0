"""Whose rows a session sees.

A session is bound to a workspace, declared to be unscoped, or neither. Bound, every statement of the ORM is filtered
by the workspace, wherever a `WorkspaceScoped` model appears in it, and every new row gets the workspace's id. Neither,
such a statement fails: a query that forgets its tenant is a mistake of ours, and must not answer anything.
"""

from typing import Any, Final, NoReturn

from sqlalchemy import BindParameter, bindparam, event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption

from app.models.base import WorkspaceScoped

_WORKSPACE: Final = "workspace"
_FILTER: Final = "workspace_filter"


class TenantError(RuntimeError):
    """A statement or a row that belongs to no workspace, or to another one. Never a client's mistake."""


class TenantSession(Session):
    """A session of SQLAlchemy's that keeps to its workspace."""


def bind(session_info: dict[Any, Any], workspace_id: int) -> None:
    """Show the session with this `info` the rows of the workspace, and no others."""
    session_info[_WORKSPACE] = workspace_id
    session_info[_FILTER] = with_loader_criteria(
        WorkspaceScoped, lambda model: model.workspace_id == workspace_id, include_aliases=True
    )


def lift(session_info: dict[Any, Any]) -> None:
    """Show the session with this `info` the rows of every workspace."""
    session_info[_WORKSPACE] = None
    session_info[_FILTER] = None


def _refuse() -> NoReturn:
    raise TenantError("The session is bound to no workspace: enter one, or say that the statement is unscoped")


_nobody: Final[BindParameter[int]] = bindparam("workspace", callable_=_refuse)
# The value is asked for when a statement with a scoped model in it is executed, however deep the model is hidden.
_REFUSAL: Final[LoaderCriteriaOption] = with_loader_criteria(
    WorkspaceScoped, lambda model: model.workspace_id == _nobody, include_aliases=True, track_closure_variables=False
)


@event.listens_for(TenantSession, "do_orm_execute")
def _keep_to_the_workspace(state: ORMExecuteState) -> None:
    criteria = state.session.info.get(_FILTER, _REFUSAL)
    if criteria is None:
        return
    if state.is_insert and state.bind_mapper and issubclass(state.bind_mapper.class_, WorkspaceScoped):
        raise TenantError("A bulk INSERT names its workspace itself: say that it is unscoped")
    state.statement = state.statement.options(criteria)


@event.listens_for(TenantSession, "before_flush")
def _stamp(session: Session, _context: UOWTransaction, _instances: object) -> None:
    if session.info.get(_FILTER, _REFUSAL) is None:
        return
    workspace_id = session.info.get(_WORKSPACE)
    for row in session.new | session.dirty | session.deleted:
        if not isinstance(row, WorkspaceScoped):
            continue
        if workspace_id is None:
            _refuse()
        if row in session.new and row.workspace_id is None:
            row.workspace_id = workspace_id
        if row.workspace_id != workspace_id:
            raise TenantError(f"A row of workspace {row.workspace_id} in a session of workspace {workspace_id}")
