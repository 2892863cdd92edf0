from app.auth.opaque import new_token
from app.auth.passwords import verify_password
from app.config import Settings
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.errors import Invalid
from app.models.user import User
from app.repositories import users
from app.repositories.base import Repository
from app.schemas.user import UserCreate
from app.services.audit import AuditLog
from app.services.outbox import Kind, Outbox
from app.services.passwords import PasswordService
from app.services.sessions import login_refused
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
        self._passwords = PasswordService(uow, settings, audit)

    async def register(self, data: UserCreate) -> User | None:
        """A new account with a workspace of its own. `None` where only a mail may tell whether there is one
        (`registration_by_mail`).

        Raises `Invalid` for a common password, `Conflict` when the user name is taken, or the e-mail if it may be told.
        """
        hashed = await self._passwords.hash(data.password)
        user = User(email=data.email, username=data.username, hashed_password=hashed)
        if self._settings.registration_by_mail:
            await self._register_by_mail(user)
            return None
        await self.add(user)
        await Outbox(self._uow).put("verify_email", user.email, user_id=user.id)
        return user

    async def _register_by_mail(self, user: User) -> None:
        """The answer does not tell whether the address has an account, nor does the time that it takes: if it has, a
        new one is made in the same steps, under an address that is nobody's, and taken back. So the user name is
        refused alike, too.
        """
        session = self._uow.session
        await session.execute(users.claim_email(user.email))
        holder = await Repository(User, session).one_or_none(users.with_email(user.email))
        async with session.begin_nested() as attempt:
            if holder is not None:
                user.email = f"{new_token()}@invalid"
            await self.add(user)
            if holder is not None:
                await attempt.rollback()
        if holder is None:
            await Outbox(self._uow).put("verify_email", user.email, user_id=user.id)
        else:
            # Whoever has lost the first mail may register again to get another.
            kind: Kind = "account_exists" if holder.email_verified_at else "verify_email"
            await Outbox(self._uow).put(kind, holder.email, user_id=holder.id)

    async def add(self, user: User) -> None:
        """Store a new account, and make the workspace of its own. Raises `Conflict` when a name is taken."""
        await Repository(User, self._uow.session).add(user)
        await WorkspaceService(self._uow, self._settings, self._audit).create(user.username, user)
        await self._audit.record("registered", actor_id=user.id)

    async def log_in(self, login: str, password: str) -> User:
        """The user with this e-mail or user name.

        Raises `Unauthenticated`, in the same words and after the same time, for an unknown user, a wrong password, an
        account that is disabled, and an address that has to be verified first; `Invalid` for a NUL in the name.
        """
        if "\0" in login:  # a form is no schema, whose `Input` would have refused it
            raise Invalid("username must not contain NUL characters", field="username")
        user = await self._reader.one_or_none(users.with_login(login))
        valid, replacement = await verify_password(password, user.hashed_password if user else None)
        if user is None or not valid or user.disabled_at or not self._may_enter(user):
            await self._audit.record("login_failed", actor_id=user.id if user else None)
            await self._uow.keep()
            raise login_refused(self._settings)
        if replacement is not None:
            return await self._replace_hash(user, password, replacement)
        return user

    def _may_enter(self, user: User) -> bool:
        return user.email_verified_at is not None or not self._settings.registration_by_mail

    async def _replace_hash(self, user: User, password: str, hashed: str) -> User:
        accounts = Repository(User, self._uow.session)
        current = await accounts.get(user.id, for_update=True)
        if current is None:
            return user
        if current.hashed_password == user.hashed_password:
            return await accounts.update(current, {"hashed_password": hashed})
        # Changed meanwhile: by another login that replaced it too, or because the password is another one now.
        valid, _ = await verify_password(password, current.hashed_password)
        return current if valid else user
