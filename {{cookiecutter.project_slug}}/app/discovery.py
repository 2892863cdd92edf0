"""Modules are found by where they lie, so that adding one is adding a file. What cannot be found so fails the start."""

import gc
import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeVar

Declared = TypeVar("Declared")


def modules(package_name: str) -> Iterator[ModuleType]:
    """Import every module of the package, subpackages included, in the order of their names.

    A module that cannot be imported raises whatever it raises, with a note that names it: better no start than a part
    silently absent. For the same reason a folder of modules that is no package raises `ImportError`.
    """
    package = importlib.import_module(package_name)
    _refuse_folders(package)
    for found in sorted(pkgutil.iter_modules(package.__path__, f"{package_name}."), key=lambda one: one.name):
        try:
            module = importlib.import_module(found.name)
        except Exception as error:
            error.add_note(f"{found.name} could not be imported. It lies in {package_name}, so it is needed")
            raise
        yield module
        if found.ispkg:
            yield from modules(found.name)


def declared(package_name: str, name: str, kind: type[Declared]) -> Iterator[Declared]:
    """What every module of the package calls by this name. A package may do without: its modules have theirs.

    Raises `ImportError` for a module that has nothing of that kind by that name.
    """
    for module in modules(package_name):
        value = getattr(module, name, None)
        if isinstance(value, kind):
            yield value
        elif value is not None or not hasattr(module, "__path__"):
            raise ImportError(
                f"{module.__name__} has no `{name}` of type {kind.__name__}, though it lies in {package_name}"
            )


@contextmanager
def assembling() -> Iterator[None]:
    """For a block that makes what stays. Nothing looks for garbage in that, neither now nor later: a start with two
    hundred models takes two thirds of the time. One block may stand within another.
    """
    within_another = not gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not within_another:
            gc.freeze()
            gc.enable()


def _refuse_folders(package: ModuleType) -> None:
    for folder in (folder for place in package.__path__ for folder in Path(place).iterdir() if folder.is_dir()):
        if not (folder / "__init__.py").exists() and next(folder.glob("*.py"), None):
            raise ImportError(f"{folder} holds modules that nobody would find: it has no __init__.py")
