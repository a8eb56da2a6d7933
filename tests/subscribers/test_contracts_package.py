"""`contracts/` as a package of its own: built, installed beside nothing but what it asks for, and used."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from contracts.rulepacks import packs
from deploy.local.places import ROOT

CONTRACTS = ROOT / "contracts"
GOLDEN = ROOT / "tests" / "unit" / "contracts" / "golden" / "MatchConfirmed.v1.json"
PROJECT = tomllib.loads((CONTRACTS / "pyproject.toml").read_text("utf-8"))["project"]
SEEN = """
import json, sys
from pathlib import Path
import contracts
from contracts import codelists, days, nationalids, orgnumbers, schemas
from contracts.envelope import decode
from contracts.rulepacks import packs
golden = json.loads(Path(sys.argv[1]).read_text("utf-8"))
headers = [(name, text.encode()) for name, text in golden["headers"].items()]
envelope = decode(golden["key"].encode(), golden["value"].encode(), headers)
schema = json.loads((schemas.DIRECTORY / "MatchConfirmed.v1.json").read_text("utf-8"))
print(json.dumps({
    "from": str(Path(contracts.__file__).parent),
    "path": sys.path,
    "event": [envelope.id, envelope.type, envelope.event.slot_id, envelope.event.promise_date.isoformat()],
    "schema": schema["x-type"],
    "occupation": codelists.occupations()["5223"].name_en,
    "packs": len(packs()),
    "differences": list(schemas.differences()),
}))
"""


def test_the_package_has_the_version_of_the_language() -> None:
    asyncapi = json.loads((CONTRACTS / "asyncapi.yaml").read_text("utf-8"))
    assert PROJECT["version"] == asyncapi["info"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed already."""
    place = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place, cwd=CONTRACTS)
    (built,) = place.glob("*.whl")
    return built


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_contracts_and_no_other(wheel: Path) -> None:
    here = {
        f"contracts/{path.relative_to(CONTRACTS)}"
        for path in CONTRACTS.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as packed:
        there = {name for name in packed.namelist() if ".dist-info/" not in name}
    # Its own description is in the wheel's metadata.
    assert there == here - {"contracts/pyproject.toml", "contracts/README.md"}
    assert {"contracts/py.typed", "contracts/asyncapi.yaml", "contracts/schemas/NeedRegistered.v1.json"} <= there


def test_it_decodes_a_golden_record_where_nothing_of_the_repository_is(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    # As a subscriber's pip does it, but for the download: only what the package asks for.
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel, cwd=tmp_path
    )
    for name in sorted(asked_for(PROJECT["dependencies"])):
        for top in {file.parts[0] for file in distribution(name).files or () if file.parts[0] != ".."}:
            (packages / top).symlink_to(str(distribution(name).locate_file(top)))

    found = json.loads(run(python, "-I", "-c", SEEN, GOLDEN, cwd=tmp_path))

    assert Path(found.pop("from")) == packages / "contracts"
    assert not [place for place in found.pop("path") if Path(place).is_relative_to(ROOT)]
    assert found == {
        "event": ["dugnad/matching#43", "dugnad.MatchConfirmed.v1", "01JHF3M0Q8S1ZV5X6T7B8C9D0E", "2025-02-10"],
        "schema": "dugnad.MatchConfirmed.v1",
        "occupation": "Shop Sales Assistants",
        "packs": len(packs()),
        "differences": [],
    }


def asked_for(requirements: list[str]) -> set[str]:
    """The names of the distributions that these requirements lead to, on this machine."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in found:
            found.add(requirement.name)
            assert requirement.specifier.contains(distribution(requirement.name).version, prereleases=True)
            waiting.extend(distribution(requirement.name).requires or ())
    return found
