"""`python -m deploy.native [--format]`: build `chassis/native/libfold.so` when it is not what its sources make.

Invariant: a library is there as a whole, the old one or the new one; a digest beside it is of all that made that one.
The compiler is a locked wheel; it is installed into `.cache/` for the time of a build, and does not stay.
Standard library only: the image compiles with this file before anything else is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "chassis" / "native"
LOCK = ROOT / "requirements" / "native.txt"
LIBRARY, DIGEST = "libfold.so", "libfold.so.digest"
# Safe: what must not happen ends the process instead of giving wrong documents. Baseline: an image that was built on
# one machine runs on another, which may lack the newer instructions of the first.
FLAGS = ("build-lib", "-dynamic", "-O", "ReleaseSafe", "-fstrip", "-mcpu", "baseline")
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:")
_PIP_INTO = ("--no-deps", "--no-compile", "--target")


class NotBuilt(Exception):
    """Why there is no new library, and what to do, in one line."""


def digest(folder: Path, lock: Path = LOCK) -> str:
    """Of all that decides what the library is: sources, compiler, flags and the machine it is for."""
    parts = [*FLAGS, sys.platform, platform.machine(), _sha256(lock)]
    for name in _sources(folder):
        parts += [name, _sha256(folder / name)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_current(folder: Path = SOURCES) -> bool:
    """Whether the library in a folder is what the sources in it make."""
    said = folder / DIGEST
    return (folder / LIBRARY).is_file() and said.is_file() and said.read_text() == f"{digest(folder)}\n"


def installed(folder: Path) -> Path:
    """The locked compiler, installed into a folder. Raises NotBuilt."""
    # Pip unpacks into the temporary folder first, and that may be memory: the compiler has over 400 MB.
    environ = {**os.environ, "TMPDIR": str(folder)}
    done = _run([sys.executable, *_PIP, *_PIP_INTO, str(folder / "compiler"), "--requirement", str(LOCK)], env=environ)
    if done.returncode != 0:
        why = f"pip cannot install {LOCK.name}: {_first_error(done.stderr)}"
        raise NotBuilt(f"{why}: see that it reaches its index, then `make install`")
    return folder / "compiler" / "ziglang" / "zig"


def build(folder: Path, work: Path, install: Callable[[Path], Path] = installed, *, rewrite: bool = False) -> None:
    """Compile the sources of a folder into its library, within an empty folder `work`. Raises NotBuilt.

    Sources that are not in the form of `zig fmt` are refused, or put into it (`rewrite`): only here is the compiler at
    hand.
    """
    zig, new = install(work), folder / f"{LIBRARY}.new"
    form = _run([str(zig), "fmt", *([] if rewrite else ["--check"]), *_sources(folder)], cwd=folder)
    if form.returncode != 0 and form.stderr:
        raise NotBuilt(f"{_first_error(form.stderr)}: mend it, then `make install`")
    if form.returncode != 0:
        raise NotBuilt(f"{', '.join(form.stdout.split())}: not in the form of `zig fmt`: `make format` puts it there")
    made_of, built = digest(folder), work / LIBRARY
    caches = ["--cache-dir", str(work / "local"), "--global-cache-dir", str(work / "global")]
    done = _run([str(zig), *FLAGS, *caches, f"-femit-bin={built}", "fold.zig"], cwd=folder)
    if done.returncode != 0:
        raise NotBuilt(f"{_first_error(done.stderr)}: mend it, then `make install`")
    try:
        shutil.copyfile(built, new)
        # Not the digest of the old one beside the new one, wherever this ends. Who uses the old one keeps it.
        (folder / DIGEST).unlink(missing_ok=True)
        new.replace(folder / LIBRARY)
    finally:
        new.unlink(missing_ok=True)
    (folder / DIGEST).write_text(f"{made_of}\n")


def main() -> None:
    """Exit code 1 and one line on standard error where there is no library of these sources."""
    parser = argparse.ArgumentParser(prog="python -m deploy.native", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--format", action="store_true", help="put the sources into the form of `zig fmt` first")
    rewrite: bool = parser.parse_args().format
    if is_current():
        return
    print(f"Building {(SOURCES / LIBRARY).relative_to(ROOT)} …", flush=True)
    try:
        cache = ROOT / ".cache"
        cache.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="native-", dir=cache) as work:
            build(SOURCES, Path(work), rewrite=rewrite)
    except (NotBuilt, OSError) as reason:
        sys.exit(f"{LIBRARY} is not built: {reason}")


def _sources(folder: Path) -> list[str]:
    return sorted(source.relative_to(folder).as_posix() for source in folder.rglob("*.zig"))


def _run(
    command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)


def _first_error(text: str) -> str:
    """The line that names the cause: what follows it explains, or follows from it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it ended without a word"]
    return next((line for line in lines if "error:" in line.lower()), lines[-1])[:300]


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
