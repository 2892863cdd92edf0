import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.discovery import modules


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of the test's own."""
    path = tmp_path / "found"
    (path / "sub").mkdir(parents=True)
    for file in ("__init__.py", "b.py", "a.py", "sub/__init__.py", "sub/c.py"):
        (path / file).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    for name in [name for name in sys.modules if name.split(".")[0] == "found"]:
        del sys.modules[name]


def test_every_module_is_found_in_order(package: Path) -> None:
    assert [module.__name__ for module in modules("found")] == ["found.a", "found.b", "found.sub", "found.sub.c"]


@pytest.mark.parametrize("file", ["b.py", "sub/__init__.py", "sub/c.py"])
def test_a_module_that_cannot_be_imported_fails_the_start(package: Path, file: str) -> None:
    (package / file).write_text("import there_is_no_such_thing")
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_thing"):
        list(modules("found"))
