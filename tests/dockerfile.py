"""A Dockerfile, carried out without Docker: its steps in their order, in a directory instead of an image.

Every stage is built at the same path, one after the other, because environments and scripts hold the path that they
were made at. What the base image brings is an environment of this Python; `/opt`, `/app` and the like are directories
below the root of the image. An instruction that is not known here is an error: better to teach it than to skip it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import string
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OUR_OWN = re.compile(r"(?<![\w.$}/=\"-])/(?=(?:app|opt|root|tmp|usr/local|var/cache)\b)")
_SAID_ONCE = {"CMD", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "USER"}


@dataclass
class Stage:
    """What a stage has come to: its files are those of `root`, as long as no other stage is built."""

    root: Path
    workdir: Path
    environment: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)  # instructions that only describe
    labels: dict[str, str] = field(default_factory=dict)

    def inside(self, text: str) -> str:
        """The text with paths of the image as they are on this machine."""
        return _OUR_OWN.sub(f"{self.root}/", text)

    def variables(self) -> dict[str, str]:
        """The environment of a process in it: this machine's without its Python, then the image's."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = os.pathsep.join([*self.environment["PATH"].split(":"), "/usr/bin", "/bin"])
        return ours | self.environment | {"PATH": path}

    def command(self, instruction: str) -> list[str]:
        """CMD or HEALTHCHECK, which have to be in the form that needs no shell."""
        words = self.said[instruction]
        return [str(word) for word in json.loads(words[words.index("[") :])]


class Build:
    """A build of one Dockerfile. Only the stages that the wanted one needs are carried out, as BuildKit does it."""

    def __init__(self, context: Path, place: Path, python: str) -> None:
        self._context = context
        self._place = place
        self._python = python
        self._ignored = [_pattern(line) for line in _lines(context / ".dockerignore")]
        self._arguments: dict[str, str] = {}
        self._steps: dict[str, list[tuple[str, str]]] = {}
        self._bases: dict[str, str] = {}
        self._done: dict[str, Stage] = {}
        name = ""
        for instruction, rest in instructions(context / "Dockerfile"):
            if instruction == "FROM":
                base, name = re.fullmatch(r"(\S+) AS (\w+)", self._filled(rest)).groups()  # type: ignore[union-attr]
                self._bases[name], self._steps[name] = base, []
            elif not name:
                self._argue(rest)
            else:
                self._steps[name].append((instruction, rest))

    def stages(self) -> dict[str, list[tuple[str, str]]]:
        return self._steps

    def run(self, target: str) -> Stage:
        """Build this stage, after those that it needs."""
        for instruction, rest in self._steps[target]:
            if (found := re.search(r"--from=(\w+)", rest)) and instruction == "COPY":
                self._keep(found[1])
        if (base := self._bases[target]) in self._steps:
            self._keep(base)
        root = self._place / "root"
        shutil.rmtree(root, ignore_errors=True)
        if base in self._done:
            shutil.copytree(self._done[base].root, root, symlinks=True)
            before = self._done[base]
            stage = Stage(root, before.workdir, dict(before.environment), dict(before.said))
        else:
            subprocess.run([self._python, "-m", "venv", root / "usr" / "local"], check=True)
            (root / "tmp").mkdir()
            stage = Stage(root, root, {"PATH": f"{root}/usr/local/bin"})
        for instruction, rest in self._steps[target]:
            self._carry_out(stage, instruction, rest)
        return stage

    def _keep(self, name: str) -> None:
        if name not in self._done:
            stage = self.run(name)
            kept = self._place / name
            stage.root.rename(kept)
            stage.root = kept
            self._done[name] = stage

    def _carry_out(self, stage: Stage, instruction: str, rest: str) -> None:
        if instruction == "RUN":
            self._do_run(stage, rest)
        elif instruction == "COPY":
            self._do_copy(stage, rest)
        elif instruction == "ENV":
            for name, value in _pairs(rest):
                stage.environment[name] = string.Template(stage.inside(value)).substitute(stage.environment)
        elif instruction == "WORKDIR":
            stage.workdir = stage.root / rest.lstrip("/")
            stage.workdir.mkdir(parents=True, exist_ok=True)
        elif instruction == "LABEL":
            stage.labels |= {name: self._filled(value) for name, value in _pairs(rest)}
        elif instruction == "ARG":
            self._argue(rest)
        else:
            assert instruction in _SAID_ONCE, f"teach tests/dockerfile.py what {instruction} does"
            stage.said[instruction] = rest

    def _do_run(self, stage: Stage, rest: str) -> None:
        mounts, command = re.fullmatch(r"((?:--mount=\S+ )*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
        bound = [stage.workdir / found[1] for found in re.finditer(r"type=bind,source=(\S+),target=/app/\1 ", mounts)]
        assert mounts.count("type=bind") == len(bound), "a file is mounted under its own name here"
        for path in bound:
            assert not self._is_ignored(path.name), f"{path.name} is in .dockerignore"
            shutil.copy2(self._context / path.name, path)
        subprocess.run(["/bin/sh", "-ec", stage.inside(command)], cwd=stage.workdir, env=stage.variables(), check=True)
        for path in bound:
            path.unlink()

    def _do_copy(self, stage: Stage, rest: str) -> None:
        words = shlex.split(rest)
        options = [word for word in words if word.startswith("--")]
        *sources, target = [word for word in words if not word.startswith("--")]
        to = stage.root / target.lstrip("/") if target.startswith("/") else stage.workdir / target
        for source in sources:
            if options:
                (other,) = (option.removeprefix("--from=") for option in options)
                shutil.copytree(self._done[other].root / source.lstrip("/"), to, symlinks=True)
            elif (self._context / source).is_dir():
                for path in self._files(source):
                    copy = to / path.relative_to(self._context / source)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, copy)
            else:
                shutil.copy2(self._context / source, to)

    def _files(self, directory: str) -> Iterator[Path]:
        for path in sorted((self._context / directory).rglob("*")):
            if path.is_file() and not self._is_ignored(path.relative_to(self._context).as_posix()):
                yield path

    def _is_ignored(self, path: str) -> bool:
        return any(pattern.match(path) for pattern in self._ignored)

    def _argue(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self._arguments[name] = value.strip('"')

    def _filled(self, text: str) -> str:
        return string.Template(text).substitute(self._arguments)


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Each instruction and what follows it, without comments, on one line."""
    text = "\n".join(line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if line.strip():
            instruction, _, rest = line.partition(" ")
            yield instruction, rest.strip()


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        yield name, value


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def _pattern(line: str) -> re.Pattern[str]:
    """What a line of .dockerignore matches: the path, and everything below it."""
    assert not line.startswith(("!", "/")), "teach tests/dockerfile.py what that means"
    expression = re.escape(line.rstrip("/")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.compile(f"{expression}(?:/|$)")
