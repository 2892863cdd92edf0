"""What a message in the outbox becomes, who gets it, and what of it can be read in the database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from app.auth.opaque import digest
from app.config import Settings
from app.database.database import Database
from app.models.one_time_token import Purpose
from app.models.user import User
from app.models.workspace import Invitation
from app.repositories.base import Repository
from app.roles import Role
from app.services.one_time_tokens import OneTimeTokens
from app.services.outbox import Kind, Outbox
from tests.letters import ADDRESS, Letters, MailServer, make_due, outbox, put
from tests.people import People, Person


async def invite(database: Database, host: Person, email: str = ADDRESS) -> Invitation:
    invitation = Invitation(
        workspace_id=host.workspace_id,
        invited_by_id=host.user.id,
        email=email,
        role=Role.member,
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    async with database.unit_of_work() as uow:
        await Repository(Invitation, uow.session).add(invitation)
        await Outbox(uow).put(
            "invitation", email, invitation_id=invitation.id, workspace="Engines", inviter=host.user.username
        )
    return invitation


class TestWhatIsSent:
    @pytest.mark.parametrize(
        ("kind", "recipient"),
        [("verify_email", ADDRESS), ("change_email", "countess@example.com"), ("reset_password", ADDRESS)],
    )
    async def test_a_token_arrives_and_is_good_once(
        self, database: Database, people: People, letters: Letters, kind: Kind, recipient: str
    ) -> None:
        ada = await people.join(email_verified_at=None, email=ADDRESS)
        user_id = None if kind == "reset_password" else ada.user.id
        await put(database, kind, recipient, user_id=user_id)
        (letter,) = await letters()
        assert letter.to == recipient
        assert letter.token is not None
        assert letter.token in letter.html
        async with database.unit_of_work() as uow:
            redeemed = await OneTimeTokens(uow).redeem(letter.token, Purpose(kind))
        assert (redeemed.user_id, redeemed.email) == (ada.user.id, recipient)
        assert await outbox(database) == []
        assert await letters() == []

    async def test_an_invitation_arrives_and_can_be_accepted_from_then_on(
        self, database: Database, people: People, letters: Letters, settings: Settings
    ) -> None:
        host = await people.join(email_verified_at=None, username="host")
        invitation = await invite(database, host)
        (letter,) = await letters()
        assert letter.to == ADDRESS
        assert letter.subject.startswith("host invites you to Engines")
        assert letter.token is not None
        current = await database.reader().one_or_none(select(Invitation).where(Invitation.id == invitation.id))
        assert current is not None
        assert current.token_hash == digest(letter.token)
        left = current.expires_at - datetime.now(UTC)
        assert timedelta(0) <= timedelta(days=settings.invitation_expire_days) - left < timedelta(minutes=1)

    @pytest.mark.parametrize("kind", ["email_changed", "password_changed", "account_exists"])
    async def test_a_notice_arrives(self, database: Database, people: People, letters: Letters, kind: Kind) -> None:
        ada = await people.join(email_verified_at=None, email="new@example.com")
        await put(database, kind, user_id=ada.user.id, new_email="new@example.com")
        (letter,) = await letters()
        assert (letter.to, letter.token) == (ADDRESS, None)
        assert ("new@example.com" in letter.text) == (kind == "email_changed")

    async def test_what_is_rolled_back_is_not_sent(self, database: Database, letters: Letters) -> None:
        with pytest.raises(LookupError):
            async with database.unit_of_work() as uow:
                await Outbox(uow).put("account_exists", ADDRESS)
                raise LookupError
        assert await letters() == []

    async def test_an_address_is_verified_as_it_is_now(
        self, database: Database, people: People, letters: Letters
    ) -> None:
        ada = await people.join(email_verified_at=None, email=ADDRESS)
        await put(database, "verify_email", ADDRESS, user_id=ada.user.id)
        async with database.unit_of_work() as uow:
            await uow.session.execute(update(User).where(User.id == ada.user.id).values(email="new@example.com"))
        (letter,) = await letters()
        assert letter.to == "new@example.com"

    async def test_a_reset_goes_to_the_address_that_is_known_and_not_to_what_was_typed(
        self, database: Database, people: People, letters: Letters
    ) -> None:
        """What looks alike to lower(), such as U+212A for K, may be somebody else's domain."""
        await people.join(email_verified_at=None, email="ada@kiosk.example.com")
        for typed in ("ADA@kiosk.example.com", "ada@\u212aiosk.example.com"):
            await put(database, "reset_password", typed)
        assert {letter.to for letter in await letters()} == {"ada@kiosk.example.com"}

    async def test_what_has_no_reason_any_more_is_dropped(
        self, database: Database, people: People, letters: Letters
    ) -> None:
        await put(database, "reset_password", "nobody@example.com")
        verified = await people.join(email_verified_at=datetime.now(UTC))
        await put(database, "verify_email", verified.user.email, user_id=verified.user.id)
        disabled = await people.join(email_verified_at=None, disabled_at=datetime.now(UTC))
        await put(database, "reset_password", disabled.user.email)
        gone = await people.join(email_verified_at=None)
        await put(database, "verify_email", gone.user.email, user_id=gone.user.id)
        revoked = await invite(database, verified)
        async with database.unit_of_work() as uow:
            await uow.session.delete(await uow.session.get_one(User, gone.user.id))
            await uow.session.delete(await uow.session.get_one(Invitation, revoked.id))
        assert await letters() == []
        assert await outbox(database) == []


async def dump(database: Database) -> str:
    """Every column of every row, as text."""
    async with database.unit_of_work() as uow:
        tables = await uow.session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        return "\n".join(
            [
                row
                for table in tables.all()
                for row in (await uow.session.scalars(text(f'SELECT t::text FROM "{table}" t'))).all()  # noqa: S608  # names of our own tables
            ]
        )


async def test_robustness_18_no_token_that_was_mailed_is_in_the_database(
    database: Database, people: People, letters: Letters, mailbox: MailServer
) -> None:
    ada = await people.join(email_verified_at=None, email=ADDRESS)
    await put(database, "verify_email", user_id=ada.user.id)
    await put(database, "change_email", "new@example.com", user_id=ada.user.id)
    await put(database, "reset_password")
    await invite(database, ada, "guest@example.com")
    queued = await dump(database)
    assert queued.count("guest@example.com") == 2
    mailbox.quoting = True  # the server puts the mail into its refusal
    while await letters.worker.send_next():
        pass
    tokens = [letter.token for letter in mailbox.collect()]
    refused = await dump(database)
    assert "550" in refused
    mailbox.quoting = False
    await make_due(database)
    tokens += [letter.token for letter in await letters()]
    sent = await dump(database)
    assert len(set(tokens)) == 8
    for token in tokens:
        assert token is not None
        for form in (token, token.encode().hex()):
            assert form not in queued + refused + sent
        assert digest(token).hex() in refused + sent, "what is there is the hash"
