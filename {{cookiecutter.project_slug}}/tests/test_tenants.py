"""Two tenants on one server, and nothing of the one ever comes to the other, whatever is asked in whatever order."""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from schemathesis.schemas import APIOperation
from sqlalchemy import text

from app.models.base import Declarative, WorkspaceScoped
from tests.good_requests import good_request
from tests.people import Person, Served
from tests.test_access import ACCESS, SERVED
from tests.test_contract import OPERATIONS

# These end the session that asks, and everything after it would be refused.
ENDS = {"POST /auth/logout", "POST /auth/logout-all", "POST /users/me/password", "DELETE /users/me"}
ASKED = sorted(ACCESS.keys() - ENDS)


@dataclass
class Tenant:
    """Somebody with a workspace in which everything holds the canary."""

    person: Person
    canary: str
    ids: dict[str, list[int]] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": self.person.client.headers["authorization"]}


async def settle(served: Served) -> Tenant:
    canary = f"canary{secrets.token_hex(4)}"
    person = await served.people.join(username=canary, email=f"{canary}@example.com")
    draft = await served.people.write(person, published=False, title=canary, content=f"{canary} sings")
    colleague = await served.people.join(person.workspace_id, username=f"{canary}.too")
    known = {
        "article_id": draft.id,
        "invitation_id": (await served.people.invite(person, email=f"{canary}.three@example.com")).id,
        "session_id": person.session_id,
        "user_id": person.user.id,
        "workspace_id": person.workspace_id,
    }
    every = await served.people.one_of_each(SERVED, person, canary, known)
    ids = {name: [key] for name, key in every.items()}
    ids["user_id"].append(colleague.user.id)
    return Tenant(person, canary, ids)


async def belongings(served: Served, tenant: Tenant) -> list[Any]:
    """Everything that the tenant has, as the database holds it."""
    scoped = [
        mapper.local_table for mapper in Declarative.registry.mappers if issubclass(mapper.class_, WorkspaceScoped)
    ]
    queries = (
        "SELECT to_jsonb(t) FROM users t WHERE id = :user",
        "SELECT to_jsonb(t) FROM sessions t WHERE user_id = :user ORDER BY id",
        "SELECT to_jsonb(t) FROM workspaces t WHERE id = :workspace",
        "SELECT to_jsonb(t) FROM article_tags t WHERE workspace_id = :workspace ORDER BY 1",
        *(
            f"SELECT to_jsonb(t) FROM {name} t WHERE workspace_id = :workspace ORDER BY 1"  # noqa: S608  # our tables
            for name in ("memberships", "invitations", *scoped)
        ),
    )
    keys = {"user": tenant.person.user.id, "workspace": tenant.person.workspace_id}
    async with served.people.database.unit_of_work() as uow:
        return [
            (
                await uow.session.scalars(
                    text(query).bindparams(**{key: value for key, value in keys.items() if f":{key}" in query})
                )
            ).all()
            for query in queries
        ]


def with_ids(body: Any, ids: dict[str, list[int]]) -> Any:
    """The body, with every id in it that of the tenant."""
    if isinstance(body, dict):
        return {key: ids[key][0] if key in ids else with_ids(value, ids) for key, value in body.items()}
    return body


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
async def test_robustness_25_no_request_reaches_across(
    operation: APIOperation[Any, Any, Any, Any], served: Served
) -> None:
    """Requests of every kind by the one, with the keys of the other."""
    ada, bob = await settle(served), await settle(served)
    before = await belongings(served, ada)

    @examples(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case[Any]) -> None:
        for name in set(case.path_parameters or {}) & ada.ids.keys():
            case.path_parameters[name] = ada.ids[name][0]
        case.body = with_ids(case.body, ada.ids)
        response = case.call(base_url=served.url, headers=bob.headers)
        assert ada.canary not in response.text
        assert response.status_code < 500
        assert not case.path_parameters or response.status_code >= 400

    await asyncio.to_thread(send)
    assert await belongings(served, ada) == before


class TwoTenants(RuleBasedStateMachine):
    """Each asks anything of anybody's, in any order. What is made on the way is asked for later, by both."""

    def __init__(self, url: str, new_tenant: Callable[[], Tenant]) -> None:
        super().__init__()
        self.tenants = [new_tenant(), new_tenant()]
        self.client = httpx.Client(base_url=url)

    def teardown(self) -> None:
        self.client.close()

    @rule(who=st.booleans(), whose=st.booleans(), operation=st.sampled_from(ASKED), data=st.data())
    def ask(self, *, who: bool, whose: bool, operation: str, data: st.DataObject) -> None:
        asking, owner = self.tenants[who], self.tenants[whose]
        method, path = operation.split()
        names = re.findall(r"\{(\w+)\}", path)
        ids = {name: data.draw(st.sampled_from(values)) for name, values in owner.ids.items()}
        if not set(names) <= ids.keys():
            return  # nothing of the kind was made yet
        response = self.client.request(
            method, path.format(**ids), headers=asking.headers, **good_request(operation, asking.canary, ids)
        )
        self.client.cookies.clear()
        assert self.tenants[not who].canary not in response.text, f"{operation} shows what is not the caller's"
        assert response.status_code < 500
        if "location" in response.headers:
            self.remember(asking, response.headers["location"])

    def remember(self, tenant: Tenant, location: str) -> None:
        """Where something was made: `/articles/7` is an `article_id`."""
        for operation in ASKED:
            path = operation.split()[1]
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", path)
            if found := re.fullmatch(pattern, location):
                for name, value in found.groupdict().items():
                    tenant.ids.setdefault(name, []).append(int(value))
                return


async def test_robustness_26_no_answer_ever_holds_the_others_canary(served: Served) -> None:
    loop = asyncio.get_running_loop()

    def new_tenant() -> Tenant:
        return asyncio.run_coroutine_threadsafe(settle(served), loop).result()

    budget = examples(
        max_examples=10, stateful_step_count=30, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )

    machine: Any = partial(TwoTenants, served.url, new_tenant)  # Hypothesis takes any factory, and says a class
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=budget)
