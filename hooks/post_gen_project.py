"""Set the new project up with its own tools/setup.py, in the directory that cookiecutter has just rendered.

cookiecutter deletes the project when a hook fails, so whatever happens here ends with exit status 0: what could not
be done is said by the setup, and `make setup` does it later.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# JSON never holds three quotes in a row, and a raw string reads its backslashes as JSON does: any answer is data here.
ANSWERS = r"""{{ cookiecutter | tojson }}"""


def in_foreground() -> bool:
    """Whether a terminal controls this process and listens to its group. Windows has no such groups."""
    try:
        return os.name == "posix" and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # standard input is a pipe, a file or somebody else's terminal
        return False


@contextlib.contextmanager
def terminal_of_our_own() -> Iterator[None]:
    """Let Ctrl-C reach this process and its children, but not cookiecutter.

    A terminal sends SIGINT to every process of its foreground group. cookiecutter, our parent, would answer with
    "Aborted!" and exit status 1 although the project is complete; so for as long as the setup runs, the foreground is
    a group of our own. Its shell does not know that group and could not wake it after Ctrl-Z: SIGTSTP is ignored.
    """
    if not in_foreground():
        yield
        return
    before = os.getpgrp()
    # A process in the background that takes the terminal is stopped by SIGTTOU unless it ignores that signal.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(0, before)


def bring_entities(answer: str, output_dir: str) -> None:
    """Put the file that lists entities into the project, whose setup makes them; unless that has been done before.

    A relative path begins where cookiecutter was started, as the shell says; Windows has no PWD to tell.
    """
    if not answer or os.path.exists(".env") or os.path.exists("entities.yaml"):
        return
    for start in (os.environ.get("PWD", ""), output_dir):
        path = os.path.join(start, os.path.expanduser(answer))
        if start and os.path.isfile(path):
            shutil.copyfile(path, "entities.yaml")
            return


def run_setup(output_dir: str) -> None:
    """Run the project's setup to its end; it writes to our terminal and ends by itself on Ctrl-C."""
    child: subprocess.Popen[bytes] | None = None

    def outlive(number: int, _frame: FrameType | None) -> None:
        if child is not None and number != signal.SIGINT:  # Ctrl-C has reached the child too
            child.terminate()

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), outlive)
    # The setup shows a `cd` relative to where the user's shell is; Windows has no PWD to tell.
    environment = {"PWD": output_dir, **os.environ}
    child = subprocess.Popen([sys.executable, os.path.join("tools", "setup.py")], env=environment)
    child.wait()


def main(answers: dict[str, object]) -> None:
    output_dir = answers.get("_output_dir")
    if output_dir is None:  # one of cruft's throw-away renders
        return
    try:
        bring_entities(str(answers.get("entities", "")), str(output_dir))
    except OSError as error:
        reason = f"{answers['entities']} cannot be copied ({error.strerror})"
        print(f"{reason}. To make its entities: make entities from=...", file=sys.stderr, flush=True)
    if os.environ.get("FASTAPI_TEMPLATE_SETUP") == "0":
        print(f"Rendered only. To set it up: cd {answers['project_slug']} && make setup", flush=True)
        return
    with terminal_of_our_own():
        run_setup(str(output_dir))


if __name__ == "__main__":
    try:
        main(json.loads(ANSWERS))
    except BaseException as error:  # noqa: BLE001  # the project is worth more than any error here
        with contextlib.suppress(OSError):
            print(f"The setup did not run ({error!r}). To set the project up: make setup", file=sys.stderr, flush=True)
    finally:
        # Nothing after this, not even a broken pipe at the interpreter's end, can change the exit status.
        os._exit(0)
