"""Queries for audit events."""

from sqlalchemy import Select, select

from app.models.audit_event import AuditEvent
from app.schemas.audit_event import AuditEventQuery


def matching(query: AuditEventQuery) -> Select[AuditEvent]:
    """The events that the query asks for."""
    wanted = query.model_dump(include={"action", "actor_id", "workspace_id"}, exclude_none=True)
    statement = select(AuditEvent).filter_by(**wanted)
    if query.since is not None:
        statement = statement.where(AuditEvent.created_at >= query.since)
    if query.until is not None:
        statement = statement.where(AuditEvent.created_at < query.until)
    return statement
