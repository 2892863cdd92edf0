"""Lines that a command decides."""

import sys
from pathlib import Path

from tools.verify.commands import last_line, run
from tools.verify.measuring import Measuring, Result, by_command, failed, passed


def measure_lint(_measuring: Measuring) -> Result:
    """Ruff's rules, and its format."""
    for command in (("check", "--output-format=concise"), ("format", "--check")):
        done = run("ruff", *command, ".")
        if done.code:
            return failed(done.output.splitlines()[0] if done.output else "it said nothing", done.output)
    return passed("no finding, all formatted")


def measure_layers(_measuring: Measuring) -> Result:
    """Whether every import goes the way that pyproject.toml says."""
    done = run(Path(sys.executable).with_name("lint-imports"))
    if done.code == 0:
        return passed("imports go one way")
    broken = done.output[done.output.find("Broken contracts") :]
    first = next((line for line in broken.splitlines() if "->" in line), last_line(broken))
    return failed(first.strip(" -"), broken)


measure_types = by_command("mypy", good="every type fits")
measure_contract = by_command("app", "generate", "--check", good="openapi.yaml and ir.json are what is served")
