"""`make test-r`: R's PxWebApiData and rjstat against a running service, where R and both packages can be had.

Invariant: it says in one line whether they ran, and if not, why; it fails only where they ran and something was wrong.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.places import CACHE
from tests.clients.conftest import serving

HERE = Path(__file__).parent
LIBRARY = CACHE / "r-library"
PACKAGES = ("rjstat", "PxWebApiData")
_DEBIAN = ("r-base-core", "r-cran-httr", "r-cran-jsonlite", "r-cran-checkmate", "r-cran-assertthat", "r-cran-curl")
_ENVIRONMENT = {**os.environ, "R_LIBS_USER": str(LIBRARY)}


def _run(command: list[str], seconds: int) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=_ENVIRONMENT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} took longer than {seconds} s")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"{done.args[0]} ended with code {done.returncode}"


def missing() -> str | None:
    """Why R cannot be asked; None where it can. Fetches what may be fetched."""
    if shutil.which("Rscript") is None:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            return "Rscript is not on this machine"
        got = _run(["apt-get", "update", "-qq"], 120)
        if got.returncode == 0:
            got = _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *_DEBIAN], 400)
        if got.returncode:
            return f"R cannot be installed: {_last_line(got)}"
    LIBRARY.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        asked = ["Rscript", "-e", f'quit(status = !requireNamespace("{package}", quietly = TRUE))']
        if _run(asked, 60).returncode == 0:
            continue
        fetched = f'install.packages("{package}", lib = "{LIBRARY}")'
        _run(["Rscript", "-e", f"options(timeout = 60); chooseCRANmirror(ind = 1, local.only = TRUE); {fetched}"], 500)
        if _run(asked, 60).returncode:
            return f"the R package {package} cannot be fetched from here"
    return None


def main() -> int:
    """Exit code 1 where R ran and found something wrong."""
    why = missing()
    if why is not None:
        print(f"NOT RUN test-r: {why}")
        return 0
    with serving() as served:
        done = _run(["Rscript", str(HERE / "clients.R"), served.public], 300)
    print(done.stdout, end="")
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    print("test-r: both R clients ran")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
