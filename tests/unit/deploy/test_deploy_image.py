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
    # What goes in as a part of what is let through needs no line of its own.
    assert let_through <= copied
    assert all(path in let_through or str(Path(path).parent) in let_through for path in copied)
    assert all((ROOT / path).exists() for path in copied)


def test_the_library_is_compiled_for_the_image_and_its_compiler_stays_behind() -> None:
    stages = re.split(r"^FROM ", CONTAINERFILE.read_text(), flags=re.MULTILINE)[1:]
    native, build, image = stages
    assert "-m deploy.native" in native
    assert "COPY --from=native /build/chassis/native/libfold.so /opt/dugnad/app/chassis/native/\n" in build
    assert re.findall("^COPY .+$", image, re.MULTILINE) == ["COPY --from=build /opt/dugnad /opt/dugnad"]
    # What this machine compiled is of this machine.
    assert "chassis/native/libfold.so*" in (ROOT / ".dockerignore").read_text().splitlines()


def test_every_module_that_a_job_names_is_in_the_image() -> None:
    for module in ("chassis/topics.py", "deploy/databases.py", "services/intake/__main__.py"):
        assert any(module == path or module.startswith(f"{path}/") for paths in COPIED for path in paths.split())
