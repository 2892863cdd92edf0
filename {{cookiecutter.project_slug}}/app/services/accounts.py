from app.auth.passwords import hash_password, is_common, verify_password
from app.config import Settings
from app.database import Reader, UnitOfWork
from app.errors import Invalid, Unauthenticated
from app.models.user import User
from app.repositories import users
from app.repositories.base import Repository
from app.schemas.user import UserCreate
from app.services.audit import AuditLog
from app.services.workspaces import WorkspaceService


class AccountService:
    """Coming in: registering and logging in.

    Hashing takes its time, so it happens before the unit of work has taken a connection.
    """

    def __init__(self, uow: UnitOfWork, reader: Reader, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._reader = reader
        self._settings = settings
        self._audit = audit

    async def register(self, data: UserCreate) -> User:
        """A new account with a workspace of its own.

        Raises `Invalid` for a common password, `Conflict` when the e-mail or the user name is taken.
        """
        if is_common(data.password):
            raise Invalid("This password is among the most common ones; choose another", field="password")
        hashed = await hash_password(data.password)
        user = User(email=data.email, username=data.username, hashed_password=hashed)
        await Repository(User, self._uow.session).add(user)
        await WorkspaceService(self._uow, self._settings, self._audit).create(data.username, user)
        await self._audit.record("registered", actor_id=user.id)
        return user

    async def log_in(self, login: str, password: str) -> User:
        """The user with this e-mail or user name.

        Raises `Unauthenticated`, in the same words and after the same time, for an unknown user and a wrong password;
        `Invalid` for a NUL in the name.
        """
        if "\0" in login:  # a form is no schema, whose `Input` would have refused it
            raise Invalid("username must not contain NUL characters", field="username")
        user = await self._reader.one_or_none(users.with_login(login))
        valid, replacement = await verify_password(password, user.hashed_password if user else None)
        if user is None or not valid:
            await self._audit.record("login_failed", actor_id=user.id if user else None)
            await self._uow.keep()
            raise Unauthenticated("Incorrect user name or password")
        if replacement is not None:
            return await self._replace_hash(user, replacement)
        return user

    async def _replace_hash(self, user: User, hashed: str) -> User:
        accounts = Repository(User, self._uow.session)
        current = await accounts.one_or_none(users.with_id(user.id), for_update=True)
        if current is None or current.hashed_password != user.hashed_password:  # changed meanwhile
            return user
        return await accounts.update(current, {"hashed_password": hashed})
