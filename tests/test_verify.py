"""The quality gate names what is wrong: each defect here is planted in a project, found, and taken out again."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from bakes import bake
from copies import Copy
from template import commit, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("project")

MIGRATION = '''"""What the test plants."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''


@dataclass(frozen=True)
class Defect:
    """What is planted, in which line of the gate it shows, and what is named there."""

    line: str
    named: str
    new: dict[str, str] = field(default_factory=dict)
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    generated: bool = False
    env: dict[str, str] = field(default_factory=dict)

    def plant(self, project: Copy) -> None:
        for name, text in self.new.items():
            (project.path / name).write_text(text.format(**project.settings), encoding="utf-8")
        for name, (old, new) in self.edits.items():
            source = (project.path / name).read_text(encoding="utf-8")
            assert source.count(old) == 1, f"{name} has changed: {old}"
            (project.path / name).write_text(source.replace(old, new), encoding="utf-8")
        for name in self.gone:
            (project.path / name).unlink()
        if self.generated:  # by somebody who takes what the application says for what it should say
            project.run("python", "-m", "app", "generate")


DEFECTS = {
    "an import that nobody needs": Defect(
        "lint",
        "app/models/tag.py",
        edits={"app/models/tag.py": ("from sqlalchemy import ", "import os\nfrom sqlalchemy import ")},
    ),
    "a function that gives another type than it says": Defect(
        "types", "app/extra.py:2: error", new={"app/extra.py": 'def count() -> int:\n    return "3"\n'}
    ),
    "a model that knows a router": Defect(
        "layers",
        "app.models.extra -> app.routers.articles",
        new={"app/models/extra.py": "from app.routers.articles import router\n\nROUTER = router\n"},
    ),
    "a key of a cloud in the code": Defect(
        "secrets", "app/extra.py:1", new={"app/extra.py": 'KEY = "AKIA' + "Z7Q4M2X9B5K8D3W6" + '"\n'}
    ),
    "the secret key of this machine in a document": Defect(
        "secrets", "notes.md: the SECRET_KEY of .env", new={"notes.md": "We sign with {SECRET_KEY}.\n"}
    ),
    "a package without a version": Defect(
        "lock", "leftpad is not pinned", edits={"requirements.txt": ("\nalembic==", "\nleftpad\nalembic==")}
    ),
    "a package that is not locked": Defect(
        "lock",
        "leftpad is in pyproject.toml and not in requirements.txt",
        edits={"pyproject.toml": ('    "aiosmtplib', '    "leftpad>=1",\n    "aiosmtplib')},
    ),
    "a package without a version, which does not install": Defect(
        "boot", "leftpad", edits={"requirements.txt": ("\nalembic==", "\nleftpad\nalembic==")}
    ),
    "a package of development in the application": Defect(
        "boot",
        "No module named 'faker'",
        edits={"app/application.py": ("from fastapi import ", "import faker\nfrom fastapi import ")},
    ),
    "a setting that only this machine has": Defect(
        "boot",
        "PARTNER_URL: it is not set",
        edits={"app/config.py": ("    debug: bool = False\n", "    debug: bool = False\n    partner_url: str\n")},
        env={"PARTNER_URL": "https://partner.example.com"},
    ),
    "a start that takes too long": Defect(
        "start",
        "s to the first answer",
        edits={"app/application.py": ("\ndef create_app(", "\n__import__('time').sleep(9)\n\n\ndef create_app(")},
    ),
    "a column that no migration makes": Defect(
        "drift",
        "subtitle",
        edits={
            "app/models/article.py": (
                "    content: Mapped[str]",
                "    subtitle: Mapped[str | None]\n    content: Mapped[str]",
            )
        },
    ),
    "a migration that cannot be taken back": Defect(
        "down",
        "table extras",
        new={
            "alembic/versions/0004_extras.py": MIGRATION.format(
                up='op.create_table("extras", sa.Column("id", sa.BigInteger(), primary_key=True))', down="pass"
            )
        },
    ),
    "an index that nobody can write under": Defect(
        "locks",
        "0004: reads every row of articles while nobody can write it",
        new={
            "alembic/versions/0004_index.py": MIGRATION.format(
                up='op.create_index("ix_articles_title", "articles", ["title"])',
                down='op.drop_index("ix_articles_title")',
            )
        },
    ),
    "a column that turns required on a table in use": Defect(
        "locks",
        "0004: reads every row of users while nobody can read or write it",
        new={
            "alembic/versions/0004_required.py": MIGRATION.format(
                up='op.alter_column("users", "active_workspace_id", nullable=False, existing_type=sa.BigInteger())',
                down='op.alter_column("users", "active_workspace_id", nullable=True, existing_type=sa.BigInteger())',
            )
        },
    ),
    "an image that runs as root": Defect("image", "runs as root", edits={"Dockerfile": ("\nUSER 10001:10001\n", "\n")}),
    "a secret that is baked into the image": Defect(
        "image",
        "ENV SECRET_KEY",
        edits={"Dockerfile": ("\nENV HOME=/tmp \\\n", "\nENV SECRET_KEY=hidden HOME=/tmp \\\n")},
    ),
    "a route that the contract does not have": Defect(
        "contract",
        "openapi.yaml",
        edits={"app/routers/articles.py": ('    """One article: published, or', '    """An article: published, or')},
    ),
    "a date that the schema takes for text": Defect(
        "fuzz",
        "/articles",
        edits={"app/schemas/article.py": ("    created_at: datetime", "    created_at: str")},
        generated=True,
    ),
    "a client's mistake that is a 500": Defect(
        "fuzz",
        "/extra",
        new={
            "app/routers/extra.py": (
                "from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n"
                '@router.get("/extra")\nasync def read_extra(number: str) -> int:\n'
                '    """A number."""\n    return int(number)\n'
            )
        },
        generated=True,
    ),
    "a route without authentication": Defect(
        "access",
        "/extra",
        new={
            "app/routers/extra.py": (
                "from fastapi import APIRouter\nfrom sqlalchemy import select\n\nfrom app.dependencies import Reads\n"
                "from app.models.user import User\n\nrouter = APIRouter()\n\n\n"
                '@router.get("/extra")\nasync def list_extra(reader: Reads) -> list[str]:\n'
                '    """Everybody."""\n    return [user.email for user in await reader.all(select(User))]\n'
            )
        },
        generated=True,
    ),
    "a change of what is not the caller's own": Defect(
        "access",
        "PATCH /articles/{article_id}",
        edits={
            "app/services/articles.py": (
                "if article.author_id != editor.user.id and not editor.role.includes(Role.admin):",
                "if article.author_id is None:",
            )
        },
    ),
    "a query that forgets the workspace": Defect(
        "access",
        "/articles/{article_id}",
        edits={
            "app/repositories/articles.py": (
                'Article.workspace_id == bindparam("workspace_id")',
                "Article.workspace_id.is_not(None)",
            )
        },
    ),
    "a reference that forgets the workspace": Defect(
        "tenancy",
        "test_every_reference_among_a_workspaces_rows_names_the_workspace",
        edits={
            "app/models/article.py": (
                "    author_id: Mapped[int]",
                '    of_id: Mapped[int | None] = mapped_column(ForeignKey("articles.id"))\n    author_id: Mapped[int]',
            )
        },
        new={
            "alembic/versions/0004_reference.py": MIGRATION.format(
                up='op.add_column("articles", sa.Column("of_id", sa.BigInteger(), sa.ForeignKey("articles.id")))',
                down='op.drop_column("articles", "of_id")',
            )
        },
    ),
    "tests that somebody has taken away": Defect(
        "tenancy", "no test ran in tests/test_tenants.py", gone=("tests/test_tenants.py",)
    ),
}


@pytest.fixture(scope="module")
def verified(template: Path, place: Path, project: Path) -> Iterator[Copy]:
    """A project in git, whose database runs for as long as the tests of this module do."""
    copy = Copy(bake(template, place / "verified"), project)
    env = copy.path / ".env"
    env.write_text("".join(f"{name}={value}\n" for name, value in copy.settings.items() if name != "PATH"))
    commit(copy.path, "Rendered")
    with copy.database():
        yield copy


def measured(project: Copy, env: dict[str, str], *lines: str) -> tuple[int, dict[str, Any]]:
    """The exit code of the gate, and what it says as JSON."""
    command = [str(project.path / ".venv/bin/python"), "-m", "tools.verify", "--json", "--only", *lines]
    env = os.environ | project.settings | env
    done = subprocess.run(command, cwd=project.path, env=env, check=False, capture_output=True, encoding="utf-8")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS.keys())
def test_it_is_found_and_named(verified: Copy, defect: Defect) -> None:
    try:
        defect.plant(verified)
        code, report = measured(verified, defect.env, defect.line)
    finally:
        git("checkout", "--quiet", ".", cwd=verified.path)
        git("clean", "--quiet", "--force", "-d", cwd=verified.path)
    (line,) = report["lines"]
    assert code == 1, report
    assert line["earned"] < line["points"], line
    assert defect.named in line["said"] + line["details"], line["said"] + line["details"]
