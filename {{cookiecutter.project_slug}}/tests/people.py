"""Factories: people with accounts, and what they write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from faker import Faker
from fastapi import FastAPI

from app.auth.tokens import create_access_token
from app.config import Settings
from app.database.database import Database
from app.models.article import Article
from app.models.resource import snake
from app.models.session import UserSession
from app.models.user import User
from app.models.workspace import Invitation, Membership
from app.repositories.base import Repository
from app.resources.catalog import catalog_of
from app.roles import Role
from app.services.audit import AuditLog, Origin
from app.services.workspaces import WorkspaceService
from tests.contract import ContractTransport
from tests.rows import make_row

PASSWORD = "correct horse battery staple"
# Of PASSWORD, made with the cheapest parameters: hashing anew for each account would be most of a test's time.
HASH = "$argon2id$v=19$m=8,t=1,p=1$0pqzNkbIuZfyfi9lLKX03g$W1N0WMNeZFQz/Dkjz0W2w9icMPha3slkFI6ipwKBIiY"

TOMORROW = datetime.now(UTC) + timedelta(days=1)

fake = Faker()


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and a client that sends his token."""

    user: User
    client: httpx.AsyncClient
    session_id: int

    @property
    def workspace_id(self) -> int:
        """The active workspace, as it was when the account was made."""
        assert self.user.active_workspace_id is not None
        return self.user.active_workspace_id


@dataclass(frozen=True)
class Served:
    """The application as a server on a real socket, and accounts for it."""

    url: str
    people: "People"


class People:
    """Puts accounts and articles into the database, past HTTP: quick, for tests of something else."""

    def __init__(self, app: FastAPI, database: Database, settings: Settings) -> None:
        self.app = app
        self.database = database
        self._settings = settings

    async def join(self, workspace: int | None = None, role: Role = Role.member, **fields: Any) -> Person:
        """A new account, logged in, in a workspace of its own, or in this one. Its password is `PASSWORD`."""
        defaults = {
            "email": fake.unique.email(),
            "username": fake.unique.user_name(),
            "hashed_password": HASH,
            "email_verified_at": datetime.now(UTC),
        }
        async with self.database.unit_of_work() as uow:
            user = await Repository(User, uow.session).add(User(**defaults | fields))
            workspaces = WorkspaceService(uow, self._settings, AuditLog(uow, Origin()))
            await workspaces.create(user.username, user)
            if workspace is not None:
                uow.session.add(Membership(workspace_id=workspace, user_id=user.id, role=role))
                await uow.session.flush()
                user.active_workspace_id = workspace
            session = UserSession(user_id=user.id, address="", user_agent="", expires_at=TOMORROW)
            uow.session.add(session)
        return Person(user, self.client(create_access_token(user.id, session.id, self._settings)), session.id)

    def client(self, token: str) -> httpx.AsyncClient:
        """A client that sends this access token."""
        return httpx.AsyncClient(
            transport=ContractTransport(self.app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        )

    async def write(self, author: Person, *, published: bool = True, **fields: Any) -> Article:
        """A new article in the author's workspace."""
        defaults = {"title": fake.sentence(), "content": fake.paragraph(), "workspace_id": author.workspace_id}
        async with self.database.unit_of_work() as uow:
            with uow.unscoped():
                article = Article(**defaults | fields, published=published, author_id=author.user.id)
                uow.session.add(article)
                await uow.session.flush()
        return article

    async def one_of_each(
        self, models: Sequence[type[Any]], author: Person, word: str, ids: Mapping[str, int]
    ) -> dict[str, int]:
        """New rows of these models in the author's workspace, but for those whose key is known: the keys of all."""
        known = dict(ids)
        async with self.database.unit_of_work() as uow:
            uow.enter(author.workspace_id)
            for model in models:
                keys = {key.parameter: key.field for key in catalog_of(model).entity_of(model).keys}
                if keys.keys() <= known.keys():
                    continue
                row = await make_row(uow.session, model, word, known, author.user.id)
                for parameter, name in keys.items():
                    known[f"{snake(model.__name__)}_{name}"] = known[parameter] = getattr(row, name)
        return known

    async def invite(self, host: Person, **fields: Any) -> Invitation:
        """A new invitation to the host's workspace."""
        defaults = {"email": fake.unique.email(), "role": Role.member, "expires_at": TOMORROW}
        invited = {"workspace_id": host.workspace_id, "invited_by_id": host.user.id}
        async with self.database.unit_of_work() as uow:
            invitation = Invitation(**defaults | invited | fields)
            uow.session.add(invitation)
        return invitation


def moment(text: str) -> datetime:
    """A time as it comes in JSON. Raises `ValueError` for one without an offset: nobody could tell what it means."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return parsed
