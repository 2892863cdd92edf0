"""A mail server on loopback, and what it was given."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app.config import Settings
from app.database.database import Database
from app.mail.transports import SmtpTransport
from app.models.outbox import OutboxMessage
from app.services.outbox import Kind, Outbox
from app.worker import Worker

ADDRESS = "ada@example.com"

logging.getLogger("mail").setLevel(logging.WARNING)  # aiosmtpd tells of every command


@dataclass(frozen=True)
class Letter:
    """A mail that has arrived."""

    to: str
    subject: str
    text: str
    html: str
    token: str | None
    message: EmailMessage

    @classmethod
    def of(cls, to: str, content: bytes) -> "Letter":
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        text, html = (_part(message, kind) for kind in ("plain", "html"))
        token = re.search(r"^[\w-]{43}$", text, re.MULTILINE | re.ASCII)
        return cls(to, message["Subject"], text, html, token and token[0], message)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class MailServer:
    """Takes every mail, as long as it is `open`, except for the addresses in `refused`, which get that answer.

    `quoting`: it refuses after all, and tells what it has read.
    """

    def __init__(self) -> None:
        self.port = 0
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.refused: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """As new."""
        self.open.set()
        self.asked.clear()
        self.refused.clear()
        self.quoting = False
        self.arrived: list[Letter] = []

    def collect(self) -> list[Letter]:
        """What has arrived since the last time."""
        arrived, self.arrived = self.arrived, []
        return arrived

    async def handle_RCPT(  # noqa: N802  # aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the same
        assert isinstance(envelope.content, bytes)
        self.asked.set()
        await self.open.wait()
        letters = [Letter.of(to, envelope.content) for to in envelope.rcpt_tos]
        self.arrived.extend(letters)
        return f"550 Spam: {letters[0].token}" if self.quoting else "250 OK"


@asynccontextmanager
async def mail_server(*, tls: SSLContext | None = None, **options: Any) -> AsyncIterator[MailServer]:
    """A server on a free port while the block runs. `tls`: from the first byte; the other options are aiosmtpd's."""
    taken = MailServer()
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(taken, hostname="localhost", enable_SMTPUTF8=True, loop=loop, **options)

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    taken.port = server.sockets[0].getsockname()[1]
    async with server:
        yield taken


def sending_to(server: MailServer, settings: Settings) -> Settings:
    """Settings that name this server, and no front end."""
    change = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_username": "",
        "smtp_password": SecretStr(""),
        "smtp_security": "none",
        "frontend_url": "",
    }
    return settings.model_copy(update=change)


class Letters:
    """`await letters()`: the worker sends what is due, and this is what has arrived since the last call."""

    def __init__(self, database: Database, settings: Settings, server: MailServer) -> None:
        self._database = database
        self._server = server
        own = sending_to(server, settings)
        self.worker = Worker(database, own, SmtpTransport(own))
        server.reset()

    async def __call__(self) -> list[Letter]:
        while await self.worker.send_next():
            pass
        failures = await self._database.reader().all(
            select(OutboxMessage.last_error).where(OutboxMessage.last_error.is_not(None))
        )
        assert not failures, failures
        return self._server.collect()


async def put(database: Database, kind: Kind = "password_changed", recipient: str = ADDRESS, **fields: Any) -> None:
    async with database.unit_of_work() as uow:
        await Outbox(uow).put(kind, recipient, **fields)


async def outbox(database: Database) -> list[OutboxMessage]:
    """What is in the outbox, dead letters included."""
    return list(await database.reader().all(select(OutboxMessage).order_by(OutboxMessage.id)))


async def make_due(database: Database) -> None:
    """Let the time of the next attempt come."""
    async with database.unit_of_work() as uow:
        await uow.session.execute(update(OutboxMessage).values(next_attempt_at=func.now()))
