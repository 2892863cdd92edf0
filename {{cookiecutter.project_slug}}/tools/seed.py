"""`python -m app seed`: people and articles to look at."""

import asyncio
import random
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import typer
from alembic.util import CommandError
from faker import Faker
from sqlalchemy import insert, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from app.auth.passwords import hash_password
from app.commands.migrations import upgrade
from app.config import get_settings
from app.database.database import Database, open_database
from app.models.article import Article
from app.models.user import User
from app.models.workspace import Membership, Workspace
from app.repositories.base import Repository
from app.roles import Role
from tools.embedded_postgres import EmbeddedPostgresError, serving

BATCH: Final = 1_000
ARTICLES_PER_AUTHOR: Final = 20


def fill(articles: int) -> None:
    """Add so many articles and a few authors, in batches that are kept even if it is interrupted.

    All the new authors share one new password, which is printed: a seeded database must not have
    a password that everybody knows.
    """
    settings = get_settings()
    if settings.environment != "development":
        sys.exit("Invented people do not belong into this database: ENVIRONMENT is not development.")
    try:
        with serving(settings.dsn):
            upgrade(settings)
            asyncio.run(_fill(articles))
    except (EmbeddedPostgresError, CommandError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; what was added so far is there.")


async def _fill(articles: int) -> None:
    password = secrets.token_urlsafe(9)
    async with open_database(get_settings()) as database:
        authors = await _add_authors(database, articles // ARTICLES_PER_AUTHOR + 1, password)
        workspace_id = await _bring_together(database, list(authors))
        with typer.progressbar(length=articles, label="Articles") as progress:
            for batch in _batches(articles, workspace_id, list(authors)):
                async with database.unit_of_work() as uow:
                    with uow.unscoped():
                        await uow.session.execute(insert(Article), batch)
                progress.update(len(batch))
    typer.echo(f"{articles:,} articles by {len(authors):,} authors.")
    typer.echo(f"Log in as {next(iter(authors.values()))}, or any of them, with the password {password}")


async def _add_authors(database: Database, count: int, password: str) -> dict[int, str]:
    """New authors: their ids and user names."""
    fake = Faker()
    hashed = await hash_password(password)
    authors: dict[int, str] = {}
    while len(authors) < min(count, 2_000):
        people = [_person(fake, hashed) for _ in range(min(count - len(authors), BATCH))]
        # A name that is taken, in this run or an earlier one, is skipped.
        statement = insert_or_skip(User).on_conflict_do_nothing().returning(User.id, User.username)
        async with database.unit_of_work() as uow:
            authors |= {row.id: row.username for row in await uow.session.execute(statement, people)}
    return authors


async def _bring_together(database: Database, user_ids: list[int]) -> int:
    """Put them into one new workspace, whose id this gives. The first of them owns it."""
    async with database.unit_of_work() as uow:
        workspace = await Repository(Workspace, uow.session).add(Workspace(name="Seeded"))
        members = [
            {"workspace_id": workspace.id, "user_id": user_id, "role": Role.member if index else Role.owner}
            for index, user_id in enumerate(user_ids)
        ]
        await uow.session.execute(insert(Membership), members)
        await uow.session.execute(update(User).where(User.id.in_(user_ids)).values(active_workspace_id=workspace.id))
        return workspace.id


def _person(fake: Faker, hashed: str) -> dict[str, Any]:
    first, last = fake.first_name(), fake.last_name()
    username = f"{first}.{last}{random.randint(1, 9999)}".lower()  # noqa: S311  # not a secret
    return {
        "email": f"{username}@example.com",
        "username": username,
        "hashed_password": hashed,
        "email_verified_at": datetime.now(UTC),
    }


def _batches(count: int, workspace_id: int, author_ids: list[int]) -> Iterator[list[dict[str, Any]]]:
    fake = Faker()
    # Inventing every sentence anew would take minutes; combining a few hundred looks the same.
    paragraphs = [fake.paragraph(nb_sentences=5) for _ in range(400)]
    sentences = [fake.sentence(nb_words=6).rstrip(".") for _ in range(400)]
    for start in range(0, count, BATCH):
        articles = [_article(author_ids, sentences, paragraphs) for _ in range(min(BATCH, count - start))]
        yield [article | {"workspace_id": workspace_id} for article in articles]


def _article(author_ids: list[int], sentences: list[str], paragraphs: list[str]) -> dict[str, Any]:
    written = datetime.now(UTC) - timedelta(minutes=random.randrange(2 * 365 * 24 * 60))  # noqa: S311
    return {
        "title": random.choice(sentences),  # noqa: S311
        "content": "\n\n".join(random.choices(paragraphs, k=random.randint(2, 6))),  # noqa: S311
        "published": random.random() < 0.8,  # noqa: S311, PLR2004
        "author_id": random.choice(author_ids),  # noqa: S311
        "created_at": written,
        "updated_at": written,
    }
