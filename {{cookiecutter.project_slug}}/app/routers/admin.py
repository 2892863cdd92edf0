"""For superusers, who look after the whole application."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

from app.auth.dependencies import Superuser, get_superuser
from app.dependencies import Audit, FreshReads, Id, Links, Reads, Uow
from app.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from app.headers import announced
from app.models.audit_event import AuditEvent
from app.models.user import User
from app.problems import documented
from app.repositories import audit_events, users
from app.repositories.base import read_page
from app.routing import Router
from app.schemas.admin import AdminUserQuery, AdminUserRead, AdminUserUpdate
from app.schemas.audit_event import AuditEventQuery, AuditEventRead
from app.services.administration import Administration

# For every route, also one that is added later and forgets to ask.
router = Router(prefix="/admin", tags=["admin"], dependencies=[Depends(get_superuser)])


@router.get(
    "/users",
    response_model=list[AdminUserRead],
    responses=announced(200, "Link") | documented(Unauthenticated, Forbidden, Invalid),
)
async def list_users(query: Annotated[AdminUserQuery, Query()], reader: Reads, links: Links) -> Sequence[User]:
    """All accounts."""
    statement = users.containing(query.q or "")
    if query.disabled is not None:
        statement = statement.where(User.disabled_at.is_not(None) if query.disabled else User.disabled_at.is_(None))
    page = await read_page(reader, statement, User, query)
    links.announce(page, query)
    return page.items


@router.get(
    "/users/{user_id}",
    response_model=AdminUserRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def read_user(user_id: Id, reader: FreshReads) -> User:
    """One account."""
    user = await reader.one_or_none(users.with_id(user_id))
    if user is None:
        raise NotFound("User")
    return user


@router.patch(
    "/users/{user_id}",
    response_model=AdminUserRead,
    responses=documented(Unauthenticated, Forbidden, NotFound, Conflict, Invalid),
)
async def update_user(user_id: Id, data: AdminUserUpdate, admin: Superuser, uow: Uow, audit: Audit) -> User:
    """Disable an account, which ends all its sessions at once, or enable it again."""
    return await Administration(uow, audit).update(user_id, data, admin)


@router.get(
    "/audit-events",
    response_model=list[AuditEventRead],
    responses=announced(200, "Link") | documented(Unauthenticated, Forbidden, Invalid),
)
async def list_audit_events(
    query: Annotated[AuditEventQuery, Query()], reader: Reads, links: Links
) -> Sequence[AuditEvent]:
    """What happened to people's security: logins, refused ones, ended sessions, disabled accounts and more."""
    page = await read_page(reader, audit_events.matching(query), AuditEvent, query)
    links.announce(page, query)
    return page.items
