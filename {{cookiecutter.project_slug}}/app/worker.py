"""Sends what is in the outbox, and clears away what has expired. Any number of workers may run at once."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any, Final

import structlog

from app.config import Settings
from app.database.database import Database, open_database
from app.errors import Unavailable
from app.mail.mail import Mail
from app.mail.messages import compose
from app.mail.transports import Refused, Transport, transport_of
from app.models.outbox import OutboxMessage
from app.observability import sentry, telemetry
from app.services.housekeeping import clear_away
from app.services.mailing import Mailing
from app.services.outbox import Outbox

ATTEMPTS: Final = 8
_POLL: Final = 1.0  # seconds
_HOUSEKEEPING: Final = 3600.0
# Seconds that an attempt may take: less than the time until the next, or another worker would send the same mail.
_PATIENCE: Final = 25.0
_LONGEST_ERROR: Final = 500  # characters

log = structlog.get_logger(__name__)


class Worker:
    """One message after the other. None is held in a transaction while it is sent."""

    def __init__(self, database: Database, settings: Settings, transport: Transport) -> None:
        self._database = database
        self._settings = settings
        self._transport = transport
        self._trouble = ""
        self._next_housekeeping = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, and finish the message in hand. Nothing that goes wrong ends this."""
        while not stop.is_set():
            busy = False
            try:
                busy = await self.send_next()
                await self._keep_house()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next message may fare better
                self._tell_once(error)
            else:
                self._trouble = ""
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL):
                        await stop.wait()

    async def send_next(self) -> bool:
        """Send the next message that is due; whether there was one.

        Raises `Unavailable` when the database does not answer.
        """
        async with self._database.unit_of_work() as uow:
            message = await Outbox(uow).claim()
        if message is None:
            return False
        # The token is made in a transaction of its own: an error must not undo the claim, or it is due at once.
        mail: Mail | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                async with self._database.unit_of_work() as uow:
                    mail = await Mailing(uow, self._settings).prepare(message)
                if mail is not None:
                    with telemetry.span("send mail", kind=message.kind, attempt=message.attempts):
                        await self._transport.send(compose(mail, self._settings))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # the network, the server, a template: the message is tried again
            await self._note_failure(message, mail, error)
        else:
            async with self._database.unit_of_work() as uow:
                await Outbox(uow).sent(message)
            log.info("mail_sent" if mail else "mail_not_needed", **_about(message))
        return True

    async def _keep_house(self) -> None:
        if time.monotonic() >= self._next_housekeeping:
            await clear_away(self._database)
            self._next_housekeeping = time.monotonic() + _HOUSEKEEPING

    async def _note_failure(self, message: OutboxMessage, mail: Mail | None, error: Exception) -> None:
        final = isinstance(error, Refused) or message.attempts >= ATTEMPTS
        reason = self._without_secrets(f"{type(error).__name__}: {error}", mail)
        async with self._database.unit_of_work() as uow:
            await Outbox(uow).failed(message, reason, final=final)
        if final:
            log.error("mail_given_up", **_about(message), error=reason)
        else:
            log.warning("mail_failed", **_about(message), error=reason)

    def _without_secrets(self, reason: str, mail: Mail | None) -> str:
        """The reason as it may be stored: a server may quote what it refuses, in bytes that are no text."""
        for secret in (mail and mail.token, self._settings.smtp_password.get_secret_value()):
            if secret:
                reason = reason.replace(secret, "[hidden]")
        return reason.encode("utf-8", "replace").decode().replace("\0", "")[:_LONGEST_ERROR]

    def _tell_once(self, error: Exception) -> None:
        """Log the error, unless it is the one of the last round: a database may be down for hours."""
        trouble = f"{type(error).__name__}: {error}"
        if trouble != self._trouble:
            if isinstance(error, Unavailable):
                log.warning("worker_waits", error=trouble)
            else:
                log.error("worker_waits", error=trouble, exc_info=error)
        self._trouble = trouble


@asynccontextmanager
async def working(database: Database, settings: Settings) -> AsyncIterator[None]:
    """A worker beside the block. It ends with the block, when the message in hand is done.

    Raises `NoTransport` when the settings name no way to send mail.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(Worker(database, settings, transport_of(settings)).run(stop))
    try:
        yield
    finally:
        stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await task


async def serve(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C.

    Raises `NoTransport` when the settings name no way to send mail.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_signum: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    async with telemetry.exporting(settings), open_database(settings) as database, working(database, settings):
        log.info("worker_started")
        await stop.wait()
    log.info("worker_stopped")
    sentry.flush()


def _about(message: OutboxMessage) -> dict[str, Any]:
    return {"message_id": message.id, "kind": message.kind, "attempt": message.attempts}
