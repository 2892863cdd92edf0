"""Where the time goes: `make profile`, or `python benchmarks/flame.py PROJECT --only list`.

Puts a load of one kind of request on the project, as `speed.py` does, and has py-spy look at its worker: a flame graph
(SVG, for a browser), and the functions that take most of the time, by themselves and with all that they call. What
SQLAlchemy runs in greenlets stands beside what has called it, in stacks of its own.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import wrk
from command import carry_out, positive
from kinds import KINDS
from stage import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinds import Kind

RATE = 200  # samples in a second
SHOWN = 40
SEEN = 0.005  # of all: what was seen less often is left out
# What calls it is above everything, and tells nothing.
OUTERMOST = "`RequestResponseCycle.run_asgi` uvicorn/protocols/http/httptools_impl.py"
# Linux lets only a parent look into a process, unless that allows it: PR_SET_PTRACER, PR_SET_PTRACER_ANY.
VISIBLE = """
import ctypes, runpy
if hasattr(prctl := ctypes.CDLL(None), "prctl"):
    prctl.prctl(0x59616D61, ctypes.c_ulong(-1))
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""


def demand() -> None:
    """End the run with a line that says what to install, if py-spy is missing."""
    if shutil.which("py-spy") is None:
        sys.exit(
            "py-spy is missing, which looks at the worker: install it (uv tool install py-spy, pip install py-spy)"
        )


def record(pid: int, form: str, file: Path, seconds: int) -> None:
    """Look at the process for so long."""
    # Those threads that hold the interpreter's lock: not every system says which of the others are idle.
    command = ["py-spy", "record", "--gil", "--pid", str(pid), "--duration", str(seconds), "--rate", str(RATE)]
    command += ["--format", form, "--output", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    if done.returncode or not file.exists():
        sys.exit(f"py-spy failed:\n{done.stdout}{done.stderr}")


def run(project: Path, python: Path | None, kind: Kind, seconds: int, into: Path) -> None:
    """Write the flame graph, and print the rest."""
    wrk.demand()
    demand()
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"--into: {into} is no directory to write into: {error.strerror}")
    graph, stacks = into / f"profile-{kind.name}.svg", into / f"profile-{kind.name}.txt"
    with (
        tempfile.TemporaryDirectory() as directory,
        staged(project, python, Path(directory), ours=("-c", VISIBLE)) as stage,
    ):
        server, calls = stage.servers["ours"], kind.checked(stage)["ours"]
        wrk.load(server.port, calls.requests, 1)
        # Each look takes a load of its own, which outlasts it.
        for form, file in (("flamegraph", graph), ("raw", stacks)):
            with ThreadPoolExecutor() as threads:
                load = threads.submit(wrk.load, server.port, calls.requests, seconds + 2)
                record(server.pid, form, Path(directory, file.name), seconds)
            load.result()
        for file in (graph, stacks):  # both or none: they are of one run
            shutil.copyfile(Path(directory, file.name), file)
    print("\n".join(report(stacks.read_text(encoding="utf-8").splitlines())))
    print(f"\nThe flame graph: {graph}\nThe stacks: {stacks}")


def report(stacks: list[str]) -> Iterator[str]:
    """What was seen most often. Each line of `stacks` is one, from outside in, and how often it was seen."""
    packages: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.strip().rpartition(" ")
        if not frames:
            continue
        functions = [_function(frame) for frame in frames.split(";")]
        packages[functions[-1].partition("` ")[2].partition("/")[0]] += int(count)
        alone[functions[-1]] += int(count)
        inner = functions[functions.index(OUTERMOST) + 1 :] if OUTERMOST in functions else functions
        whole.update(dict.fromkeys(inner, int(count)))
    total = alone.total() or 1
    for what, title, seen in (
        ("package", "by itself", packages),
        ("function", "by itself", alone),
        ("function", "with what it calls", whole),
    ):
        yield f"\n| {what} | {title} |\n|---|---:|"
        for name, often in seen.most_common(SHOWN):
            if often > SEEN * total:
                yield f"| {name} | {often / total:.1%} |"


def _function(frame: str) -> str:
    """Without the line, of which a function has many: `name` file."""
    name, _, place = frame.partition(" (")
    file = place.rstrip(")")
    return f"`{name}` {file.rpartition(':')[0] or file}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, help="a project that can run: its settings in .env or the environment")
    parser.add_argument("--python", type=Path, help="instead of that in the project's .venv")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], default="list", help="this kind of request")
    parser.add_argument("--seconds", type=positive, default=10)
    parser.add_argument("--into", type=Path, default=Path("build"), help="the directory for what is written")
    given = parser.parse_args()
    (kind,) = (kind for kind in KINDS if kind.name == given.only)
    run(given.project, given.python, kind, given.seconds, given.into)


if __name__ == "__main__":
    carry_out(main)
