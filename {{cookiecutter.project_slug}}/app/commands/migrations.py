"""Bringing a database to the newest schema, from wherever: the command line, the tests, a deployment."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.config import ROOT, Settings


def config(settings: Settings) -> Config:
    """Alembic's configuration for the database of the settings. `alembic/env.py` takes them from it."""
    alembic = Config(ROOT / "alembic.ini")
    alembic.attributes["settings"] = settings
    return alembic


def newest_revision() -> str | None:
    """The revision that `head` stands for."""
    return ScriptDirectory(str(ROOT / "alembic")).get_current_head()


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Apply every migration up to the revision.

    Raises `alembic.util.CommandError`, with a sentence, when the database cannot be reached.
    """
    command.upgrade(config(settings), revision)
