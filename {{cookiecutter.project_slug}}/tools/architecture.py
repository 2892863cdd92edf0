"""`python -m tools.architecture`: draws the layers in docs/architecture.md from the contract that imports are held to.

What import-linter checks is what is drawn, so the picture cannot grow old: `--check` fails when it has.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "architecture.md"
_BEGIN: Final = "<!-- drawn by python -m tools.architecture -->\n"
_END: Final = "<!-- end -->\n"


def drawn() -> str:
    """The page with the layers as pyproject.toml has them now. Raises `ValueError` if it has no place for them."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no {_BEGIN.strip()} … {_END.strip()}")
    tables = "\n".join(_table(contract) for contract in _contracts())
    return f"{before}{begin}\n{tables}\n{end}{after}"


def _contracts() -> list[Any]:
    """Those about layers, each of one package."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[Any] = settings["tool"]["importlinter"]["contracts"]
    return [contract for contract in contracts if contract["type"] == "layers"]


def _table(contract: Any) -> str:
    """The layers from the top. Modules in one row do not know each other."""
    (package,) = contract["containers"]
    rows = "".join(
        f"| {number} | {cell} |\n" for number, cell in enumerate(_cells(package, contract["layers"]), start=1)
    )
    return f"### `{package.replace('.', '/')}/`\n\n| | may import what is below |\n|---|---|\n{rows}"


def _cells(package: str, layers: list[str]) -> Iterator[str]:
    for layer in layers:
        modules = [name.strip() for name in layer.split("|")]
        yield "<br>".join(f"`{name}` {_sentence(f'{package}.{name}')}" for name in modules)


def _sentence(module: str) -> str:
    """What the module says of itself first."""
    path = ROOT / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).replace("|", "\\|")


def main() -> None:
    """Exits with a sentence when the page is not current and was to be checked only."""
    page = drawn()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
    elif page != PAGE.read_text(encoding="utf-8"):
        sys.exit(f"{PAGE.name} does not show the layers of pyproject.toml: python -m tools.architecture")


if __name__ == "__main__":
    main()
