"""What the image stands on, and the wheels that go into it.

Invariant: only wheels whose sha256 is in `requirements/runtime.txt` get in, whatever the base. The compiler, locked in
`requirements/native.txt`, is in a stage that ends before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.image.containers import BUILD_SECONDS, Containers, NotPossible, last_line
from deploy.local.places import CACHE, ROOT

SLIM = "python:3.11-slim"
DEBIAN, DEBIAN_RELEASE = "localhost/dugnad-base:bookworm", "bookworm"
"""The same Python from Debian's packages, where no base can be fetched; that release has Python 3.11."""
REQUIREMENTS = tuple(ROOT / "requirements" / name for name in ("runtime.txt", "native.txt"))
WHEELS = CACHE / "image" / "wheels"
_TARGET = ("--implementation=cp", "--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none")
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux1")


def base(containers: Containers) -> str:
    """The slim image of Python where it can be had, else one made of Debian's packages. Raises NotPossible."""
    if containers.has(SLIM):
        return SLIM
    # `localhost/` is nobody's registry: asking for it fetches nothing.
    return DEBIAN if containers.has(DEBIAN) else _from_debian(containers)


def _from_debian(containers: Containers) -> str:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise NotPossible(f"{SLIM} cannot be fetched, and debootstrap (as root) is not here to make a base without it")
    folder = CACHE / "image" / "base"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = ["debootstrap", "--variant=minbase", "--include=python3,python3-venv", DEBIAN_RELEASE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    if done.returncode != 0:
        raise NotPossible(f"{SLIM} cannot be fetched, and debootstrap failed: {last_line(done.stdout + done.stderr)}")
    with subprocess.Popen(["tar", "-C", str(folder), "-c", "."], stdout=subprocess.PIPE) as tar:
        done = subprocess.run(
            [containers.program, "import", "-", DEBIAN], stdin=tar.stdout, capture_output=True, text=True
        )
    if done.returncode != 0:
        raise NotPossible(f"{containers.program} could not import a base: {last_line(done.stderr)}")
    shutil.rmtree(folder)
    return DEBIAN


def wheels() -> Path:
    """The locked wheels for the image's Python, fetched once. Raises NotPossible."""
    machine = os.uname().machine
    WHEELS.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(WHEELS)]
    command += [f"--requirement={file}" for file in REQUIREMENTS]
    command += [*_TARGET, *(f"--platform={platform}_{machine}" for platform in _PLATFORMS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    if done.returncode != 0:
        raise NotPossible(f"the locked wheels could not be fetched: {last_line(done.stderr)}")
    return WHEELS
