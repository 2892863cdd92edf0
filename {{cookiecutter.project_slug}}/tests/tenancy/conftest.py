"""Two workspaces, beside which nothing else is there."""

import pytest

from tests.people import People
from tests.tenancy.two import Two


@pytest.fixture
async def two(people: People) -> Two:
    ada, bob = await people.join(), await people.join()
    return Two(ada, bob, await people.write(ada), await people.write(bob))
