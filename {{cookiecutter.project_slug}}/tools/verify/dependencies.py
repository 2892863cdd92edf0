"""Lines about what the project installs."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.config import ROOT
from tools.verify.commands import last_line, run
from tools.verify.measuring import Measuring, Result, failed, passed

_LOCK: Final = ROOT / "requirements.txt"
_WAY_OUT: Final = "make lock"


def measure_lock(_measuring: Measuring) -> Result:
    """Whether requirements.txt pins one version of each dependency, with its hashes."""
    problems = list(_problems())
    if problems:
        return failed(f"{problems[0]}: {_WAY_OUT}", "\n".join(problems))
    return passed(f"{len(_pins())} packages, each with hashes")


def _problems() -> Iterator[str]:
    pins = _pins()
    for name, line in pins.items():
        if "==" not in line.partition(";")[0]:
            yield f"{name} is not pinned"
        elif "--hash=" not in line:
            yield f"{name} has no hash"
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for requirement in map(Requirement, wanted):
        line = pins.get(canonicalize_name(requirement.name), "")
        version = re.search(r"==([^\s;]+)", line)
        if not line:
            yield f"{requirement.name} is in pyproject.toml and not in {_LOCK.name}"
        elif version and not requirement.specifier.contains(version[1], prereleases=True):
            yield f"{requirement} of pyproject.toml is {version[1]} in {_LOCK.name}"


def _pins() -> dict[str, str]:
    """The lines of the lock by the name of the package, each with its hashes."""
    text = _LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {canonicalize_name(re.split(r"[\s\[=<>!~;@]", line, maxsplit=1)[0]): line for line in lines}


def measure_audit(_measuring: Measuring) -> Result:
    """Whether a vulnerability is known of what is locked. The database of these is on the network."""
    asked = ("-r", str(_LOCK), "--require-hashes", "--disable-pip", "--format=json", "--progress-spinner=off")
    done = run("pip_audit", *asked)
    start = done.output.find('{"dependencies"')
    if start < 0:
        return failed(f"not measured: {last_line(done.output)}", done.output)
    packages = json.JSONDecoder().raw_decode(done.output[start:])[0]["dependencies"]
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if unknown:
        return failed(f"not measured: nothing is known of {len(unknown)} of {len(packages)}; is there a network?")
    named = [_told(package, known) for package in packages for known in package["vulns"]]
    return failed(named[0], "\n".join(named)) if named else passed(f"nothing is known against {len(packages)} packages")


def _told(package: dict[str, Any], known: dict[str, Any]) -> str:
    mended = " or ".join(known["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {known['id']}, mended in {mended}"
