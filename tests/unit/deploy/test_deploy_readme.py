"""What the guide to deploying says is what the files do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.databases import USERS
from tests.deployed import DEPLOY, manifests
from tests.unit.deploy.deployables import SERVICES
from tests.unit.deploy.test_deploy_access import allowed

README = (DEPLOY / "README.md").read_text()
_ROW = re.compile(r"^ *\| (?P<first>.+?) \| (?P<rest>.*) \|$", re.MULTILINE)
_NAME = re.compile(r"`([\w-]+)`")


def rows() -> list[tuple[list[str], str]]:
    return [(_NAME.findall(row["first"]), row["rest"]) for row in _ROW.finditer(README)]


def test_it_names_the_secrets_that_the_manifests_need() -> None:
    needed: dict[str, set[str]] = {}
    for manifest in manifests(DEPLOY / "kubernetes"):
        if manifest["kind"] in ("Deployment", "Job"):
            for variable in manifest["spec"]["template"]["spec"]["containers"][0]["env"]:
                if "valueFrom" in variable:
                    reference = variable["valueFrom"]["secretKeyRef"]
                    needed.setdefault(reference["name"], set()).add(reference["key"])
    told = {name: set(_NAME.findall(rest)) for names, rest in rows() for name in names if "kafka-password" in rest}
    assert told == needed


def test_it_tells_who_may_read_and_write_what() -> None:
    told = {names[0]: rest.split(" | ") for names, rest in rows() if len(names) == 1 and rest.count(" | ") == 1}
    for service in SERVICES:
        for operation, said in zip(("Write", "Read"), told[service], strict=True):
            topics = {f"dugnad.{name}.v1" for name in re.findall(r"\w+", said)}
            assert topics == allowed(service, operation), f"{service} {operation}"


def test_it_names_every_user_of_the_databases() -> None:
    told = {name for names, rest in rows() for name in names if "`dugnad_" in rest}
    assert told == set(USERS)


def test_its_overlay_can_be_built(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not here to build the overlay of the guide")
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    overlay = yaml.safe_load(example)
    shutil.copytree(DEPLOY / "kubernetes", tmp_path / "dugnad" / "deploy" / "kubernetes")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    done = subprocess.run([kubectl, "kustomize", str(tmp_path / "overlay")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    (settings,) = [each["data"] for each in built if each["kind"] == "ConfigMap"]
    assert settings["DUGNAD_ISSUER"] == "https://issuer.example"
    assert settings["DUGNAD_ENVIRONMENT"] == "production"
    images = {
        each["spec"]["template"]["spec"]["containers"][0]["image"] for each in built if each["kind"] == "Deployment"
    }
    assert images == {"images.example/dugnad:0.1.0"}
