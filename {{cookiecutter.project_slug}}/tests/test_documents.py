"""What the documents name exists."""

import re

import pytest

from app.config import ROOT
from tools import architecture

# A path: something with a slash or a known ending, and nothing that a command or an address has.
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|toml|yaml|ini|txt|cfg))|[\w.-]+(?:/[\w.-]+)+")
_MADE_LATER = {
    *(".postgres/", "var/mail/", ".venv/bin/python", ".venv/bin", "deploy/production.env", "deploy/secrets/"),
}


@pytest.mark.parametrize(
    "document",
    ["README.md", "AGENTS.md", *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))],
)
def test_every_path_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = {code for code in re.findall(r"`([^`\n]+)`", text) if _PATH.fullmatch(code)} - _MADE_LATER
    missing = sorted(path for path in named if not (ROOT / path).exists())
    assert not missing


def test_agents_md_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").split()) < 1_000


def test_make_lists_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets is not None
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in set(targets[1].split()) - {"help"}:
        assert re.search(rf"^{target}:.*## .", makefile, re.MULTILINE), f"`make` does not explain {target}"
        assert f"`make {target}" in readme, f"README.md does not name {target}"


def test_the_layers_are_drawn_as_they_are_held() -> None:
    assert architecture.drawn() == architecture.PAGE.read_text(encoding="utf-8"), "python -m tools.architecture"


def test_security_md_says_which_test_holds_what() -> None:
    lines = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs/security.md").read_text("utf-8"), re.MULTILINE)
    named = {number: re.findall(r"`([^`]+)`", files) for number, files in lines}
    for number, files in named.items():
        for file in files:
            test = re.search(rf"def test_robustness(_\d+)*_{number}_", (ROOT / file).read_text(encoding="utf-8"))
            assert test, f"{file} has no test of {number}"
    every = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert set(re.findall(r"def test_robustness_(\d+)_", every)) <= named.keys()
