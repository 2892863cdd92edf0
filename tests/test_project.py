"""One project all the way, as cookiecutter leaves it with a user; and every render held against the project's rules.

All of it is one xdist group: the environment, the database and mypy's cache are made once.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.parse
from typing import TYPE_CHECKING

import in_place
import pytest
from api import served
from bakes import HOSTILE, bake, bake_hostile, run_cookiecutter
from template import ROOT, export

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("project")

# Tests that the project's own interpreter runs.
IN_PROJECT = ROOT / "tests" / "in_project"
# All of the project's tests take minutes, and run once. Where only names or a column differ, these would notice.
NOTICING = (
    "test_config.py",
    "test_contract.py",
    "test_documents.py",
    "commands/test_migrations.py",
    "routers/test_articles.py",
)
SOME_TESTS = ("python", "-m", "pytest", "-q", "-n", "auto", *(f"tests/{name}" for name in NOTICING))


def run(project: Path, *command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project's environment, or any other, in the project or elsewhere."""
    program = project / ".venv" / "bin" / command[0]
    arguments = [str(program) if program.exists() else command[0], *command[1:]]
    done = subprocess.run(
        arguments, cwd=cwd or project, env=os.environ | env, check=False, capture_output=True, encoding="utf-8"
    )
    done.stdout += done.stderr
    return done


# ------------------------------------------------------------------------------------- each render, by its own rules


def test_ruff_finds_nothing(baked: Path, project: Path) -> None:
    done = run(project, "ruff", "check", "--no-cache", ".", cwd=baked)
    assert done.returncode == 0, done.stdout


def test_the_code_is_formatted(baked: Path, project: Path) -> None:
    done = run(project, "ruff", "format", "--no-cache", "--check", ".", cwd=baked)
    assert done.returncode == 0, done.stdout


def test_the_types_hold(baked: Path, project: Path) -> None:
    # The code is the same in every render; only the Python it is checked for differs, and mypy keeps those apart.
    done = run(project, "mypy", "--strict", "app/", "--cache-dir", str(project / ".mypy_cache"), cwd=baked)
    assert done.returncode == 0, done.stdout


def test_imports_go_one_way(baked: Path, project: Path) -> None:
    done = run(project, "lint-imports", "--no-cache", cwd=baked)
    assert done.returncode == 0, done.stdout


def test_the_application_reads_a_hostile_name_as_it_was_typed(template: Path, project: Path, tmp_path: Path) -> None:
    hostile = bake_hostile(template, tmp_path)
    (hostile / ".env").write_bytes((hostile / ".env.example").read_bytes())
    program = "from app.config import get_settings; print(ascii(get_settings().app_name))"
    done = run(project, "python", "-c", program, cwd=hostile, SECRET_KEY="x" * 64)
    assert done.stdout == ascii(HOSTILE) + "\n"


# ------------------------------------------------------------------------------------------------ one, all the way


def test_the_projects_own_gate_accepts_it(project: Path) -> None:
    """It runs all of the project's tests, and more. Only what is to be asked of the network may be missing here."""
    done = run(project, "make", "--no-print-directory", "verify", "json=1", f"html={project / 'var' / 'verify.html'}")
    report = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    short = {
        line["name"]: line["details"] or line["said"] for line in report["lines"] if line["earned"] < line["points"]
    }
    assert short.keys() <= {"audit"}, short
    assert done.returncode == 0
    assert report["score"] >= 96


def test_the_project_stands_what_operation_does_to_it(project: Path) -> None:
    done = run(project, "make", "chaos")
    assert done.returncode == 0, done.stdout


def test_the_tools_of_the_project_do_what_they_promise(project: Path) -> None:
    """Their tests start, kill and race servers: too slow to be in the way of who works on the API."""
    options = ("-c", "pyproject.toml", "--rootdir", ".", "--confcutdir", str(IN_PROJECT), "-p", "no:cacheprovider")
    done = run(project, "python", "-m", "pytest", *options, "-o", f"pythonpath=. {IN_PROJECT}", str(IN_PROJECT))
    assert done.returncode == 0, done.stdout


def test_the_types_of_those_tests_hold(project: Path) -> None:
    done = run(project, "mypy", "--config-file", "pyproject.toml", str(IN_PROJECT), MYPYPATH=f".:{IN_PROJECT}")
    assert done.returncode == 0, done.stdout


def test_the_project_stands_where_it_lies_in_the_template(project: Path, place: Path) -> None:
    """Its Python holds no Jinja: unrendered, it is linted, typed and tested like any project."""
    export(place / "template")
    unrendered = place / "template" / "{{cookiecutter.project_slug}}"
    (unrendered / ".venv").symlink_to(project / ".venv")
    for command in (["make", "lint", "types"], SOME_TESTS):
        done = run(project, *command, cwd=unrendered, **in_place.settings(unrendered))
        assert done.returncode == 0, done.stdout


def test_a_first_change_to_a_model_goes_as_the_readme_says(template: Path, project: Path, place: Path) -> None:
    changed = bake(template, place / "changed")
    (changed / ".venv").symlink_to(project / ".venv")
    model = changed / "app" / "models" / "article.py"
    source = model.read_text(encoding="utf-8")
    anchor = "    content: Mapped[str] = mapped_column(Text)\n"
    assert anchor in source
    model.write_text(source.replace(anchor, anchor + "    subtitle: Mapped[str | None]\n"), encoding="utf-8")
    # In a render the answers are in the contract: the settings are those of .env.example.
    settings = {name: value for name, value in in_place.settings(changed).items() if name not in in_place.NAMES}
    (changed / ".env").write_bytes((changed / ".env.example").read_bytes())
    for target in (["migrate"], ["migration", "m=add subtitle"], ["migrate"], ["generate"], ["lint"]):
        done = run(project, "make", *target, cwd=changed, **settings)
        assert done.returncode == 0, done.stdout
    done = run(project, *SOME_TESTS, cwd=changed, **settings)
    assert done.returncode == 0, done.stdout
    assert (changed / "alembic" / "versions" / "0004_add_subtitle.py").exists()


# Ways to import what lies above, or what the rules must not know: the text of a module, and where it is told to be.
SMUGGLED = {
    "app/models/at_the_top.py": (
        "from app.services.articles import ArticleService\n\nSERVICE = ArticleService\n",
        "app.models.at_the_top -> app.services.articles (l.1)",
    ),
    "app/models/in_a_function.py": (
        (
            "def service() -> object:\n"
            "    from app.services.articles import ArticleService  # noqa: PLC0415  # where nobody looks\n\n"
            "    return ArticleService\n"
        ),
        "app.models.in_a_function -> app.services.articles (l.2)",
    ),
    "app/models/for_types.py": (
        (
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n"
            "    from app.services.articles import ArticleService\n\n\n"
            'def serve(service: "ArticleService") -> None:\n    """By its name alone."""\n'
        ),
        "app.models.for_types -> app.services.articles (l.4)",
    ),
    "app/models/in_an_annotation.py": (
        (
            "from app.services.articles import ArticleService\n\n\n"
            'def serve(service: ArticleService) -> None:\n    """Used by nothing but the annotation."""\n'
        ),
        "app.models.in_an_annotation -> app.services.articles (l.1)",
    ),
    "app/services/upstairs.py": (
        "from app.resources.collection import Collection\n\nCOLLECTION = Collection\n",
        "app.services.upstairs -> app.resources.collection (l.1)",
    ),
    "app/resources/upstairs.py": (
        "from app.routers.articles import router\n\nROUTER = router\n",
        "app.resources.upstairs -> app.routers.articles (l.1)",
    ),
    "app/services/framework.py": (
        'from fastapi import Request\n\n\ndef serve(request: Request) -> None:\n    """Over HTTP."""\n',
        "app.services.framework -> fastapi (l.1)",
    ),
    "app/services/in_tests.py": (
        "from tests.people import People\n\nPEOPLE = People\n",
        "app.services.in_tests -> tests (l.1)",
    ),
}


def test_a_forbidden_import_fails_the_check_wherever_it_stands(template: Path, project: Path, place: Path) -> None:
    changed = bake(template, place / "smuggled")
    (changed / ".venv").symlink_to(project / ".venv")
    for name, (text, _) in SMUGGLED.items():
        (changed / name).write_text(text, encoding="utf-8")
    done = run(project, "make", "lint", cwd=changed)
    assert done.returncode != 0
    assert [told for _, told in SMUGGLED.values() if told not in done.stdout] == [], done.stdout
    for name in SMUGGLED:
        (changed / name).unlink()
    # What is imported by its name as text, import-linter cannot see: so that is not done but in one place.
    (changed / "app" / "models" / "by_name.py").write_text(
        'import importlib\n\nSERVICES = importlib.import_module("app.services.articles")\n', encoding="utf-8"
    )
    done = run(project, "make", "lint", cwd=changed)
    assert done.returncode != 0
    assert "app/models/by_name.py:3:12" in done.stdout


def test_everything_that_ci_checks_statically_passes(project: Path) -> None:
    done = run(project, "make", "lint", "types")
    assert done.returncode == 0, done.stdout


def test_a_second_setup_has_nothing_to_do(project: Path) -> None:
    before = (project / ".env").read_bytes()
    done = run(project, "make", "setup")
    assert done.returncode == 0, done.stdout
    for line in ("✓ .env         kept as it is", "✓ git          there already", "✓ environment  .venv is current"):
        assert line in done.stdout
    assert (project / ".env").read_bytes() == before


def test_baking_over_the_project_keeps_its_secrets_and_its_data(template: Path, project: Path) -> None:
    before = (project / ".env").read_bytes()
    done = run_cookiecutter(template, project.parent, "--no-input", "--overwrite-if-exists")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "✓ migrations" in done.stdout
    assert (project / ".env").read_bytes() == before


def test_the_log_of_the_setup_holds_no_password(project: Path) -> None:
    (line,) = (line for line in (project / ".env").read_text().splitlines() if line.startswith("DATABASE_URL="))
    password = urllib.parse.urlsplit(line.removeprefix("DATABASE_URL=")).password
    assert password
    assert password not in (project / ".setup.log").read_text(encoding="utf-8")


@contextlib.contextmanager
def database(project: Path) -> Iterator[str]:
    """Keep the embedded PostgreSQL of the project up; give its URL."""
    server = subprocess.Popen(
        [project / ".venv" / "bin" / "python", "-m", "tools.embedded_postgres"],
        cwd=project,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert server.stdout
        assert server.stdout.readline()
        (line,) = (line for line in (project / ".env").read_text().splitlines() if line.startswith("DATABASE_URL="))
        yield line.removeprefix("DATABASE_URL=")
    finally:
        server.terminate()
        server.communicate(timeout=60)


def test_the_tables_can_be_made_unmade_and_made_again(project: Path) -> None:
    with database(project):
        for command in (["upgrade", "head"], ["downgrade", "base"], ["upgrade", "head"], ["check"]):
            done = run(project, "alembic", *command)
            assert done.returncode == 0, (command, done.stdout)


@pytest.mark.parametrize("part", ["password", "database"])
def test_a_server_that_refuses_is_told_in_one_line(part: str, template: Path, project: Path, tmp_path: Path) -> None:
    other = bake(template, tmp_path)
    with database(project) as url:
        parts = urllib.parse.urlsplit(url)
        # By another name for the same machine and user: with 127.0.0.1 the URL would be the embedded server's own.
        wrong = {
            "password": f"postgresql://embedded:wr0ng@127.0.0.2:{parts.port}{parts.path}",
            "database": f"postgresql://embedded:{parts.password}@[::ffff:127.0.0.1]:{parts.port}/missing",
        }
        done = run(project, "python3", "tools/setup.py", cwd=other, DATABASE_URL=wrong[part])
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "✓" not in line]
    assert len(lines) == 1, done.stdout
    assert lines[0].startswith("  ✗ migrations")
    assert lines[0].endswith("To finish: `make setup`. (Details: .setup.log)")
    assert "wr0ng" not in done.stdout


def test_a_blog_is_written_over_a_socket_and_survives_a_restart(project: Path) -> None:
    with served(project) as api:
        assert api("GET", "/docs")[0] == 200
        person = {"email": "ada@example.com", "username": "ada", "password": "correct horse battery"}
        assert api("POST", "/auth/register", person)[0] == 201
        _, login, _ = api("POST", "/auth/login", {"username": "ada", "password": person["password"]}, form=True)
        assert login["token_type"] == "bearer"  # noqa: S105
        api.token = login["access_token"]
        article = {"title": "Hello", "content": "The first words of a blog.", "published": True}
        status, created, headers = api("POST", "/articles", article)
        assert status == 201
        assert headers["location"].endswith(f"/articles/{created['id']}")
        assert [row["title"] for row in api("GET", "/articles")[1]] == ["Hello"]
    with served(project) as api:
        assert [row["title"] for row in api("GET", "/articles")[1]] == ["Hello"]
