"""From runtime to explicit code, and nobody who asks over HTTP can tell."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from bakes import bake
from copies import Copy
from template import ROOT, commit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("project")

DATA = ROOT / "tests" / "data"


class Ejected(Copy):
    """One whose resources become code."""

    def eject(self, *arguments: str, fails: bool = False) -> str:
        return self.run("make", "eject", *arguments, fails=fails)

    def keeps_the_rules(self) -> None:
        """The contract on disk is the one that is served, and the code is as the project wants it."""
        self.run("python", "-m", "app", "generate", "--check")
        self.run("ruff", "check", "--no-cache", ".")
        self.run("ruff", "format", "--no-cache", "--check", ".")
        self.run("lint-imports", "--no-cache")

    def passes(self, tests: list[str]) -> None:
        self.run("python", "-m", "pytest", "-q", "-n", "auto", *tests)

    def text(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def new_tests(self) -> list[str]:
        return self.run("git", "ls-files", "--others", "--exclude-standard", "tests").split()


@pytest.fixture(scope="module")
def shop(template: Path, place: Path, project: Path) -> Ejected:
    """A blog with a shop in it, not ejected."""
    copy = Ejected(bake(template, place / "shop"), project)
    shutil.copy(DATA / "shop.py", copy.path / "app" / "models")
    shutil.copy(DATA / "coupons.py", copy.path / "app" / "services")
    copy.run("make", "migrate")
    copy.run("make", "migration", "m=a shop")
    copy.run("ruff", "check", "--fix", "--quiet", "alembic")
    copy.run("ruff", "format", "--quiet", "alembic")
    copy.run("python", "-m", "app", "generate")
    commit(copy.path, "A shop")
    return copy


@pytest.fixture(scope="module")
def blog(template: Path, place: Path, project: Path) -> Ejected:
    """A blog under version control."""
    copy = Ejected(bake(template, place / "ejected"), project)
    copy.run("python", "-m", "app", "generate")
    commit(copy.path, "As it was made")
    return copy


def test_what_cannot_be_is_said_and_nothing_is_changed(blog: Ejected) -> None:
    assert "There is: comment, tag, all" in blog.eject("entity=tog", fails=True)
    assert "explicit already" in blog.eject("entity=article", fails=True)
    assert "yes=1" in blog.eject("entity=comment", fails=True)
    router = blog.path / "app" / "routers" / "comments.py"
    committed = router.read_bytes()
    router.write_bytes(committed + b"# An edit.\n")
    assert "not committed in app/routers/comments.py" in blog.eject("entity=comment", "yes=1", fails=True)
    assert blog.run("git", "status", "--porcelain").split() == ["M", "app/routers/comments.py"]
    router.write_bytes(committed)


def test_a_change_of_the_contract_is_taken_back(blog: Ejected) -> None:
    """Somebody's own schema of that name is used, and says something else."""
    schema = blog.path / "app" / "schemas" / "tag.py"
    schema.write_text(
        "from app.schemas.base import Output\n\n\nclass TagRead(Output):\n    id: int\n    word: str = ''\n",
        encoding="utf-8",
    )
    commit(blog.path, "A schema")
    assert "the contract would be another" in blog.eject("entity=tag", "yes=1", fails=True)
    assert blog.run("git", "status", "--porcelain") == ""
    schema.unlink()
    commit(blog.path, "No schema")


def test_a_blog_one_after_the_other(blog: Ejected) -> None:
    described = blog.text("ir.json")
    assert "the contract is the same" in blog.eject("entity=tag")
    blog.eject("entity=comments", "yes=1")
    blog.keeps_the_rules()
    assert blog.text("ir.json") == described.replace('"routes": true', '"routes": false')
    assert "overrides" not in blog.text("app/routers/comments.py")
    assert "A draft takes no comments" in blog.text("app/routers/comments.py")
    assert "nothing any more" in blog.eject("entity=all", fails=True)


def test_a_shop_with_all_that_a_model_may_declare(place: Path, project: Path, shop: Ejected) -> None:
    """The same tests pass before and after."""
    left = shutil.ignore_patterns(".venv", ".postgres")
    ejected = Ejected(shutil.copytree(shop.path, place / "ejected-shop", ignore=left), project)
    ejected.eject("entity=all", "yes=1")
    ejected.keeps_the_rules()
    ejected.run("mypy", "--cache-dir", str(project / ".mypy_cache"))
    tests = ejected.new_tests()
    assert len(tests) == 13  # tags and comments have some that were there
    ejected.passes(tests)
    for name in tests:
        shutil.copy(ejected.path / name, shop.path / name)
    shop.passes(tests)
