"""Compose, nginx and the image fit together: what one of them says, the others rely on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from bakes import HOSTILE, bake, bake_hostile
from dotenv import dotenv_values

BASE, DEVELOPMENT, TLS = "docker-compose.yml", "docker-compose.override.yml", "docker-compose.tls.yml"


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(template, tmp_path_factory.mktemp("rendered"))


def compose(project: Path, name: str = BASE) -> dict[str, Any]:
    file: dict[str, Any] = yaml.safe_load((project / name).read_text(encoding="utf-8"))
    return file


def services(project: Path, name: str = BASE) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose(project, name)["services"]
    return found


def directive(project: Path, name: str, file: str) -> int:
    """The number that nginx is told, in bytes or seconds."""
    text = (project / "deploy" / "nginx" / file).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^\s*{name} (\d+)s?;", text, re.MULTILINE)
    return int(found)


def constant(project: Path, name: str) -> int:
    """The number that the server is started with."""
    text = (project / "app" / "commands" / "server.py").read_text(encoding="utf-8")
    return int(re.findall(rf"^{name}: Final = (\d+)$", text, re.MULTILINE)[0])


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", BASE, DEVELOPMENT, TLS],
    ],
)
def test_linters_have_nothing_to_say(rendered: Path, command: list[str]) -> None:
    program = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run([program, *command[1:]], cwd=rendered, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_container_may_do_no_more_than_it_has_to(rendered: Path) -> None:
    for name, service in services(rendered).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        assert service.get("user", "10001") != "root", name


def test_only_nginx_can_be_reached_and_nothing_can_reach_the_database(rendered: Path) -> None:
    found = services(rendered)
    assert {name for name, service in found.items() if "ports" in service} == {"nginx"}
    assert {name for name, service in found.items() if service["networks"] == ["data"]} == {"db", "redis", "migrate"}
    assert "data" not in found["nginx"]["networks"]
    assert compose(rendered)["networks"]["data"] == {"internal": True}
    for service in services(rendered, DEVELOPMENT).values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_each_waits_for_what_it_needs(rendered: Path) -> None:
    found = services(rendered)
    needs = {
        name: {other: how["condition"] for other, how in service["depends_on"].items()}
        for name, service in found.items()
        if "depends_on" in service
    }
    prepared = {"migrate": "service_completed_successfully", "db": "service_healthy"}
    assert needs == {
        "backend": prepared | {"redis": "service_started"},
        "worker": prepared,
        "migrate": {"db": "service_healthy"},
        "nginx": {"backend": "service_healthy"},
    }
    for name in ("db", "redis", "nginx"):
        assert found[name]["healthcheck"]["test"][0] == "CMD"


def test_every_variable_is_a_setting(rendered: Path) -> None:
    known = dotenv_values(rendered / ".env.example").keys() | {"WEB_CONCURRENCY"}
    for file in (BASE, DEVELOPMENT):
        for name in ("backend", "worker", "migrate"):
            assert services(rendered, file)[name]["environment"].keys() <= known
    for secret in compose(rendered)["secrets"]:
        assert secret.upper() in known


def test_hostile_answers_come_back_from_compose(template: Path, tmp_path: Path) -> None:
    """A dollar is written twice there."""
    environment = services(bake_hostile(template, tmp_path))["backend"]["environment"]
    for name in ("APP_NAME", "APP_DESCRIPTION"):  # the contract in openapi.yaml holds both
        assert environment[name].replace("$$", "$") == HOSTILE
        assert not re.search(r"(?<!\$)\$(?:\$\$)*(?!\$)", environment[name])


def test_secrets_are_made_once_and_for_the_owner(rendered: Path) -> None:
    script = ["sh", "deploy/secrets.sh"]
    subprocess.run(script, cwd=rendered, check=True, capture_output=True)
    directory = rendered / "deploy" / "secrets"
    made = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
    assert made.keys() == compose(rendered)["secrets"].keys()
    assert all(len(secret) == 64 for secret in made.values())
    assert len(set(made.values())) == 2
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in directory.iterdir())
    again = subprocess.run(script, cwd=rendered, check=True, capture_output=True)
    assert again.stdout == b""
    assert {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()} == made


def test_the_secrets_of_development_are_refused_in_production(rendered: Path) -> None:
    """By app/config.py, which takes nothing with this word in it."""
    for secret in compose(rendered, DEVELOPMENT)["secrets"].values():
        assert (rendered / secret["file"]).read_text(encoding="utf-8").strip()
    assert "change" in (rendered / "deploy" / "development" / "secret_key").read_text(encoding="utf-8")


def test_limits_and_times_fit_together(rendered: Path) -> None:
    example = dotenv_values(rendered / ".env.example")
    assert directive(rendered, "client_max_body_size", "api.conf") == int(str(example["MAX_BODY_BYTES"]))
    waits = float(str(example["DATABASE_STATEMENT_TIMEOUT"])) + float(str(example["DATABASE_POOL_TIMEOUT"]))
    assert float(str(example["REQUEST_TIMEOUT"])) > waits
    assert directive(rendered, "proxy_read_timeout", "api.conf") > float(str(example["REQUEST_TIMEOUT"]))
    # Whoever closes an idle connection must be the one who sends requests on it.
    assert directive(rendered, "keepalive_timeout", "http.conf") < constant(rendered, "KEEP_ALIVE")
    found = services(rendered)
    end = float(str(example["SHUTDOWN_DELAY"])) + float(str(example["SHUTDOWN_TIMEOUT"]))
    for name in ("backend", "worker", "nginx"):
        assert int(found[name]["stop_grace_period"].removesuffix("s")) > end + 5
    backend = found["backend"]
    assert backend["environment"]["WEB_CONCURRENCY"] == int(backend["deploy"]["resources"]["limits"]["cpus"])


def test_what_git_ignores_no_image_gets(rendered: Path) -> None:
    def lines(name: str) -> set[str]:
        text = (rendered / name).read_text(encoding="utf-8")
        return {line.removeprefix("**/") for line in text.splitlines() if line and not line.startswith("#")}

    assert lines(".gitignore") <= lines(".dockerignore")
