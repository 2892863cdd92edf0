"""What keeps a workspace's rows together in the database itself, past the ORM."""

from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    MetaData,
    Table,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app import discovery
from app.database.database import Database
from app.errors import Invalid
from app.models.base import Declarative, WorkspaceScoped
from app.models.user import User
from tests.tenancy.two import Two


def faults(scoped: Iterable[Table]) -> list[str]:
    """What is missing in the tables of a workspace's rows to keep each with its kind."""
    tables = list(scoped)
    found = []
    for table in tables:
        unique = [
            {column.name for column in constraint.columns}
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        if {"workspace_id", "id"} not in unique:
            found.append(f"{table.name} has no unique constraint on (workspace_id, id)")
        for key in table.foreign_key_constraints:
            pairs = {(element.parent.name, element.column.name) for element in key.elements}
            if key.referred_table in tables and ("workspace_id", "workspace_id") not in pairs:
                found.append(f"{table.name}.{', '.join(key.column_keys)} may point into another workspace")
    return found


class TestTables:
    def test_every_reference_among_a_workspaces_rows_names_the_workspace(self) -> None:
        list(discovery.modules("app.models"))
        scoped = [
            mapper.local_table for mapper in Declarative.registry.mappers if issubclass(mapper.class_, WorkspaceScoped)
        ]
        assert "articles" in {table.name for table in scoped if isinstance(table, Table)}
        assert faults(table for table in scoped if isinstance(table, Table)) == []

    def test_one_that_forgets_it_is_found(self) -> None:
        articles, notes = child_of_articles(ForeignKeyConstraint(["article_id"], ["articles.id"]))
        assert faults([articles, notes]) == [
            "notes has no unique constraint on (workspace_id, id)",
            "notes.article_id may point into another workspace",
        ]
        crossed = ForeignKeyConstraint(["article_id", "workspace_id"], ["articles.workspace_id", "articles.id"])
        articles, notes = child_of_articles(crossed, UniqueConstraint("workspace_id", "id"))
        assert faults([articles, notes]) == ["notes.article_id, workspace_id may point into another workspace"]
        articles, notes = child_of_articles(as_the_docstring_says(), UniqueConstraint("workspace_id", "id"))
        assert faults([articles, notes]) == []

    async def test_robustness_27_a_child_stays_with_its_parent(
        self, two: Two, database: Database, connection: AsyncConnection
    ) -> None:
        _, notes = child_of_articles(as_the_docstring_says())
        await connection.run_sync(notes.create)
        note = insert(notes).values(id=1, article_id=two.mine.id)
        with pytest.raises(Invalid, match=r"^article_id refers to nothing"):
            async with database.unit_of_work() as uow:
                await uow.session.execute(note.values(workspace_id=two.bob.workspace_id))
        async with database.unit_of_work() as uow:
            await uow.session.execute(note.values(workspace_id=two.ada.workspace_id))
        with pytest.raises(Invalid, match=r"^article_id refers to nothing"):
            async with database.unit_of_work() as uow:
                await uow.session.execute(update(notes).values(article_id=two.foreign.id))

    async def test_robustness_27_nobody_works_where_he_is_no_member(self, two: Two, database: Database) -> None:
        values = {"user": two.ada.user.id, "workspace": two.bob.workspace_id}
        with pytest.raises(Invalid, match="active_workspace_id"):
            async with database.unit_of_work() as uow:
                statement = text("UPDATE users SET active_workspace_id = :workspace WHERE id = :user")
                await uow.session.execute(statement, values)
        async with database.unit_of_work() as uow:
            await uow.session.execute(text("DELETE FROM memberships WHERE user_id = :user"), {"user": two.ada.user.id})
        active = select(User.active_workspace_id).where(User.id == two.ada.user.id)
        assert await database.reader().one_or_none(active) is None, "a membership that ends takes this along"

    async def test_robustness_27_nobody_invites_where_he_is_no_member(self, two: Two, database: Database) -> None:
        statement = text(
            "INSERT INTO invitations (workspace_id, email, role, invited_by_id, expires_at)"
            " VALUES (:workspace, 'eve@example.com', 'member', :inviter, now())"
        )
        values = {"workspace": two.ada.workspace_id, "inviter": two.bob.user.id}
        with pytest.raises(Invalid, match="invited_by_id refers to nothing"):
            async with database.unit_of_work() as uow:
                await uow.session.execute(statement, values)
        async with database.unit_of_work() as uow:
            await uow.session.execute(statement, values | {"inviter": two.ada.user.id})


def as_the_docstring_says() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["workspace_id", "article_id"], ["articles.workspace_id", "articles.id"])


def child_of_articles(*constraints: Any) -> tuple[Table, Table]:
    """The articles, and a table that refers to them, apart from the application's own."""
    metadata = MetaData(naming_convention=Declarative.metadata.naming_convention)
    for table in Declarative.metadata.tables.values():
        table.to_metadata(metadata)
    columns = [Column(name, BigInteger) for name in ("id", "workspace_id", "article_id")]
    return metadata.tables["articles"], Table("notes", metadata, *columns, *constraints)
