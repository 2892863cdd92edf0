"""post_gen_project.py: it runs the setup, stays out of cruft's way, and never costs the user the project."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import post_gen_project
import pytest
from bakes import HOSTILE, bake
from cookiecutter.utils import create_env_with_context
from template import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_cruft_gets_a_render_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTAPI_TEMPLATE_SETUP")
    post_gen_project.main({"project_slug": "blog"})
    assert capfd.readouterr() == ("", "")


def rendered_hook(tmp_path: Path, **answers: str) -> Path:
    """The hook as cookiecutter runs it: a copy elsewhere, with the answers in it."""
    source = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    context = {"project_slug": "fastapi-blog", "_output_dir": str(tmp_path)} | answers
    hook = tmp_path / "hook.py"
    hook.write_text(create_env_with_context({}).from_string(source).render(cookiecutter=context), encoding="utf-8")
    return hook


@pytest.mark.parametrize("text", [HOSTILE, '"""', '\\"""', "'''", "\\", '"', "\udcff", "{{ 1 // 0 }}"])
def test_any_answer_is_data_to_the_hook(text: str, tmp_path: Path) -> None:
    hook = rendered_hook(tmp_path, project_name=text, description=text + text)
    done = subprocess.run([sys.executable, hook], cwd=tmp_path, check=False, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Rendered only.")


def test_a_setup_that_cannot_even_start_costs_nothing(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "FASTAPI_TEMPLATE_SETUP"}
    hook = rendered_hook(tmp_path)
    there_is_no_project = tmp_path / "empty"
    there_is_no_project.mkdir()
    done = subprocess.run([sys.executable, hook], cwd=there_is_no_project, env=env, check=False, capture_output=True)
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_no_signal_makes_the_hook_fail(number: signal.Signals, template: Path, tmp_path: Path) -> None:
    project = bake(template, tmp_path)
    env = {name: value for name, value in os.environ.items() if name != "FASTAPI_TEMPLATE_SETUP"}
    process = subprocess.Popen(
        [sys.executable, rendered_hook(tmp_path)],
        cwd=project,
        env=env | {"DATABASE_URL": "postgresql://someone@127.0.0.1:1/blog"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    while not (project / ".venv").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "`make setup`" in errors
    assert "Traceback" not in errors


class Terminal:
    """cookiecutter in a terminal of its own, as a user has it."""

    def __init__(self, template: Path, target: Path, **env: str) -> None:
        self.screen, terminal = pty.openpty()
        # The terminal controls who takes it in a new session, and only then does it send SIGINT for Ctrl-C.
        take = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        command = [sys.executable, "-m", "cookiecutter", "--no-input", str(template), "-o", str(target)]
        whole = {name: value for name, value in os.environ.items() if name != "FASTAPI_TEMPLATE_SETUP"} | env
        self.process = subprocess.Popen(
            [sys.executable, "-c", take, *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=whole,
            start_new_session=True,
        )
        os.close(terminal)
        self.text = ""

    def read_until(self, word: str) -> None:
        while word not in self.text:
            assert self.read(), self.text

    def read(self) -> bool:
        """Read what there is; False when everybody has left the terminal."""
        try:
            self.text += os.read(self.screen, 4096).decode(errors="replace")
        except OSError:
            return False
        return True

    def press(self, key: bytes) -> None:
        os.write(self.screen, key)

    def close(self) -> int:
        while self.read():
            pass
        os.close(self.screen)
        return self.process.wait(timeout=60)


@pytest.mark.parametrize("step", ["environment", "database", "migrations"])
def test_ctrl_c_in_a_terminal_ends_the_setup_and_keeps_the_project(step: str, template: Path, place: Path) -> None:
    target = place / f"interrupted-{step}"
    terminal = Terminal(template, target)
    terminal.read_until(f"… {step}")
    terminal.press(b"\x1a")  # Ctrl-Z: a shell could not wake the setup again, so nothing may happen
    terminal.press(b"\x03")
    assert terminal.close() == 0, terminal.text
    assert re.search(rf"✗ {step} +interrupted\. To finish: `make setup`\.", terminal.text), terminal.text
    assert "Aborted" not in terminal.text
    assert "Traceback" not in terminal.text
    assert (target / "fastapi-blog" / "app" / "main.py").exists()
    assert list(target.glob("fastapi-blog/.postgres/**/postmaster.pid")) == [], "the server runs on"


def test_the_terminal_is_given_back(template: Path, tmp_path: Path) -> None:
    terminal = Terminal(template, tmp_path, DATABASE_URL="postgresql://someone@127.0.0.1:1/blog")
    terminal.read_until("✗ migrations")
    assert terminal.close() == 0, terminal.text


def test_an_interrupt_of_the_whole_group_without_a_terminal(template: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "FASTAPI_TEMPLATE_SETUP"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cookiecutter", "--no-input", str(template), "-o", str(tmp_path)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    while not (tmp_path / "fastapi-blog" / ".venv").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "✗ environment  interrupted. To finish: `make setup`." in errors
    assert (tmp_path / "fastapi-blog" / "app" / "main.py").exists()
