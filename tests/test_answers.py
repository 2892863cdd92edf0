"""pre_gen_project.py: which answers are refused, in what words, and that nothing stays behind."""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from bakes import COMBINATIONS, HOSTILE, answer, run_cookiecutter
from pre_gen_project import DATABASES, LIBRARIES, OWN_PACKAGES, problems

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "project_name": "FastAPI Blog",
    "project_slug": "fastapi-blog",
    "description": "",
    "author_name": "Ada Lovelace",
    "author_email": "ada@example.com",
}


@pytest.mark.parametrize("slug", ["a", "blog", "my-blog", "my_blog2", "a" * 50, "user", "match"])
def test_a_slug_that_can_name_directory_and_database_is_accepted(slug: str) -> None:
    assert problems(GOOD | {"project_slug": slug}) == []


@pytest.mark.parametrize(
    "slug",
    [
        *(
            "",
            "a" * 51,
            "2048",
            "-blog",
            "_blog",
            "Blog",
            "my blog",
            "my.blog",
            "bløg",
            "blog\n",
            "a/b",
            "../evil",
            ".",
            "~",
        ),
        *(
            "class",
            "async",
            "app",
            "tests",
            "tools",
            "alembic",
            "fastapi",
            "email-validator",
            "json",
            "asyncio",
            "jose",
        ),
        *("postgres", "template0", "template1", "\x00", "\udcff", "{{ x }}", "$(id)", "'; DROP"),
    ],
)
def test_any_other_slug_is_refused_in_one_line(slug: str) -> None:
    (problem,) = problems(GOOD | {"project_slug": slug})
    assert problem.startswith("project_slug ")
    assert problem.isprintable()


def test_every_name_that_would_shadow_a_module_is_refused() -> None:
    names = {*keyword.kwlist, *sys.stdlib_module_names, *OWN_PACKAGES, *LIBRARIES, *DATABASES}
    for name in names:
        assert problems(GOOD | {"project_slug": name}), name
        assert problems(GOOD | {"project_slug": name.replace("_", "-")}), name


def test_whatever_the_project_installs_itself_is_among_the_refused_names(template: Path) -> None:
    rendered = (template / "{{cookiecutter.project_slug}}" / "pyproject.toml").read_text(encoding="utf-8")
    metadata = tomllib.loads(rendered)
    requirements = metadata["project"]["dependencies"] + metadata["dependency-groups"]["dev"]
    names = {re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in requirements}
    assert names - LIBRARIES == set()


@pytest.mark.parametrize("email", ["ada@example.com", "a.b+c_d@sub.example.co.uk", "o'neill@example.org"])
def test_an_address_is_accepted(email: str) -> None:
    assert problems(GOOD | {"author_email": email}) == []


@pytest.mark.parametrize(
    "email",
    [
        *("", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "a@b@example.com", "ada@example..com"),
        *("ada@-example.com", "ada@example.com\n", 'a"b@example.com', "a\\b@example.com", "ädä@example.com", "ada@x.c"),
    ],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    assert [problem.split()[0] for problem in problems(GOOD | {"author_email": email})] == ["author_email"]


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\udcff", "\uffff"]
)
@pytest.mark.parametrize("question", ["project_name", "description", "author_name"])
def test_a_control_character_is_refused_anywhere(question: str, character: str) -> None:
    (problem,) = problems(GOOD | {question: f"a{character}b"})
    assert problem.startswith(f"{question} holds a control character or line break (U+")
    assert problem.isprintable()


@pytest.mark.parametrize(("question", "text"), [("project_name", ""), ("author_name", ""), ("project_name", " Blog")])
def test_a_name_that_is_empty_or_padded_is_refused(question: str, text: str) -> None:
    assert len(problems(GOOD | {question: text})) == 1


def test_any_other_text_is_accepted() -> None:
    assert problems(GOOD | {"project_name": HOSTILE, "description": HOSTILE, "author_name": HOSTILE}) == []


def test_every_problem_is_told_at_once() -> None:
    found = problems({**GOOD, "project_name": "", "project_slug": "", "author_email": ""})
    assert [problem.split()[0] for problem in found] == ["project_name", "project_slug", "author_email"]


def contents(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.parametrize(
    "slug", ["../evil", "a/b/c", "..", ".", "/absolute/x", "Blog", "class", "a" * 300, "", "\\\\evil\\x"]
)
def test_a_refusal_leaves_nothing_on_disk(slug: str, template: Path, tmp_path: Path) -> None:
    target = tmp_path / "outer" / "inner"
    target.mkdir(parents=True)
    done = run_cookiecutter(template, target, "--no-input", f"project_slug={slug}", "author_email=nobody")
    assert done.returncode == 1
    lines = sorted(line.split()[:2] for line in done.stderr.splitlines())
    assert lines == [["Refused:", "author_email"], ["Refused:", "project_slug"]]
    assert contents(tmp_path) == ["outer", "outer/inner"]


def test_a_refusal_at_the_prompt_shows_what_was_typed(template: Path, tmp_path: Path) -> None:
    done = answer(template, tmp_path, project_slug="My/Blog")
    assert done.returncode == 1
    assert (
        done.stderr
        == "Refused: project_slug is 'My/Blog': it must begin with a letter and hold only a-z, 0-9, - and _\n"
    )
    assert contents(tmp_path) == []


def test_a_refusal_never_touches_a_directory_that_was_there(template: Path, tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "mine.txt").touch()
    done = run_cookiecutter(template, tmp_path, "--no-input", "--overwrite-if-exists", "project_slug=json")
    assert done.returncode == 1
    assert contents(tmp_path) == ["json", "json/mine.txt"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [("FastAPI Blog", "fastapi-blog"), ("Łódź & Co.", "lodz-co"), ("  A_b  c!", "a-b-c"), ("x" * 80, "x" * 50)],
)
def test_the_slug_is_derived_from_the_name(name: str, slug: str, template: Path, tmp_path: Path) -> None:
    done = answer(template, tmp_path, project_name=name)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [slug]


def test_every_choice_of_the_questions_is_baked() -> None:
    assert {"Apache-2.0", "BSD-3-Clause", "Proprietary"} <= {
        combination.get("license") for combination in COMBINATIONS.values()
    }
