"""What is rendered: the same bytes each time, every file sound, and answers that stay data whatever they hold."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bakes import COMBINATIONS, HOSTILE, bake, bake_hostile
from cookiecutter.prompt import render_variable
from cookiecutter.utils import create_env_with_context
from dotenv import dotenv_values
from markdown_it import MarkdownIt
from template import ROOT, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = "{{cookiecutter.project_slug}}"
# These hold answers. Every other file of the project is copied as it is, and may hold braces of its own.
RENDERED = {
    *(".env.example", "AGENTS.md", "LICENSE", "README.md", "SECURITY.md", "openapi.yaml", "pyproject.toml"),
    *("Dockerfile", "docker-compose.override.yml", "docker-compose.yml"),
}


def files(directory: Path) -> dict[str, Path]:
    """Every file of a tree by its path in it."""
    paths = (path for path in directory.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(directory).as_posix(): path for path in paths}


def snapshot(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file."""
    return {name: (path.read_bytes(), path.stat().st_mode) for name, path in files(directory).items()}


def test_every_file_of_the_project_is_there_and_no_other(baked: Path, template: Path) -> None:
    assert files(baked).keys() == files(template / PROJECT).keys()


def test_what_holds_no_answers_is_copied_byte_by_byte(baked: Path, template: Path) -> None:
    original, rendered = snapshot(template / PROJECT), snapshot(baked)
    assert [name for name in original if original[name] != rendered[name] and name not in RENDERED] == []


def test_no_jinja_is_left_over(baked: Path) -> None:
    for name, path in files(baked).items():
        if name in RENDERED:
            text = path.read_text(encoding="utf-8").replace(HOSTILE, "")
            for escaped in escaped_answers():
                text = text.replace(escaped, "")
            assert not re.search(r"\{\{|\}\}|\{%|%\}|\{#|cookiecutter\.", text), name


def test_every_toml_yaml_and_json_file_can_be_read(baked: Path) -> None:
    for name, path in files(baked).items():
        text = path.read_text(encoding="utf-8")
        if name.endswith(".toml"):
            tomllib.loads(text)
        elif name.endswith((".yaml", ".yml")):
            assert list(yaml.safe_load_all(text)), name
        elif name.endswith(".json"):
            json.loads(text)


def test_lines_end_as_in_unix_and_files_with_a_line(baked: Path) -> None:
    for name, path in files(baked).items():
        content = path.read_bytes()
        assert b"\r" not in content, name
        assert content.endswith(b"\n") or not content, name
        assert not content.endswith(b"\n\n"), name


def test_two_bakes_are_the_same_bytes(template: Path, tmp_path: Path) -> None:
    first, second = (bake(template, tmp_path / name) for name in ("first", "second"))
    assert snapshot(first) == snapshot(second)


def test_rendering_alone_makes_nothing_but_the_files(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = bake(template, tmp_path)
    assert capfd.readouterr().out == "Rendered only. To set it up: cd fastapi-blog && make setup\n"
    assert not {".env", ".git", ".venv", ".postgres", ".setup.log"} & {path.name for path in project.iterdir()}


def test_a_bake_over_a_project_keeps_what_is_not_the_templates(template: Path, tmp_path: Path) -> None:
    project = bake(template, tmp_path)
    mine = [project / ".env", project / "app" / "models" / "mine.py", project / "tests" / "mine" / "test_mine.py"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    (project / "app" / "main.py").unlink()
    again = bake(template, tmp_path, overwrite_if_exists=True)
    assert (again / "app" / "main.py").exists()
    assert [path.read_text(encoding="utf-8") for path in mine] == ["mine"] * 3


def test_every_path_can_be_checked_out_on_every_system() -> None:
    names = git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    assert [name for name in names if re.search(r'[<>:"|?*\\]|[ .](/|$)', name)] == []
    assert len({name.casefold() for name in names}) == len(set(names))


def test_each_licence_is_the_one_asked_for(baked: Path, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["baked"]
    licence = COMBINATIONS.get(name, {}).get("license", "MIT")
    first_words = {
        "MIT": "MIT License",
        "Apache-2.0": "                                 Apache License",
        "BSD-3-Clause": "BSD 3-Clause License",
        "Proprietary": "Copyright (c) Your Name. All rights reserved.",
    }
    text = (baked / "LICENSE").read_text(encoding="utf-8")
    assert text.splitlines()[0] == first_words[licence]
    if licence in {"MIT", "BSD-3-Clause"}:
        assert f"Copyright (c) {HOSTILE if name == 'hostile' else 'Your Name'}\n" in text
    metadata = tomllib.loads((baked / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["license"] == {"Proprietary": "LicenseRef-Proprietary"}.get(licence, licence)


# ------------------------------------------------------------------------------------------- answers stay data


def derived(question: str, text: str) -> dict[str, str]:
    """The private variables of cookiecutter.json that are derived from the answer to a question."""
    variables: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    prefix = {"project_name": "__name_", "author_name": "__author_"}.get(question, f"__{question}_")
    environment = create_env_with_context({})
    answers = dict.fromkeys(("project_name", "description", "author_name"), "other") | {question: text}
    return {
        name.removeprefix(prefix): render_variable(environment, source, answers)
        for name, source in variables.items()
        if name.startswith(prefix)
    }


def escaped_answers() -> Iterator[str]:
    for question in ("project_name", "description", "author_name"):
        yield from derived(question, HOSTILE).values()


TEXTS = [
    *("FastAPI Blog", HOSTILE, "\\", '"', '\\"', "a\\nb", "\\u0041", "{{ x }}", "${HOME}", "$${HOME}", "\\${HOME}"),
    *("${", "${A:-b}", "# x", "x #", "x # y", "- x", "+ x", "* x", "1. x", "1) x", "2024.", "---", "===", "> x", "`x`"),
    *("snake_case", "[x](y)", "![x](y)", "[x]: y", "<b>", "<!-- x", "&amp;", "&#35;", "~~~", "| a |"),
    *("**x**", "_x_", "a  b", "!", "'", "''", "%", "@", "!!str", "null", "true", "0123", "x:", ": x",),
    *("x:", ": x", "x\u00a0y", "e\u0301", "\ufeffx", "\U0001f469\u200d\U0001f467", "עברית"),
]  # fmt: skip


def markdown_text(source: str) -> list[str]:
    """The text that each heading, paragraph and list item of a Markdown document shows."""
    inline = (token for token in MarkdownIt("commonmark").enable("table").parse(source) if token.type == "inline")
    return ["".join(child.content for child in token.children or []) for token in inline]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("question", ["project_name", "description"])
def test_a_text_comes_back_from_each_format(question: str, text: str, tmp_path: Path) -> None:
    forms = derived(question, text)
    assert tomllib.loads(f'x = "{forms["quoted"]}"')["x"] == text
    assert yaml.safe_load(f'x: "{forms["quoted"]}"')["x"] == text
    assert json.loads(f'"{forms["quoted"]}"') == text
    assert yaml.safe_load(f'x: "{forms["compose"]}"')["x"].replace("$$", "$") == text
    markdown = forms["markdown"]
    assert markdown_text(f"# {markdown}\n\n{markdown}\n\n- {markdown}\n\n{markdown}: x\n") == [text] * 3 + [
        f"{text}: x"
    ]
    (tmp_path / ".env").write_text(f'# first line\nX="{forms["dotenv"]}"\n', encoding="utf-8")
    assert dotenv_values(tmp_path / ".env") == {"X": text}


def test_an_ordinary_name_is_not_escaped() -> None:
    ordinary = "Dr. Bob's (2nd) Blog-App, v1.0: déjà vu!"
    assert set(derived("project_name", ordinary).values()) == {ordinary}


def test_hostile_answers_are_data_in_every_file(template: Path, tmp_path: Path) -> None:
    project = bake_hostile(template, tmp_path)
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert metadata["description"] == HOSTILE
    assert metadata["authors"] == [{"name": HOSTILE, "email": "you@example.com"}]
    assert dotenv_values(project / ".env.example")["APP_NAME"] == HOSTILE
    contract = yaml.safe_load((project / "openapi.yaml").read_text(encoding="utf-8"))["info"]
    assert (contract["title"], contract["description"]) == (HOSTILE, HOSTILE)
    assert HOSTILE in markdown_text((project / "README.md").read_text(encoding="utf-8"))
