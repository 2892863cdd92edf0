"""Who may come in: what a generated endpoint gets for the access that its model declares."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, Request

from app.auth.dependencies import Caller, caller_of_token
from app.auth.membership import Actor
from app.database.database import Database
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.dependencies import Uow
from app.errors import Forbidden, Unauthenticated
from app.models.resource import Access


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
    caller = await _admitted(request, access)
    database: Database = request.app.state.database
    reader = database.reader()
    if caller is not None and access.role is not None:
        reader = reader.within(caller.workspace_as(access.role))
    return Reading(caller.user_id if caller else None, reader)


@lru_cache
def writing(access: Access) -> Any:
    """The annotation of an endpoint's parameter that is a `Writing`. A dependency, unlike `reading`: whoever may not
    write hears that before FastAPI says what is wrong with the body.
    """

    async def admit(request: Request, uow: Uow) -> Writing:
        caller = await _admitted(request, access)
        if caller is None:
            return Writing(Actor(), uow)
        if access.role is None:
            return Writing(Actor(caller.user), uow)
        uow.enter(caller.workspace_as(access.role))
        return Writing(Actor(caller.user, caller.role), uow)

    return Annotated[Writing, Depends(admit)]


async def _admitted(request: Request, access: Access) -> Caller | None:
    """Who calls, if he may: nobody known only where anybody may. His role is not looked at."""
    caller = await caller_of_token(request)
    if access is Access.anyone:
        return caller
    if caller is None:
        raise Unauthenticated
    if access is Access.superuser and not caller.is_superuser:
        raise Forbidden
    return caller
