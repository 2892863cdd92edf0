"""The template from a git URL, and a project that follows it with cruft."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bakes import bake, run_cookiecutter
from template import commit, export_previous, git

PROJECT = "{{cookiecutter.project_slug}}"


def test_cookiecutter_takes_the_template_from_a_git_url(template: Path, tmp_path: Path) -> None:
    done = run_cookiecutter(f"git+file://{template}", tmp_path, "--no-input", env={"FASTAPI_TEMPLATE_SETUP": "0"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "fastapi-blog" / "app" / "main.py").exists()


def cruft(command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # The hook has to see by itself that these renders are thrown away: nothing tells it not to set up.
    env = {name: value for name, value in os.environ.items() if name != "FASTAPI_TEMPLATE_SETUP"}
    program = Path(sys.executable).parent / "cruft"
    done = subprocess.run(
        [program, command, *arguments], cwd=cwd, env=env, check=False, capture_output=True, encoding="utf-8"
    )
    done.stdout += done.stderr
    return done


def replace(repository: Path, source: Path) -> None:
    """Make the repository's files those of another directory."""
    for path in repository.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(source, repository, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))


def upstream_one_commit_ago(template: Path, tmp_path: Path) -> Path:
    repository = tmp_path / "upstream"
    repository.mkdir()
    if not export_previous(repository, than=git("rev-parse", "HEAD^{tree}", cwd=template)):
        # A clone without history: the step is one that takes a line away.
        replace(repository, template)
        with (repository / PROJECT / ".env.example").open("a", encoding="utf-8") as file:
            file.write("# A line of yesterday.\n")
    commit(repository, "Yesterday")
    return repository


def files(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    found = {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in found.items() if not name.startswith(".git/")}


def test_cruft_takes_a_project_from_the_previous_commit_to_this_one(template: Path, tmp_path: Path) -> None:
    upstream = upstream_one_commit_ago(template, tmp_path)
    answers = '{"project_name": "My Shop", "license": "BSD-3-Clause"}'
    done = cruft("create", str(upstream), "--no-input", "--extra-context", answers, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    project = tmp_path / "my-shop"
    assert not {".env", ".git", ".venv", ".setup.log"} & {path.name for path in project.iterdir()}
    (project / "app" / "models" / "mine.py").write_text("# mine\n", encoding="utf-8")
    commit(project, "Our shop")
    assert cruft("check", cwd=project).returncode == 0

    replace(upstream, template)
    commit(upstream, "Today")
    assert cruft("check", cwd=project).returncode == 1
    done = cruft("update", "--skip-apply-ask", cwd=project)
    assert done.returncode == 0, done.stdout
    assert cruft("check", cwd=project).returncode == 0

    expected = files(bake(template, tmp_path / "new", {"project_name": "My Shop", "license": "BSD-3-Clause"}))
    updated = files(project)
    assert updated.pop("app/models/mine.py") == b"# mine\n"
    assert updated.pop(".cruft.json")
    assert [name for name in updated if name.endswith(".rej")] == []
    assert updated == expected
