"""The manifests: valid by Kubernetes' own schemas, locked down, and of one mind with the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chassis.settings import Settings
from deploy.image.containers import CONTAINERFILE
from tests.deployed import DEPLOY, manifests
from tests.unit.deploy.deployables import SERVICES, variables

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS = manifests(FOLDER)
SHARED = dict(
    line.split("=", 1) for line in (FOLDER / "settings.env").read_text().splitlines() if not line.startswith("#")
)
KUBERNETES = "1.34"


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in MANIFESTS if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def container(kind: str, name: str) -> dict[str, Any]:
    (found,) = named(kind, name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def own_variables(kind: str, name: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in container(kind, name)["env"]}


OURS = [("Deployment", name) for name in SERVICES] + [("Job", "topics")]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_a_manifest_is_valid_and_has_no_unknown_field(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_kustomization_names_every_file_and_only_what_is_there() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files
    assert KUSTOMIZATION["configMapGenerator"] == [{"name": "settings", "envs": ["settings.env"]}]
    assert {each["name"] for each in KUSTOMIZATION["images"]} == {"dugnad"}


def test_kubectl_puts_it_together() -> None:
    kubectl = shutil.which("kubectl") or shutil.which("kustomize")
    if kubectl is None:
        pytest.skip("neither kubectl nor kustomize is here: the manifests were checked one by one")
    verb = "kustomize" if kubectl.endswith("kubectl") else "build"
    done = subprocess.run([kubectl, verb, str(FOLDER)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = [document for document in yaml.safe_load_all(done.stdout) if document]
    assert len(built) == len(MANIFESTS) + 1
    for document in built:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        assert document["metadata"]["namespace"] == "dugnad"
    (settings,) = [each for each in built if each["kind"] == "ConfigMap"]
    assert settings["data"] == SHARED


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_a_service_and_a_budget(service: str) -> None:
    labels = {"app.kubernetes.io/name": service}
    deployment = named("Deployment", service)["spec"]
    assert deployment["replicas"] >= 2
    assert deployment["template"]["metadata"]["labels"] == labels
    for matched in (deployment["selector"], named("PodDisruptionBudget", service)["spec"]["selector"]):
        assert matched == {"matchLabels": labels}
    assert named("Service", service)["spec"]["selector"] == labels


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_asked_whether_it_lives_and_is_ready(service: str) -> None:
    made = container("Deployment", service)
    paths = {probe: made[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_a_container_has_no_rights_and_known_resources(kind: str, name: str) -> None:
    pod = named(kind, name)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    user = re.findall(r"^USER (\d+):(\d+)$", CONTAINERFILE.read_text(), re.MULTILINE)[0]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user[0]),
        "runAsGroup": int(user[1]),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    made = container(kind, name)
    assert made["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} == made["resources"]["requests"].keys()
    assert "memory" in made["resources"]["limits"]
    assert made["image"] == "dugnad"


def test_traces_may_go_to_a_collector_and_go_nowhere_unless_one_is_named() -> None:
    assert SHARED["OTEL_EXPORTER_OTLP_ENDPOINT"] == ""
    (egress,) = named("NetworkPolicy", "services-reach-the-collector")["spec"]["egress"]
    assert egress["ports"] == [{"port": 4318}]


@pytest.mark.parametrize(("kind", "name"), OURS)
def test_every_variable_is_a_setting_and_every_secret_a_reference(kind: str, name: str) -> None:
    own = own_variables(kind, name)
    assert SHARED.keys() | own.keys() <= variables()
    assert not SHARED.keys() & own.keys()
    secret = {"operator"} if kind == "Job" else {name}
    for variable, each in own.items():
        if variable == "DUGNAD_KAFKA_USERNAME":
            assert {each["value"]} == secret
        else:
            assert {each["valueFrom"]["secretKeyRef"]["name"]} == secret


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_take_what_is_set(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (*SHARED.items(), *image_variables().items()):
        monkeypatch.setenv(name, value)
    for name, each in own_variables("Deployment", service).items():
        monkeypatch.setenv(name, each.get("value", "secret"))
    settings = Settings()
    assert settings.environment == "production"
    assert settings.dev_issuer_key is None
    assert settings.synthetic_org_numbers is False
    assert settings.kafka_tls
    assert settings.replication_factor == 3
    assert settings.host == "0.0.0.0"
    listened = {"http": settings.port, "metrics": settings.metrics_port}
    assert {each["name"]: each["containerPort"] for each in container("Deployment", service)["ports"]} == listened
    assert {each["targetPort"]: each["port"] for each in named("Service", service)["spec"]["ports"]} == listened
    assert getattr(settings, f"{service}_url") == f"http://{service}:{settings.port}"


def image_variables() -> dict[str, str]:
    """What the image sets itself."""
    return dict(re.findall(r"(DUGNAD_\w+)=(\S+)", CONTAINERFILE.read_text()))


def test_keyring_and_background_facts_have_users_of_their_own_in_intake_alone() -> None:
    for service in SERVICES:
        own = {"DUGNAD_KEYRING_MONGODB_URI", "DUGNAD_BACKGROUND_MONGODB_URI"} & own_variables(
            "Deployment", service
        ).keys()
        assert len(own) == (2 if service == "intake" else 0)


def test_services_that_ask_intake_can_get_a_token_for_it() -> None:
    for service in SERVICES:
        client = {"DUGNAD_CLIENT_ID", "DUGNAD_CLIENT_SECRET"} & own_variables("Deployment", service).keys()
        assert len(client) == (0 if service == "intake" else 2)
    assert "DUGNAD_TOKEN_URL" in SHARED


def test_nobody_reaches_anything_unless_it_is_said() -> None:
    assert named("NetworkPolicy", "nothing-else")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = {f"app.kubernetes.io/name: {name}" for name in (*SERVICES, "topics")}
    for policy in (each for each in MANIFESTS if each["kind"] == "NetworkPolicy"):
        chosen = policy["spec"]["podSelector"]
        for label in (chosen.get("matchLabels") or {}).items():
            assert ": ".join(label) in labels
        for expression in chosen.get("matchExpressions", ()):
            assert set(expression["values"]) <= set(SERVICES)


def test_other_services_may_reach_intake_and_nothing_else_of_each_other() -> None:
    asked = named("NetworkPolicy", "services-ask-intake")["spec"]
    assert asked["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "intake"}}
    (askers,) = asked["ingress"][0]["from"]
    assert askers["podSelector"]["matchExpressions"][0]["values"] == ["matching", "followup", "reporting"]
    inner = [
        policy["metadata"]["name"]
        for policy in MANIFESTS
        if policy["kind"] == "NetworkPolicy"
        and any("podSelector" in peer for rule in policy["spec"].get("ingress", ()) for peer in rule.get("from", ()))
    ]
    assert inner == ["services-ask-intake"]
