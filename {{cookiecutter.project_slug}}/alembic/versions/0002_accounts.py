"""Accounts.

Sessions, workspaces with their members and invitations, one-time tokens, the outbox, the audit log and idempotency
keys. Every user who is there already gets a workspace of his own, which his articles move into.

On a live database: new tables, and columns that are added without rewriting a table. But users and articles are locked,
reading included, for as long as it takes to give each article its workspace: some seconds for a million. The version of
the application before this one cannot write articles afterwards, because a workspace is demanded of them: stop it
first. Going back drops the new tables with all that they hold; users and articles stay.

Revision: 0002
Follows: 0001
Date: 2026-11-21
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

locks_accepted = "The application is stopped for this one, and it takes some seconds for a million articles."

ROLES = ("viewer", "member", "admin", "owner")
PURPOSES = ("verify_email", "change_email", "reset_password")

REFUSE_CHANGES = """
CREATE FUNCTION refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    create_workspaces()
    create_sessions()
    create_mail()
    create_records()
    give_everybody_a_workspace()


def create_workspaces() -> None:
    op.create_table("workspaces", key(), sa.Column("name", sa.String(100), nullable=False), *timestamps())
    op.create_table(
        "memberships",
        key(),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        *timestamps(),
        sa.CheckConstraint(sa.column("role").in_(ROLES), name="role"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "user_id"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_index(
        "ix_memberships_owners", "memberships", ["workspace_id"], postgresql_where=sa.text("role = 'owner'")
    )
    create_index_by_age("memberships", "workspace_id")
    op.create_table(
        "invitations",
        key(),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("invited_by_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        *timestamps(),
        sa.CheckConstraint(sa.column("role").in_(ROLES), name="role"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        # What somebody has offered who is not there any more is no offer.
        sa.ForeignKeyConstraint(
            ["workspace_id", "invited_by_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("uq_invitations_email", "invitations", ["workspace_id", sa.text("lower(email)")], unique=True)
    op.create_index("ix_invitations_workspace_id_invited_by_id", "invitations", ["workspace_id", "invited_by_id"])
    op.create_index("ix_invitations_expires_at", "invitations", ["expires_at"])
    create_index_by_age("invitations", "workspace_id")


def create_sessions() -> None:
    op.create_table(
        "sessions",
        key(),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("user_agent", sa.String(400), nullable=False),
        moment("created_at"),
        moment("last_used_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "refresh_tokens",
        key(),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        moment("created_at"),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_table(
        "one_time_tokens",
        key(),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        moment("created_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(sa.column("purpose").in_(PURPOSES), name="purpose"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("user_id", "purpose"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_one_time_tokens_expires_at", "one_time_tokens", ["expires_at"])


def create_mail() -> None:
    op.create_table(
        "outbox",
        key(),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("recipient", sa.String(255), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("invitation_id", sa.BigInteger()),
        sa.Column("context", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        moment("created_at"),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        moment("next_attempt_at"),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitations.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_outbox_user_id", "outbox", ["user_id"])
    op.create_index("ix_outbox_invitation_id", "outbox", ["invitation_id"])
    # What the worker asks for once a second: due, and not given up.
    op.create_index("ix_outbox_due", "outbox", ["next_attempt_at", "id"], postgresql_where=sa.text("failed_at IS NULL"))


def create_records() -> None:
    op.create_table(
        "audit_events",
        key(),
        moment("created_at"),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("actor_id", sa.BigInteger()),
        sa.Column("workspace_id", sa.BigInteger()),
        sa.Column("address", sa.String(45)),
        sa.Column("user_agent", sa.String(400)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    create_index_by_age("audit_events")
    for column in ("action", "actor_id", "workspace_id"):
        create_index_by_age("audit_events", column)
    op.execute(REFUSE_CHANGES)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_changes()"
    )
    op.create_table(
        "idempotency_keys",
        key(),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", postgresql.JSONB()),
        sa.Column("body", sa.LargeBinary()),
        moment("created_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("user_id", "key"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def give_everybody_a_workspace() -> None:
    op.add_column("users", sa.Column("email_verified_at", sa.DateTime(timezone=True)))
    op.add_column("users", sa.Column("disabled_at", sa.DateTime(timezone=True)))
    op.add_column("users", sa.Column("is_superuser", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("active_workspace_id", sa.BigInteger()))
    op.add_column("articles", sa.Column("workspace_id", sa.BigInteger()))

    op.add_column("workspaces", sa.Column("founder_id", sa.BigInteger()))  # tells them apart until they have members
    op.execute("INSERT INTO workspaces (name, founder_id) SELECT username, id FROM users")
    op.execute("INSERT INTO memberships (workspace_id, user_id, role) SELECT id, founder_id, 'owner' FROM workspaces")
    op.execute("UPDATE users SET active_workspace_id = workspaces.id FROM workspaces WHERE founder_id = users.id")
    op.execute("UPDATE articles SET workspace_id = workspaces.id FROM workspaces WHERE founder_id = articles.author_id")
    op.drop_column("workspaces", "founder_id")

    op.create_foreign_key(
        "fk_users_active_workspace_id_id",
        "users",
        "memberships",
        ["active_workspace_id", "id"],
        ["workspace_id", "user_id"],
        ondelete="SET NULL (active_workspace_id)",
    )
    op.create_index("ix_users_active_workspace_id", "users", ["active_workspace_id"])
    op.alter_column("articles", "workspace_id", nullable=False)
    op.create_foreign_key(
        "fk_articles_workspace_id", "articles", "workspaces", ["workspace_id"], ["id"], ondelete="CASCADE"
    )
    # Who sees drafts too lists other rows than the front page's index has.
    op.drop_index("ix_articles_front_page", "articles")
    op.create_index("ix_articles_newest", "articles", [sa.text("created_at DESC"), sa.text("id DESC")])
    create_index_by_age("articles", "workspace_id")
    create_index_by_age("users")
    # What children of an article will refer to: it keeps them in the article's workspace.
    op.create_unique_constraint("uq_articles_workspace_id_id", "articles", ["workspace_id", "id"])


def create_index_by_age(table: str, *of: str) -> None:
    """For lists, newest first or oldest first."""
    columns = [*of, "created_at", "id"]
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True)


def moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)


def timestamps() -> list[sa.Column[object]]:
    return [moment("created_at"), moment("updated_at")]


def downgrade() -> None:
    op.drop_index("ix_users_created_at_id", "users")
    op.drop_index("ix_articles_newest", "articles")
    op.create_index(
        "ix_articles_front_page",
        "articles",
        [sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("published"),
    )
    op.drop_constraint("uq_articles_workspace_id_id", "articles")
    op.drop_column("articles", "workspace_id")
    op.drop_constraint("fk_users_active_workspace_id_id", "users")
    for column in ("active_workspace_id", "is_superuser", "disabled_at", "email_verified_at"):
        op.drop_column("users", column)
    for table in (
        *("idempotency_keys", "audit_events", "outbox", "one_time_tokens", "refresh_tokens", "sessions"),
        *("invitations", "memberships", "workspaces"),
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_changes()")
