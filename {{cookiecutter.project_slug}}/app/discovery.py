"""Modules are found by where they lie, so that adding one is adding a file."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def modules(package_name: str) -> Iterator[ModuleType]:
    """Import every module of the package, subpackages included, in the order of their names.

    A module that cannot be imported raises whatever it raises: better no start than a part silently absent.
    """
    package = importlib.import_module(package_name)
    for found in sorted(pkgutil.walk_packages(package.__path__, f"{package_name}."), key=lambda m: m.name):
        yield importlib.import_module(found.name)
