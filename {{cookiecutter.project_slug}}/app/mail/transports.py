"""How a mail leaves: to a server, or, in development without one, into a file."""

import asyncio
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final, Protocol

import aiosmtplib
import structlog

from app.config import ROOT, Settings

MAIL_FILES: Final = ROOT / "var" / "mail"
_TIMEOUT: Final = 10.0  # seconds for each step: connecting, a command, the message
_FAREWELL: Final = 1.0
_FOR_GOOD: Final = 500  # RFC 5321, section 4.2.1: do not try again

_READABLE: Final = default.clone(utf8=True)

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The server will not take a mail for this recipient, however often it is asked."""


class NoTransport(Exception):
    """The settings name no way to send mail."""


class Transport(Protocol):
    """Something that takes mails."""

    async def send(self, message: EmailMessage) -> None:
        """Hand the mail over. Raises `Refused` when another try is of no use, anything else when it may be."""


class SmtpTransport:
    """A mail server, with one connection for each mail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, message: EmailMessage) -> None:
        client = self._client()
        try:
            await client.connect()
            await client.send_message(message)
            with suppress(aiosmtplib.SMTPException):  # the mail has been taken
                await client.quit(timeout=_FAREWELL)
        except aiosmtplib.SMTPRecipientsRefused as error:
            (refusal,) = error.recipients
            if refusal.code < _FOR_GOOD:
                raise
            raise Refused(f"{refusal.code} {refusal.message}") from error
        finally:
            client.close()  # at once: whoever is cancelled here has no time for a QUIT

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username or None,
            password=settings.smtp_password.get_secret_value() or None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=_TIMEOUT,
            # The name in EHLO. Its own guess asks the DNS for this machine's, which takes time and is often no name.
            local_hostname=settings.mail_from.rpartition("@")[2],
        )


class FileTransport:
    """A directory of `.eml` files, which sort by time. Only its owner can look into it: mails have tokens."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, message: EmailMessage) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}.eml"
        await asyncio.to_thread(self._write, name, message.as_bytes(policy=_READABLE))
        log.info("mail_written", path=str(self._directory / name), to=str(message["To"]), subject=message["Subject"])

    def _write(self, name: str, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._directory / name).write_bytes(content)


def transport_of(settings: Settings) -> Transport:
    """The way out that the settings name: in development a directory if no server, elsewhere `NoTransport`."""
    if settings.smtp_host:
        return SmtpTransport(settings)
    if settings.environment == "development":
        return FileTransport(MAIL_FILES)
    raise NoTransport("SMTP_HOST is not set: outside development the worker needs a server that takes its mails")
