"""What a user waits for, measured: `make bench`.

Each line is a whole process, timed from outside in the same run as its floor: the least that any program doing the
same job could take on this machine. The ratio of the two is the figure to compare: machines differ, and are shared.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
import accounts  # noqa: E402
import entities  # noqa: E402
import lists  # noqa: E402
import speed  # noqa: E402
import wrk  # noqa: E402
from command import carry_out, positive  # noqa: E402
from template import export  # noqa: E402  # the template as git would hand it on, as the tests have it

RENDER_ONLY = {"FASTAPI_TEMPLATE_SETUP": "0"}
COLD = {"UV_CACHE_DIR": "cold", "PIP_CACHE_DIR": "cold"}


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    what: str
    seconds: float
    budget: str
    floor: str = "–"  # noqa: RUF001  # a dash
    floor_seconds: float | None = None

    def __str__(self) -> str:
        ratio = f"{self.seconds / self.floor_seconds:.1f}" if self.floor_seconds else "–"  # noqa: RUF001
        floor = f"{self.floor}: {self.floor_seconds:.3g} s" if self.floor_seconds else self.floor
        return f"| {self.what} | {self.seconds:.3g} s | {self.budget} | {floor} | {ratio} |"


def timed(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> tuple[float, str]:
    """Seconds that the command takes, and what it prints; ends the run when it fails."""
    # Most people's Python keeps what it has compiled.
    as_usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=as_usual | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            # As Ctrl-C does it, to all that it has started: they stop their servers and leave the directory.
            os.killpg(process.pid, signal.SIGINT)
            process.communicate()
            raise
    seconds = time.perf_counter() - started
    if process.returncode or "✗" in err:
        sys.exit(f"{' '.join(command)} failed:\n{out}{err}")
    return seconds, out


class Bench:
    """The measurements, in a directory of their own."""

    def __init__(self, place: Path, runs: int) -> None:
        self.place, self.runs, self.baked = place, runs, 0
        self.template = place / "template"
        export(self.template)

    def bake(self, env: dict[str, str]) -> float:
        """Seconds to render, and what else the environment asks for, as a user does it."""
        self.baked += 1
        target = f"baked{self.baked}"
        command = [sys.executable, "-m", "cookiecutter", str(self.template), "--no-input", "--output-dir", target]
        home = {"COOKIECUTTER_CONFIG": os.devnull, "HOME": str(self.place)}
        shutil.rmtree(self.place / "cold", ignore_errors=True)
        return timed(command, self.place, home | env)[0]

    @property
    def project(self) -> Path:
        return self.place / f"baked{self.baked}" / "fastapi-blog"

    def python(self, code: str) -> float:
        return timed([str(self.project / ".venv/bin/python"), "-c", code], self.project)[0]

    def rendering(self) -> Line:
        floor, ours = [], []
        for _ in range(self.runs):
            floor.append(timed([sys.executable, "-c", "import cookiecutter.main"], self.place)[0])
            ours.append(self.bake(RENDER_ONLY))
        return Line("Rendering alone", median(ours), "1 s", "importing cookiecutter", median(floor))

    def setup(self, what: str, env: dict[str, str], budget: str, runs: int) -> Line:
        cache = {"UV_CACHE_DIR": str(self.place / "cache")} | {key: str(self.place / v) for key, v in env.items()}
        if not env:
            self.bake(cache)  # fills the cache
        floor, ours = [], []
        for _ in range(runs):
            ours.append(self.bake(cache))
            shutil.rmtree(self.place / "floor", ignore_errors=True)
            shutil.rmtree(self.place / "cold", ignore_errors=True)
            packages = ["uv", "pip", "install", "--target", "floor", "-r", str(self.project / "requirements-dev.txt")]
            floor.append(timed(packages, self.place, cache)[0])
        return Line(what, median(ours), budget, "the packages alone", median(floor))

    def importing(self) -> Line:
        floor, ours = [], []
        self.python("import app.main")  # compiles
        for _ in range(self.runs):
            floor.append(self.python("import fastapi, sqlalchemy.ext.asyncio, asyncpg, structlog"))
            ours.append(self.python("import app.main"))
        return Line("`import app.main`, as a process", median(ours), "0.7 s", "importing its libraries", median(floor))

    def tests(self) -> Line:
        """Each test with its fixtures; neither the start of the database nor that of pytest."""
        report = self.place / "junit.xml"
        python = str(self.project / ".venv/bin/python")
        timed([python, "-m", "pytest", "-q", "-n", "2", f"--junit-xml={report}"], self.project)
        tests = [float(case.get("time", "0")) for case in ET.parse(report).iter("testcase")]  # noqa: S314  # our own file
        return Line(f"One of the project's {len(tests)} tests, on average", sum(tests) / len(tests), "0.015 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=positive, default=5, help="of each; the median counts")
    runs = parser.parse_args().runs
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # for uv
    wrk.demand()  # now, and not minutes later
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}\n")
    speed.warn_of_others()  # before it is the load of this run
    print("| what | median | budget | floor in the same run | ratio |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), runs)
        print(bench.rendering(), flush=True)
        print(bench.setup("Everything, packages cached", {}, "12 s", runs), flush=True)
        print(bench.setup("Everything, nothing cached", COLD, "60 s", min(runs, 3)), flush=True)
        print(bench.importing(), flush=True)
        print(bench.tests(), flush=True)
        speed.run(bench.project)
        accounts.run(bench.project)
        lists.run(bench.project)
        entities.run(bench.project)


if __name__ == "__main__":
    carry_out(main)
