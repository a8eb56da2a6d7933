"""Files of `deploy/` as tests read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy import secrets

DEPLOY = Path(secrets.__file__).parent
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+):\?[^}]*\}")
_CHOICE = re.compile(r"\$\{[A-Z0-9_]+:-(?P<otherwise>[^}]*)\}")


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with its variables put in, as Docker reads it. A KeyError names a variable that is missing."""
    text = _VARIABLE.sub(lambda found: variables[found["name"]], secrets.COMPOSE.read_text())
    text = _CHOICE.sub(lambda found: found["otherwise"] or '""', text)
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def compose_secrets() -> dict[str, str]:
    """Random values for all of them."""
    return dict(line.split("=", 1) for line in secrets.complete("").splitlines())


def environment(document: Mapping[str, Any], service: str) -> dict[str, str]:
    """The variables of one service of the compose file."""
    return {name: str(value) for name, value in document["services"][service]["environment"].items()}


def manifests(folder: Path) -> list[dict[str, Any]]:
    """All documents of a folder's YAML files but its kustomization."""
    files = sorted(path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")
    return [document for path in files for document in yaml.safe_load_all(path.read_text()) if document]
