"""Superusers, who look after the whole application. They are made here, on the server: no request can make one."""

import asyncio

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.config import Settings
from app.database.database import open_database
from app.development import database_server
from app.discovery import modules
from app.errors import Invalid, Unavailable
from app.models.user import User
from app.schemas.user import UserCreate
from app.services.accounts import AccountService
from app.services.administration import Administration
from app.services.audit import AuditLog, Origin

list(modules("app.models"))  # they refer to each other: without the application nobody else has imported them all
_ORIGIN = Origin(user_agent="python -m app create-superuser")


def create(settings: Settings, email: str, username: str, password: str) -> User:
    """A new account, by the same rules as for everybody else, and a superuser's.

    Raises `Invalid`, `Conflict` for a name that is taken, `Unavailable` when the database cannot be used.
    """
    try:
        data = UserCreate(email=email, username=username, password=password)
    except ValidationError as error:
        reasons = [f"{problem['loc'][0]}: {problem['msg'].removeprefix('Value error, ')}" for problem in error.errors()]
        raise Invalid("\n".join(reasons)) from error
    return _run(settings, data.username, data)


def promote(settings: Settings, login: str) -> User:
    """The account with this e-mail or user name, as a superuser's.

    Raises `NotFound`, `Conflict` for a disabled account, `Unavailable` when the database cannot be used.
    """
    return _run(settings, login)


def _run(settings: Settings, login: str, data: UserCreate | None = None) -> User:
    try:
        with database_server(settings):
            return asyncio.run(_promote(settings, login, data))
    except Unavailable as error:
        raise Unavailable(f"The database of DATABASE_URL cannot be used: {error.__cause__}") from error
    except DBAPIError as error:
        reason = error.orig and error.orig.__cause__
        raise Unavailable(f"The database refuses: {reason}. Is it migrated (python -m app migrate)?") from error


async def _promote(settings: Settings, login: str, data: UserCreate | None) -> User:
    async with open_database(settings) as database, database.unit_of_work() as uow:
        audit = AuditLog(uow, _ORIGIN)
        if data is not None:
            # Whoever sits at the server may know which addresses have an account.
            settings = settings.model_copy(update={"registration_by_mail": False})
            await AccountService(uow, database.reader().fresh(), settings, audit).register(data)
        return await Administration(uow, audit).promote(login)
