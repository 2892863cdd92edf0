"""Who may come in: what a generated endpoint gets for the access that its model declares."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, Request

from app.auth.dependencies import CurrentUser, OptionalCaller, Superuser, caller_of_token, require_role
from app.auth.membership import Actor, Member
from app.database import Database, UnitOfWork
from app.dependencies import Uow
from app.errors import Forbidden, Unauthenticated
from app.models.resource import Access
from app.reader import Reader


@dataclass(frozen=True)
class Reading:
    """Who reads, where he is known, and the reader that shows him what he may."""

    user_id: int | None
    reader: Reader


@dataclass(frozen=True)
class Writing:
    """Somebody who may write, and the transaction to do it in."""

    actor: Actor
    uow: UnitOfWork

    @property
    def user_id(self) -> int | None:
        return self.actor.user.id if self.actor.user else None


async def reading(request: Request, access: Access) -> Reading:
    """Who reads, if this access lets him. No dependency of FastAPI's, which takes its time for each, and need not know:
    `app.resources.openapi` describes these endpoints.

    Raises `Unauthenticated` and `Forbidden`.
    """
    caller = await caller_of_token(request)
    database: Database = request.app.state.database
    reader = database.reader()
    if access is Access.anyone:
        return Reading(caller.user_id if caller else None, reader)
    if caller is None:
        raise Unauthenticated
    if access is Access.superuser and not caller.is_superuser:
        raise Forbidden
    if access.role is not None:
        reader = reader.within(caller.workspace_as(access.role))
    return Reading(caller.user_id, reader)


async def _anyone(caller: OptionalCaller) -> Actor:
    return Actor(caller.user if caller else None)


async def _user(user: CurrentUser) -> Actor:
    return Actor(user)


async def _superuser(user: Superuser) -> Actor:
    return Actor(user)


_ACTORS: Any = {Access.anyone: _anyone, Access.user: _user, Access.superuser: _superuser}


@lru_cache
def writing(access: Access) -> Any:
    """The annotation of an endpoint's parameter that is a `Writing`."""
    if access.role is None:

        async def everywhere(uow: Uow, actor: Annotated[Actor, Depends(_ACTORS[access])]) -> Writing:
            return Writing(actor, uow)

        return Annotated[Writing, Depends(everywhere)]

    async def in_workspace(uow: Uow, member: Annotated[Member, Depends(require_role(access.role))]) -> Writing:
        uow.enter(member.workspace_id)
        return Writing(Actor(member.user, member.role), uow)

    return Annotated[Writing, Depends(in_workspace)]
