"""Files that are there already: what is added to them, and what goes."""

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.eject import source


class EjectError(Exception):
    """What cannot be done; the message says why, and what would help."""


def amended(path: Path, text: str, head: str, body: str, names: dict[str, tuple[str, str]]) -> str:
    """The text of a module with more at its end, and with what it has to import. `head` comes before all functions."""
    if not text.strip():
        return source.formatted(source.with_imports(f"{head}\n\n\n{body}\n", names), str(path))
    tree = ast.parse(text)
    lines = text.splitlines()
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    first = next((node for node in tree.body if _is_code(node)), None)
    after_imports = (imports[-1].end_lineno or 0) if imports else _end_of_docstring(tree)
    before_code = _first_line(first) - 1 if first else len(lines)
    wanted = source.imports(f"{head}\n\n\n{body}\n", names)
    parts = [
        *lines[:after_imports],
        *wanted,
        *"\n".join(lines[after_imports:before_code]).rstrip().split("\n"),
        head,
        "\n",
        *lines[before_code:],
        "\n",
        body,
        "",
    ]
    return source.formatted("\n".join(parts), str(path))


def defined(text: str) -> set[str]:
    """The names that a module gives to something."""
    return set(source.names_of(ast.parse(text)))


def without_marks(text: str, functions: Sequence[str]) -> str:
    """The module without `@overrides` on these functions."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name in functions:
            for mark in node.decorator_list:
                if isinstance(mark, ast.Name) and mark.id == "overrides":
                    lines[mark.lineno - 1] = ""
    return "".join(lines)


def collection_with(text: str, variable: str, schema: str) -> str:
    """The module with `Collection(Tag, TagRead)` where it says `Collection(Tag)`."""
    for node in ast.parse(text).body:
        made = node.value if isinstance(node, ast.Assign) else None
        if isinstance(made, ast.Call) and variable in {name.id for name in _targets(node)}:
            if len(made.args) > 1 or made.keywords:
                return text
            return _inserted(text, made.args[-1].end_lineno or 0, made.args[-1].end_col_offset or 0, f", {schema}")
    return text


def without_routes(path: Path, text: str, model: str) -> str:
    """The model's module, where its `__resource__` says `routes=False`. Raises `EjectError`."""
    call = _resource(ast.parse(text), model)
    if call is None:
        raise EjectError(
            f"{path} writes no `__resource__ = Resource(...)` in the class {model}: add routes=False there yourself"
        )
    said = next((keyword for keyword in call.keywords if keyword.arg == "routes"), None)
    if said is not None:  # it says True
        value = said.value
        return _inserted(text, value.lineno, value.col_offset, "False", value.end_col_offset)
    more = ", " if call.keywords else ""
    name = call.func
    opening = (name.end_lineno or 0, (name.end_col_offset or 0) + 1)
    return source.formatted(_inserted(text, *opening, f"routes=False{more}"), str(path))


def _resource(tree: ast.Module, model: str) -> ast.Call | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == model:
            for one in node.body:
                if "__resource__" in {name.id for name in _targets(one)}:
                    value = getattr(one, "value", None)
                    return value if isinstance(value, ast.Call) and not value.args else None
    return None


def _inserted(text: str, line: int, column: int, new: str, until: int | None = None) -> str:
    """The text with something new at a place that `ast` has named: it counts bytes."""
    lines = text.splitlines(keepends=True)
    old = lines[line - 1].encode()
    lines[line - 1] = (old[:column] + new.encode() + old[column if until is None else until :]).decode()
    return "".join(lines)


def _targets(node: ast.stmt) -> Iterable[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target for target in targets if isinstance(target, ast.Name)]


def _end_of_docstring(tree: ast.Module) -> int:
    return (tree.body[0].end_lineno or 0) if ast.get_docstring(tree) is not None else 0


def _is_code(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def _first_line(node: ast.stmt) -> int:
    """Where the definition begins, with its decorators."""
    marks: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(mark.lineno for mark in marks)])
