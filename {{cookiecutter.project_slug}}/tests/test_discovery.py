import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.routers
from app.config import Settings
from app.discovery import declared, modules
from app.main import create_app


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
    name = "found." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_thing") as caught:
        list(modules("found"))
    assert caught.value.__notes__[0].startswith(f"{name} could not be imported")


def test_so_does_a_folder_of_modules_that_is_no_package(package: Path) -> None:
    (package / "sub" / "__init__.py").unlink()
    with pytest.raises(ImportError, match=r"sub holds modules that nobody would find: it has no __init__\.py"):
        list(modules("found"))
    (package / "sub" / "c.py").rename(package / "sub" / "c.txt")
    assert [module.__name__ for module in modules("found")] == ["found.a", "found.b"]


def test_what_modules_declare_is_found_in_every_one(package: Path) -> None:
    for file in ("a.py", "b.py", "sub/c.py"):
        (package / file).write_text(f"router = {file!r}")
    assert list(declared("found", "router", str)) == ["a.py", "b.py", "sub/c.py"]


@pytest.mark.parametrize("content", ["", "router = 1", "routers = 'misspelt'", "router = None"])
@pytest.mark.parametrize("file", ["b.py", "sub/c.py"])
def test_a_module_without_it_fails_the_start(package: Path, file: str, content: str) -> None:
    for each in ("a.py", "b.py", "sub/c.py"):
        (package / each).write_text("router = 'there'")
    (package / file).write_text(content)
    name = "found." + file.removesuffix(".py").replace("/", ".")
    with pytest.raises(ImportError, match=f"^{name} has no `router` of type str, though it lies in found"):
        list(declared("found", "router", str))


def test_a_package_declares_nothing_or_the_right_thing(package: Path) -> None:
    for each in ("a.py", "b.py", "sub/c.py"):
        (package / each).write_text("router = 'there'")
    (package / "sub" / "__init__.py").write_text("router = 1")
    with pytest.raises(ImportError, match=r"found\.sub has no `router`"):
        list(declared("found", "router", str))


async def test_the_application_does_not_start_without_a_router(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    (tmp_path / "forgotten.py").write_text("def list_forgotten(): ...")
    monkeypatch.setattr(app.routers, "__path__", [*app.routers.__path__, str(tmp_path)])
    with pytest.raises(ImportError, match=r"^app\.routers\.forgotten has no `router` of type APIRouter"):
        create_app(settings)
    sys.modules.pop("app.routers.forgotten")
