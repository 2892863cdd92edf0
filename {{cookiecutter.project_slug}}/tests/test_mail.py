"""What the mails say, and that they arrive."""

import pytest

from app.database import Database
from app.services.outbox import Kind, Outbox
from tests.letters import Letters
from tests.people import People


@pytest.mark.parametrize("kind", ["verify_email", "change_email", "reset_password"])
async def test_it_arrives(database: Database, people: People, letters: Letters, kind: Kind) -> None:
    ada = await people.join(email="Ada@example.com")
    async with database.unit_of_work() as uow:
        await Outbox(uow).put(kind, ada.user.email, user_id=ada.user.id)
    (letter,) = await letters()
    assert letter.to == "Ada@example.com"
    assert letter.token
    assert letter.token in letter.html
    assert await letters() == []
