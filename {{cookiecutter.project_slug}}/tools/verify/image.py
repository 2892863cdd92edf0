"""Whether the Dockerfile makes an image that may be put on the internet."""

import re
from collections.abc import Iterator
from typing import Final

from app.config import ROOT
from tools.verify.measuring import Measuring, Result, failed, passed

_INSTALLS: Final = re.compile(r"\b(pip|uv pip) install\b")
_SECRET: Final = re.compile(r"\b\w*(SECRET|PASSWORD|TOKEN|KEY|DSN)\w*=\S", re.IGNORECASE)
Instruction = tuple[str, str]


def measure_image(_measuring: Measuring) -> Result:
    """Its last stage, which is what is deployed; and what all stages install."""
    path = ROOT / "Dockerfile"
    if not path.exists():
        return failed("there is no Dockerfile")
    problems = list(_problems(list(_instructions(path.read_text(encoding="utf-8")))))
    if problems:
        return failed(problems[0], "\n".join(problems))
    return passed("not root, pinned, installed with hashes, with a health check and no secret")


def _instructions(text: str) -> Iterator[Instruction]:
    """Each with what it says, on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, said = line.strip().partition(" ")
        if name:
            yield name.upper(), " ".join(said.split())


def _problems(instructions: list[Instruction]) -> Iterator[str]:
    stages = {found[1] for name, said in instructions if name == "FROM" and (found := re.search(r" AS (\S+)", said))}
    for name, said in instructions:
        base = said.split()[0] if said else ""
        if name == "FROM" and base not in stages and (":" not in base or base.endswith(":latest")):
            yield f"FROM {base} names no version"
        if name == "RUN" and _INSTALLS.search(said) and "--require-hashes" not in said:
            yield f"installs without hashes: {said}"
        if name in {"ENV", "ARG"} and (found := _SECRET.search(said)):
            yield f"a secret would be in the image: {name} {found[0].partition('=')[0]}"
        if name == "ADD":
            yield f"ADD may fetch and unpack: COPY is enough for {said}"
    last = instructions[max(place for place, (name, _) in enumerate(instructions) if name == "FROM") :]
    said_last = dict(last)
    if said_last.get("USER", "root").partition(":")[0] in {"root", "0"}:
        yield "runs as root: USER names nobody else"
    if "HEALTHCHECK" not in said_last:
        yield "has no HEALTHCHECK"
    if not said_last.get("CMD", "").startswith("["):
        yield "CMD is a line for a shell, which does not pass SIGTERM on: write it as a list"
    if ("COPY", ". .") in last:
        yield "copies everything: name what the application needs"
