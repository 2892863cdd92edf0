"""Factories: people with accounts, and what they write."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from faker import Faker
from fastapi import FastAPI

from app.auth.tokens import create_access_token
from app.config import Settings
from app.database import Database
from app.models.article import Article
from app.models.user import User
from tests.contract import ContractTransport

PASSWORD = "correct horse battery staple"
# Of PASSWORD, made with the cheapest parameters: hashing anew for each account would be most of a test's time.
HASH = "$argon2id$v=19$m=8,t=1,p=1$0pqzNkbIuZfyfi9lLKX03g$W1N0WMNeZFQz/Dkjz0W2w9icMPha3slkFI6ipwKBIiY"

fake = Faker()


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and a client that sends his token."""

    user: User
    client: httpx.AsyncClient


class People:
    """Puts accounts and articles into the database, past HTTP: quick, for tests of something else."""

    def __init__(self, app: FastAPI, database: Database, settings: Settings) -> None:
        self._app = app
        self.database = database
        self._settings = settings

    async def join(self, **fields: Any) -> Person:
        """A new account. Its password is `PASSWORD`."""
        defaults = {"email": fake.unique.email(), "username": fake.unique.user_name(), "hashed_password": HASH}
        async with self.database.unit_of_work() as uow:
            user = User(**defaults | fields)
            uow.session.add(user)
        token = create_access_token(user.id, self._settings)
        client = httpx.AsyncClient(
            transport=ContractTransport(self._app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        )
        return Person(user, client)

    async def write(self, author: Person, *, published: bool = True, **fields: Any) -> Article:
        """A new article."""
        defaults = {"title": fake.sentence(), "content": fake.paragraph()}
        async with self.database.unit_of_work() as uow:
            article = Article(**defaults | fields, published=published, author_id=author.user.id)
            uow.session.add(article)
        return article


def moment(text: str) -> datetime:
    """A time as it comes in JSON. Raises `ValueError` for one without an offset: nobody could tell what it means."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return parsed
