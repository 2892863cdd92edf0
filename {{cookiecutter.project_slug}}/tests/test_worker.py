"""From the outbox to a mail that has arrived, whatever happens on the way."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select
from structlog.testing import capture_logs
from typer.testing import CliRunner

from app import cli, worker
from app.config import ROOT, Settings
from app.database.database import Database, open_database
from app.errors import Unavailable
from app.mail.transports import SmtpTransport
from app.main import create_app
from app.models.idempotency_key import IdempotencyKey
from app.models.one_time_token import OneTimeToken, Purpose
from app.models.session import UserSession
from app.models.user import User
from app.models.workspace import Invitation
from app.roles import Role
from app.services.housekeeping import clear_away
from app.services.outbox import Outbox
from app.worker import ATTEMPTS, Worker
from tests.letters import ADDRESS, Letters, MailServer, make_due, outbox, put, sending_to
from tests.people import People

CLOSED = "postgresql://nobody:nothing@127.0.0.1:1/nowhere"


class TestWhenSendingFails:
    async def test_a_server_that_is_down_is_tried_again(self, database: Database, letters: Letters) -> None:
        settings = letters.worker._settings.model_copy(update={"smtp_port": 1})
        without_server = Worker(database, settings, SmtpTransport(settings))
        await put(database)
        for attempt in (1, 2):
            await make_due(database)
            assert await without_server.send_next()
            assert not await without_server.send_next(), "not at once"
            (message,) = await outbox(database)
            assert (message.attempts, message.failed_at) == (attempt, None)
            assert "Error connecting to 127.0.0.1 on port 1" in str(message.last_error)
        await make_due(database)
        assert len(await letters()) == 1
        assert await outbox(database) == []

    async def test_the_pauses_grow_up_to_an_hour(self, database: Database) -> None:
        await put(database)
        pauses = []
        for _ in range(ATTEMPTS + 1):
            await make_due(database)
            async with database.unit_of_work() as uow:
                message = await Outbox(uow).claim()
                assert message is not None
                pauses.append(message.next_attempt_at - (await uow.session.scalars(select(func.now()))).one())
        assert [pause.total_seconds() for pause in pauses] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]

    @pytest.mark.parametrize(("answer", "dead"), [("550", True), ("451", False)])
    async def test_a_recipient_who_is_refused_for_good_is_not_tried_again(
        self, database: Database, letters: Letters, mailbox: MailServer, answer: str, dead: bool
    ) -> None:
        mailbox.refused[ADDRESS] = f"{answer} Not this one"
        await put(database)
        await put(database, recipient="bob@example.com")
        while await letters.worker.send_next():
            pass
        assert [letter.to for letter in mailbox.collect()] == ["bob@example.com"]
        (message,) = await outbox(database)
        assert (message.failed_at is not None) == dead
        assert answer in str(message.last_error)
        await make_due(database)
        assert await letters.worker.send_next() == (not dead)

    async def test_the_last_attempt_leaves_a_dead_letter(
        self, database: Database, letters: Letters, mailbox: MailServer
    ) -> None:
        mailbox.refused[ADDRESS] = "451 Try again later"
        await put(database)
        with capture_logs() as logs:
            for _ in range(ATTEMPTS):
                (message,) = await outbox(database)
                assert message.failed_at is None
                await make_due(database)
                assert await letters.worker.send_next()
        (message,) = await outbox(database)
        assert (message.attempts, message.failed_at is not None) == (ATTEMPTS, True)
        assert [line["log_level"] for line in logs] == ["warning"] * (ATTEMPTS - 1) + ["error"]
        await make_due(database)
        assert not await letters.worker.send_next()

    async def test_who_is_killed_while_he_sends_leaves_the_message(
        self, own_app: FastAPI, own_letters: Letters, mailbox: MailServer
    ) -> None:
        database = own_app.state.database
        await put(database)
        mailbox.open.clear()
        sending = asyncio.create_task(own_letters.worker.send_next())
        await mailbox.asked.wait()
        assert not await own_letters.worker.send_next(), "it is in hand"
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        mailbox.open.set()
        assert await own_letters() == []
        await make_due(database)
        assert len(await own_letters()) == 1

    async def test_a_server_that_never_answers_is_given_up_before_the_next_attempt(
        self, own_app: FastAPI, own_letters: Letters, mailbox: MailServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = own_app.state.database
        assert timedelta(seconds=worker._PATIENCE) < timedelta(seconds=30)
        monkeypatch.setattr(worker, "_PATIENCE", 0.05)
        mailbox.open.clear()
        await put(database)
        assert await own_letters.worker.send_next()
        (message,) = await outbox(database)
        assert (message.attempts, message.last_error) == (1, "TimeoutError: ")

    async def test_who_comes_back_late_leaves_the_message_to_its_new_owner(self, database: Database) -> None:
        await put(database)
        claims = []
        for _ in range(2):
            await make_due(database)
            async with database.unit_of_work() as uow:
                claims.append(await Outbox(uow).claim())
        late, _ = claims
        assert late is not None
        async with database.unit_of_work() as uow:
            await Outbox(uow).failed(late, "too late", final=True)
        (message,) = await outbox(database)
        assert (message.attempts, message.failed_at, message.last_error) == (2, None, None)

    async def test_a_message_that_cannot_be_written_does_not_hold_up_the_others(
        self, database: Database, letters: Letters, mailbox: MailServer
    ) -> None:
        await put(database, "email_changed")  # without the new address
        await put(database, "no_such_kind")  # type: ignore[arg-type]  # of a newer version of this application
        await put(database)
        while await letters.worker.send_next():
            pass
        assert len(mailbox.collect()) == 1
        errors = [str(message.last_error) for message in await outbox(database)]
        assert ["'new_email' is undefined" in errors[0], "no_such_kind" in errors[1]] == [True, True]

    async def test_an_answer_that_is_no_text_can_be_noted(self, database: Database, letters: Letters) -> None:
        async def grumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in (b"220 EHLO, please", b"250 MAIL, please", b"250 RCPT, please", b"550 \xe4\xff \0!"):
                writer.write(answer + b"\r\n")
                await reader.readline()
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(grumble, "127.0.0.1", 0) as server:
            change = {"smtp_port": server.sockets[0].getsockname()[1]}
            settings = letters.worker._settings.model_copy(update=change)
            await put(database)
            assert await Worker(database, settings, SmtpTransport(settings)).send_next()
        (message,) = await outbox(database)
        assert message.last_error == "Refused: 550 ?? !"


class TestTheLoop:
    async def test_workers_do_not_send_a_message_twice(
        self, own_app: FastAPI, own_letters: Letters, own_settings: Settings, mailbox: MailServer
    ) -> None:
        database = own_app.state.database
        addresses = {f"user{number}@example.com" for number in range(20)}
        for address in addresses:
            await put(database, recipient=address)
        other = Letters(database, own_settings, mailbox)
        halves = await asyncio.gather(own_letters(), other())
        arrived = [letter.to for half in halves for letter in half]
        assert len(arrived) == 20
        assert set(arrived) == addresses
        assert await outbox(database) == []

    async def test_a_database_that_is_down_is_waited_for_and_told_once(
        self, settings: Settings, mailbox: MailServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "_POLL", 0.001)
        stop = asyncio.Event()
        rounds = 0

        class Counted(Worker):
            async def send_next(self) -> bool:
                nonlocal rounds
                rounds += 1
                if rounds == 5:
                    stop.set()
                return await super().send_next()

        own = sending_to(mailbox, settings).model_copy(update={"database_url": SecretStr(CLOSED)})
        async with open_database(own) as nowhere:
            with pytest.raises(Unavailable):
                await Worker(nowhere, own, SmtpTransport(own)).send_next()
            with capture_logs() as logs:
                await Counted(nowhere, own, SmtpTransport(own)).run(stop)
        assert rounds == 5
        (line,) = logs
        assert "The database does not answer" in str(line)

    async def test_a_worker_that_waits_ends_when_it_is_told(
        self, own_app: FastAPI, own_letters: Letters, mailbox: MailServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "_POLL", 3600)
        stop = asyncio.Event()
        await put(own_app.state.database)
        async with asyncio.timeout(30):
            running = asyncio.create_task(own_letters.worker.run(stop))
            while await outbox(own_app.state.database):
                await mailbox.asked.wait()
            stop.set()
            await running

    async def test_what_has_expired_is_cleared_away_and_nothing_else(self, database: Database, people: People) -> None:
        past, future = (datetime.now(UTC) + timedelta(minutes=sign) for sign in (-1, 1))
        for number, (moment, age) in enumerate([(past, timedelta(hours=25)), (future, timedelta(hours=23))]):
            ada = await people.join()
            async with database.unit_of_work() as uow:
                uow.session.add_all(
                    [
                        UserSession(user_id=ada.user.id, address="", user_agent="", expires_at=moment),
                        OneTimeToken(
                            user_id=ada.user.id,
                            purpose=Purpose.verify_email,
                            email=ADDRESS,
                            token_hash=bytes([number]),
                            expires_at=moment,
                        ),
                        Invitation(
                            workspace_id=ada.workspace_id,
                            invited_by_id=ada.user.id,
                            email=ADDRESS,
                            role=Role.member,
                            expires_at=moment,
                        ),
                        IdempotencyKey(
                            user_id=ada.user.id, key="a", fingerprint=b"", created_at=datetime.now(UTC) - age
                        ),
                    ]
                )
        models = [UserSession, OneTimeToken, Invitation, IdempotencyKey, User]
        before = [await count(database, model) for model in models]
        await clear_away(database)
        after = [await count(database, model) for model in models]
        assert before == [4, 2, 2, 2, 2], "two people, each logged in, and what was added"
        assert after == [3, 1, 1, 1, 2]

    async def test_a_running_application_sends_by_itself_and_stops_at_once(
        self, own_app: FastAPI, own_settings: Settings, mailbox: MailServer
    ) -> None:
        mailbox.reset()
        settings = sending_to(mailbox, own_settings).model_copy(update={"worker_in_process": True})
        app = create_app(settings)
        await put(own_app.state.database)
        async with app.router.lifespan_context(app):
            await mailbox.asked.wait()
        assert [letter.to for letter in mailbox.collect()] == [ADDRESS], "and has finished what was in hand"
        assert await outbox(own_app.state.database) == []


async def count(database: Database, model: Any) -> int | None:
    return await database.reader().one_or_none(select(func.count()).select_from(model))


def test_the_command_refuses_to_start_without_a_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    change = {"environment": "production", "smtp_host": ""}
    monkeypatch.setattr(cli, "get_settings", lambda: settings.model_copy(update=change))
    result = CliRunner().invoke(cli.cli, ["worker"])
    assert result.exit_code == 1
    assert "SMTP_HOST is not set" in str(result.exception)


async def test_the_command_sends_and_ends_with_sigterm(
    own_app: FastAPI, own_settings: Settings, mailbox: MailServer
) -> None:
    environment = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": own_settings.secret_key.get_secret_value(),
        "DATABASE_URL": own_settings.dsn,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailbox.port),
        "SMTP_SECURITY": "none",
    }
    await put(own_app.state.database)
    mailbox.reset()
    mailbox.open.clear()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app", "worker"),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            await mailbox.asked.wait()
    process.send_signal(signal.SIGTERM)
    mailbox.open.set()
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert b'"event":"mail_sent"' in output
    assert [letter.to for letter in mailbox.collect()] == [ADDRESS]
    assert await outbox(own_app.state.database) == []


async def test_a_worker_does_not_wait_for_a_message_that_another_one_takes(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    for recipient in ("ada@example.com", "bob@example.com"):
        await put(database, recipient=recipient)
    neither_has_ended = asyncio.Barrier(2)

    async def take(times: int) -> list[str | None]:
        async with database.unit_of_work() as uow:
            taken = [await Outbox(uow).claim() for _ in range(times)]
            await neither_has_ended.wait()
        return [message.recipient if message else None for message in taken]

    async with asyncio.timeout(10):
        one, other = await asyncio.gather(take(1), take(2))
    assert {*one, *other} == {"ada@example.com", "bob@example.com", None}
