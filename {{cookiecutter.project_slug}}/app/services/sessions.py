from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func

from app.auth.opaque import digest, new_token
from app.auth.tokens import create_access_token, read_access_token
from app.config import Settings
from app.database.unit_of_work import UnitOfWork
from app.errors import NotFound, Unauthenticated
from app.models.session import RefreshToken, UserSession
from app.models.user import User
from app.repositories import sessions, users
from app.repositories.base import Repository
from app.services.audit import AuditLog


def login_refused(settings: Settings) -> Unauthenticated:
    """The one answer for every login that comes to nothing: it tells nobody who has an account."""
    reason = "Incorrect user name or password"
    if settings.registration_by_mail:
        reason += ", or an address that is not verified yet"
    return Unauthenticated(reason)


@dataclass(frozen=True)
class Tokens:
    """What a client goes on with: an access token for requests, and a refresh token for the next pair."""

    access: str
    refresh: str


class SessionService:
    """Logins, each a family of refresh tokens of which the newest counts (RFC 9700, section 4.14)."""

    def __init__(self, uow: UnitOfWork, settings: Settings, audit: AuditLog) -> None:
        self._uow = uow
        self._settings = settings
        self._audit = audit

    async def open(self, user: User) -> Tokens:
        """A new session for somebody whose password was right.

        Raises `Unauthenticated` if the password was changed, or the account disabled, since that was found out.
        """
        statement = users.with_id(user.id).with_for_update(read=True).execution_options(populate_existing=True)
        current = await Repository(User, self._uow.session).one_or_none(statement)
        if current is None or current.hashed_password != user.hashed_password or current.disabled_at:
            raise login_refused(self._settings)
        origin = self._audit.origin
        session = UserSession(
            user_id=user.id,
            address=origin.address,
            user_agent=origin.user_agent,
            expires_at=self._end_of(datetime.now(UTC)),
        )
        await Repository(UserSession, self._uow.session).add(session)
        await self._audit.record("login", actor_id=user.id, session_id=session.id)
        return await self._continue(session)

    async def refresh(self, token: str) -> Tokens:
        """The next tokens of the session.

        A token that was used before has been stolen, or has been copied from a thief: whoever of the two this is, the
        session ends, and that lasts although an error is the answer. Raises `Unauthenticated` for every token that is
        not the newest of a living session.
        """
        repository = Repository(UserSession, self._uow.session)
        session = await repository.one_or_none(sessions.to_continue(digest(token)))
        if session is None:
            raise Unauthenticated("The token is not valid")
        if await self._uow.session.scalar(sessions.use(digest(token))) is None:
            await repository.delete(session)
            await self._audit.record("refresh_token_reused", actor_id=session.user_id, session_id=session.id)
            await self._uow.keep()
            raise Unauthenticated("The token is not valid")
        used = {"last_used_at": func.clock_timestamp(), "expires_at": self._end_of(session.created_at)}
        await repository.update(session, used | {"address": self._audit.origin.address})
        return await self._continue(session)

    async def log_out(self, access_token: str | None, refresh_token: str | None) -> None:
        """End the session that one of the tokens belongs to. If none is good any more there is nothing left to end."""
        found = sessions.of_token(digest(refresh_token)) if refresh_token else None
        if access_token:
            with suppress(Unauthenticated):
                said = read_access_token(access_token, self._settings)
                found = sessions.of_user(said.user_id).where(UserSession.id == said.session_id)
        session = None if found is None else await Repository(UserSession, self._uow.session).one_or_none(found)
        if session is not None:
            with suppress(NotFound):  # somebody else was quicker
                await self.end(session.id, session.user_id)

    async def end(self, session_id: int, user_id: int, *, reason: str = "logout") -> None:
        """End one session of the user: its tokens, access and refresh, are worth nothing from now on.

        Raises `NotFound` when the user has no such session.
        """
        ended = await self._uow.session.scalar(sessions.end(session_id, user_id))
        if ended is None:
            raise NotFound("Session")
        await self._audit.record("session_ended", actor_id=user_id, session_id=session_id, reason=reason)

    async def end_all(self, user_id: int, *, reason: str = "logout") -> None:
        """End every session of the user."""
        await self._uow.session.execute(sessions.end_all(user_id))
        await self._audit.record("sessions_ended", actor_id=user_id, reason=reason)

    def _end_of(self, opened_at: datetime) -> datetime:
        """When a session that is used now ends, if it is not used again."""
        idle = datetime.now(UTC) + timedelta(days=self._settings.session_idle_days)
        return min(idle, opened_at + timedelta(days=self._settings.session_max_days))

    async def _continue(self, session: UserSession) -> Tokens:
        refresh = new_token()
        await Repository(RefreshToken, self._uow.session).add(
            RefreshToken(session_id=session.id, token_hash=digest(refresh))
        )
        access = create_access_token(session.user_id, session.id, self._settings)
        return Tokens(access, refresh)
