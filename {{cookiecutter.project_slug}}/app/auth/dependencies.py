"""Who is calling, and as what."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from fastapi.security.base import SecurityBase
from sqlalchemy import select

from app.auth.cookies import access_cookie
from app.auth.membership import Member, demand
from app.auth.tokens import read_access_token
from app.config import Settings
from app.database.database import Database
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.dependencies import FreshReads, Id, Reads, Uow
from app.errors import Forbidden, NotFound, Unauthenticated
from app.models.user import User
from app.models.workspace import Membership
from app.repositories import users
from app.roles import Role

# auto_error is off because the answer to a missing token is ours, and because some routes do without.
_bearer = OAuth2PasswordBearer(
    tokenUrl="auth/login",
    refreshUrl="auth/refresh",
    scopes={"offline_access": "a refresh token in the answer, instead of cookies"},
    auto_error=False,
)

BearerToken = Annotated[str | None, Depends(_bearer)]


class Caller:
    """A user in a session, with the role in the active workspace where there is one."""

    def __init__(self, row: Mapping[str, Any], session_id: int) -> None:
        """`row` is one of `users.IN_SESSION`."""
        self._row = row
        self.session_id = session_id
        self.user_id: int = row["id"]
        self.is_superuser: bool = row["is_superuser"]
        self.workspace_id: int | None = row["active_workspace_id"]
        self.role = Role(row["role"]) if row["role"] else None

    @cached_property
    def user(self) -> User:
        """Made when it is asked for: who only reads is shown rows by the keys alone."""
        return users.loaded(self._row)

    def workspace_as(self, required: Role) -> int:
        """The active workspace. Raises `Forbidden` for somebody who is in none, or not in this role."""
        if self.role is None or self.workspace_id is None:
            raise Forbidden("You are in no workspace: choose one with POST /workspaces/{id}/activate")
        demand(self.role, required)
        return self.workspace_id


class CallerOfToken(SecurityBase):
    """The caller, or nobody when there is no token. A token that is not valid is an error all the same, unless it is
    a cookie: a browser sends it until it expires, to public pages too, and no script could take it away.

    A security scheme and all that it takes in one dependency: nearly every request asks, and FastAPI takes its time for
    each dependency. `app.contract` tells of the cookie.
    """

    scheme_name = _bearer.scheme_name
    model = _bearer.model

    async def __call__(self, request: Request) -> Caller | None:
        """Looked for once in a request. Raises `Unauthenticated`."""
        state = request.scope.setdefault("state", {})
        if "caller" not in state:
            state["caller"] = await _read_caller(request)
        caller: Caller | None = state["caller"]
        return caller


class KnownCaller(CallerOfToken):
    """The caller, who has to be somebody."""

    async def __call__(self, request: Request) -> Caller:
        """Raises `Unauthenticated`."""
        caller = await super().__call__(request)
        if caller is None:
            raise Unauthenticated
        return caller


async def _read_caller(request: Request) -> Caller | None:
    settings: Settings = request.app.state.settings
    if bearer := await _bearer(request):
        return await _find_caller(bearer, settings, request)
    token = access_cookie(request, settings)
    if token is None:
        return None
    try:
        return await _find_caller(token, settings, request)
    except Unauthenticated:
        return None


async def _find_caller(token: str, settings: Settings, request: Request) -> Caller:
    """One query, which says too whether the session still lives: so a logout works at once."""
    said = read_access_token(token, settings)
    database: Database = request.app.state.database
    values = {"user_id": said.user_id, "session_id": said.session_id}
    found = await database.reader().fresh().fetch(users.IN_SESSION, values)
    if not found:
        raise Unauthenticated("The token is not valid")
    return Caller(found[0], said.session_id)


caller_of_token = CallerOfToken()
known_caller = KnownCaller()
OptionalCaller = Annotated[Caller | None, Depends(caller_of_token)]
CurrentCaller = Annotated[Caller, Depends(known_caller)]


async def get_current_user(caller: CurrentCaller) -> User:
    """The user who calls."""
    return caller.user


CurrentUser = Annotated[User, Depends(get_current_user)]


async def get_superuser(user: CurrentUser) -> User:
    """The user who calls, if he looks after the whole application."""
    if not user.is_superuser:
        raise Forbidden
    return user


Superuser = Annotated[User, Depends(get_superuser)]


class RequiredRole:
    """A role that the caller must have, or one that includes it. `app.contract` writes it into the description."""

    where: ClassVar[str]

    def __init__(self, role: Role) -> None:
        self.role = role

    def check(self, role: Role) -> None:
        """Raises `Forbidden`."""
        demand(role, self.role)


class RoleInActiveWorkspace(RequiredRole):
    """For routes whose data belong to the workspace that the caller works in."""

    where = "the active workspace"

    async def __call__(self, caller: CurrentCaller) -> Member:
        workspace_id = caller.workspace_as(self.role)
        assert caller.role is not None  # for mypy: he would have been refused  # noqa: S101
        return Member(caller.user, workspace_id, caller.role)


class UnitOfWorkInActiveWorkspace(RequiredRole):
    """The transaction of the request, bound to the workspace that the caller works in."""

    where = RoleInActiveWorkspace.where

    async def __call__(self, uow: Uow, caller: CurrentCaller) -> UnitOfWork:
        uow.enter(caller.workspace_as(self.role))
        return uow


class RoleInNamedWorkspace(RequiredRole):
    """For routes about the workspace itself, which is named in the path. It does not exist for others."""

    where = "that workspace"

    async def __call__(self, workspace_id: Id, user: CurrentUser, reader: FreshReads) -> Member:
        role = await reader.one_or_none(
            select(Membership.role).where(Membership.workspace_id == workspace_id, Membership.user_id == user.id)
        )
        if role is None:
            raise NotFound("Workspace")
        self.check(role)
        return Member(user, workspace_id, role)


# Cached, so that FastAPI asks once for what several dependencies of a route require alike.
@lru_cache
def require_role(role: Role) -> RoleInActiveWorkspace:
    """`Annotated[Member, Depends(require_role(Role.admin))]`: the caller, admin or owner of the active workspace."""
    return RoleInActiveWorkspace(role)


@lru_cache
def require_role_in(role: Role) -> RoleInNamedWorkspace:
    """The same for the workspace that the path names as `workspace_id`."""
    return RoleInNamedWorkspace(role)


Viewer = Annotated[Member, Depends(require_role(Role.viewer))]
Writer = Annotated[Member, Depends(require_role(Role.member))]
# The same for routes about the workspace that their path names.
Insider = Annotated[Member, Depends(require_role_in(Role.viewer))]
Admin = Annotated[Member, Depends(require_role_in(Role.admin))]
Owner = Annotated[Member, Depends(require_role_in(Role.owner))]


async def get_workspace_reader(reader: Reads, member: Viewer) -> Reader:
    """Reads bound to the active workspace."""
    return reader.within(member.workspace_id)


WorkspaceUow = Annotated[UnitOfWork, Depends(UnitOfWorkInActiveWorkspace(Role.viewer))]
WorkspaceReads = Annotated[Reader, Depends(get_workspace_reader)]
