"""The image holds what the services need, and nothing of the rest of the repository."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.image.containers import CONTAINERFILE

ROOT = Path(__file__).parents[3]
COPIED = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text(), re.MULTILINE)


def test_it_runs_as_a_user_that_kubernetes_can_see_is_not_root() -> None:
    assert re.findall(r"^USER (.+)$", CONTAINERFILE.read_text(), re.MULTILINE) == ["10001:10001"]


def test_only_locked_wheels_are_installed() -> None:
    (install,) = [line for line in CONTAINERFILE.read_text().splitlines() if "pip install" in line]
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    assert install.removesuffix(" \\").endswith(" -r /build/runtime.txt")


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {path for paths in COPIED for path in paths.split()}
    assert copied == let_through
    assert all((ROOT / path).exists() for path in copied)


def test_every_module_that_a_job_names_is_in_the_image() -> None:
    for module in ("chassis/topics.py", "deploy/databases.py", "services/intake/__main__.py"):
        assert any(module == path or module.startswith(f"{path}/") for paths in COPIED for path in paths.split())
