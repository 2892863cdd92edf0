"""Who may come in: what a generated endpoint gets for the access that its model declares."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends

from app.auth.dependencies import CurrentUser, OptionalCaller, Superuser, require_role
from app.auth.membership import Actor, Member
from app.database import UnitOfWork
from app.dependencies import Reads, Uow
from app.models.resource import Access
from app.reader import Reader


@dataclass(frozen=True)
class Reading:
    """Somebody who may read, and the reader that shows him what he may."""

    actor: Actor
    reader: Reader


@dataclass(frozen=True)
class Writing:
    """Somebody who may write, and the transaction to do it in."""

    actor: Actor
    uow: UnitOfWork


async def _anyone(caller: OptionalCaller) -> Actor:
    return Actor(caller.user if caller else None)


async def _user(user: CurrentUser) -> Actor:
    return Actor(user)


async def _superuser(user: Superuser) -> Actor:
    return Actor(user)


_ACTORS: Any = {Access.anyone: _anyone, Access.user: _user, Access.superuser: _superuser}


@lru_cache
def reading(access: Access) -> Any:
    """The annotation of an endpoint's parameter that is a `Reading`."""
    if access.role is None:

        async def everywhere(reader: Reads, actor: Annotated[Actor, Depends(_ACTORS[access])]) -> Reading:
            return Reading(actor, reader)

        return Annotated[Reading, Depends(everywhere)]

    async def in_workspace(reader: Reads, member: Annotated[Member, Depends(require_role(access.role))]) -> Reading:
        return Reading(Actor(member.user, member.role), reader.within(member.workspace_id))

    return Annotated[Reading, Depends(in_workspace)]


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
