"""Invitations that many accept, revoke and send again at the same moment."""

import asyncio

import httpx
import pytest
from sqlalchemy import select

from app.models.user import User
from app.models.workspace import Membership
from tests.contract import ContractTransport
from tests.letters import Letters
from tests.people import PASSWORD, People
from tests.routers.test_invitations import ADDRESS, NOT_VALID, accept, address, token_for


class TestAtOnce:
    """Requirement 17 has a sister: an invitation is good for one."""

    async def test_robustness_17_of_twenty_who_accept_one_joins(self, own_people: People, own_letters: Letters) -> None:
        ada = await own_people.join()
        eve = await own_people.join(email=ADDRESS)
        token = await token_for(ada, own_letters)
        answers = await asyncio.gather(*[accept(eve.client, token) for _ in range(20)])
        assert sorted(answers) == [(200, ""), *[NOT_VALID] * 19]

    async def test_robustness_17_of_twenty_new_accounts_one_is_made(
        self, own_people: People, own_letters: Letters
    ) -> None:
        ada = await own_people.join()
        token = await token_for(ada, own_letters)
        async with httpx.AsyncClient(transport=ContractTransport(own_people.app), base_url="http://test") as client:
            tries = [accept(client, token, username=f"eve{number}", password=PASSWORD) for number in range(20)]
            answers = await asyncio.gather(*tries)
        assert sorted(answers) == [(200, ""), *[NOT_VALID] * 19]
        assert len(await own_people.database.reader().all(select(User.id))) == 2
        assert len(await own_people.database.reader().all(select(Membership.id))) == 3

    @pytest.mark.parametrize("end", ["", "/invitations/{invitation}"], ids=["the workspace", "the invitation"])
    async def test_accepting_what_is_being_deleted(self, own_people: People, own_letters: Letters, end: str) -> None:
        """Either way round, and never half."""
        eve = await own_people.join(email=ADDRESS)
        for _ in range(5):
            ada = await own_people.join()
            token = await token_for(ada, own_letters)
            (invitation,) = (await ada.client.get(address(ada))).json()
            url = f"/workspaces/{ada.workspace_id}"
            accepted, deleted = await asyncio.gather(
                eve.client.post("/invitations/accept", json={"token": token}),
                ada.client.delete(url + end.format(invitation=invitation["id"])),
            )
            outcome = (accepted.status_code, deleted.status_code)
            assert outcome in ({(200, 204), (401, 204)} if not end else {(200, 404), (401, 204)})
            inside = (await eve.client.get(url)).status_code
            assert inside == (200 if end and accepted.is_success else 404)
