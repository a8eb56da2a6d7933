"""What is compiled is what its sources make, and where it cannot be compiled one line says why."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import native
from tests.saying import say

ROOT = native.ROOT
Install = Callable[[Path], Path]
GOOD = 'export fn fold_form() u32 {\n    return @import("other.zig").form;\n}\n'
OTHER = "pub const form = 7;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sources of two files."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "fold.zig").write_text(GOOD)
    (folder / "other.zig").write_text(OTHER)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


@pytest.fixture
def instead(tmp_path: Path) -> Callable[[str], Install]:
    """A compiler that is a shell script; `$out` is where the library is to go, and nothing where the form is asked."""

    def made(script: str) -> Install:
        compiler = tmp_path / "zig"
        asked = 'for word; do case "$word" in -femit-bin=*) out="${word#-femit-bin=}";; esac; done\n'
        compiler.write_text(f"#!/bin/sh\n{asked}{script}\n")
        compiler.chmod(0o755)
        return lambda work: compiler

    return made


COMPILES = '[ -z "$out" ] || echo library > "$out"'


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def zig(request: pytest.FixtureRequest) -> Iterator[Install]:
    """The locked compiler itself. Not in a folder that pytest keeps for the next three runs: it has over 400 MB."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            compiler = native.installed(Path(folder))
        except native.NotBuilt as reason:
            say(request.config, f"NOT RUN: the compiler of the library: {reason}")
            pytest.skip(str(reason))
        yield lambda work: compiler


def test_the_library_of_this_checkout_is_what_its_sources_make() -> None:
    assert native.is_current(), "`make install` builds it"
    ctypes.CDLL(str(native.SOURCES / native.LIBRARY))


def test_making_anything_ready_asks_for_the_library() -> None:
    for target in ("install", "run", "test", "bench"):
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
        assert "-m deploy.native\n" in done.stdout, done.stderr


def test_what_was_built_is_current_until_a_source_changes_comes_or_goes(
    folder: Path, work: Path, instead: Callable[[str], Install]
) -> None:
    assert not native.is_current(folder)
    native.build(folder, work, instead(COMPILES))
    assert native.is_current(folder)
    assert names(folder) == {"fold.zig", "other.zig", native.LIBRARY, native.DIGEST}

    (folder / "other.zig").write_text("pub const form = 8;\n")
    assert not native.is_current(folder)
    (folder / "other.zig").write_text(OTHER)
    assert native.is_current(folder)
    (folder / "third.zig").write_text("")
    assert not native.is_current(folder)
    (folder / "third.zig").unlink()
    (folder / "other.zig").rename(folder / "renamed.zig")
    assert not native.is_current(folder)


def test_a_library_that_is_gone_is_not_current(folder: Path, work: Path, instead: Callable[[str], Install]) -> None:
    native.build(folder, work, instead(COMPILES))
    (folder / native.LIBRARY).unlink()
    assert not native.is_current(folder)


def test_another_compiler_or_other_flags_make_another_library(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = native.digest(folder)
    lock = tmp_path / "native.txt"
    lock.write_text(native.LOCK.read_text().replace("==", "==9"))
    assert native.digest(folder, lock) != before
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-fsingle-threaded"))
    assert native.digest(folder) != before


@pytest.mark.parametrize("script", ['[ -z "$out" ] || exit 9', '[ -z "$out" ] || { echo half > "$out"; exit 1; }'])
def test_a_build_that_fails_leaves_the_old_library_and_no_half_of_a_new_one(
    folder: Path, work: Path, instead: Callable[[str], Install], script: str
) -> None:
    native.build(folder, work, instead(COMPILES))
    before = {name: (folder / name).read_bytes() for name in names(folder)} | {"other.zig": b"changed\n"}
    (folder / "other.zig").write_text("changed\n")
    with pytest.raises(native.NotBuilt, match=r"make install"):
        native.build(folder, work, instead(script))
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before
    assert not native.is_current(folder)


def test_a_library_that_cannot_be_put_there_leaves_nothing_half(
    folder: Path, work: Path, instead: Callable[[str], Install], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        native.build(folder, work, instead(COMPILES))
    assert names(folder) == {"fold.zig", "other.zig"}


def test_a_build_that_ends_between_library_and_digest_does_not_pass_for_the_old_one(
    folder: Path, work: Path, instead: Callable[[str], Install], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = instead(COMPILES)
    native.build(folder, work, compiler)
    (folder / "other.zig").write_text("pub const form = 8;\n")

    def ended(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", ended)
    with pytest.raises(KeyboardInterrupt):
        native.build(folder, work, compiler)
    monkeypatch.undo()
    (folder / "other.zig").write_text(OTHER)
    assert not native.is_current(folder)


def test_the_real_compiler_builds_a_library_that_python_loads(folder: Path, work: Path, zig: Install) -> None:
    native.build(folder, work, zig)
    assert ctypes.CDLL(str(folder / native.LIBRARY)).fold_form() == 7


def test_the_real_compiler_says_in_one_line_where_a_source_is_wrong(folder: Path, work: Path, zig: Install) -> None:
    (folder / "other.zig").write_text("pub const form = unknown;\n")
    with pytest.raises(native.NotBuilt) as refused:
        native.build(folder, work, zig)
    assert str(refused.value).startswith("other.zig:1:18: error: use of undeclared identifier 'unknown'")
    assert "\n" not in str(refused.value)
    assert names(folder) == {"fold.zig", "other.zig"}


def test_a_source_that_cannot_be_read_at_all_is_one_line_too(folder: Path, work: Path, zig: Install) -> None:
    (folder / "other.zig").write_text("pub const = {\n")
    with pytest.raises(native.NotBuilt, match=r"^other\.zig:1:11: error: .*: mend it, then `make install`$"):
        native.build(folder, work, zig)


def test_a_source_in_another_form_is_refused_and_can_be_put_into_the_one_form(
    folder: Path, work: Path, zig: Install
) -> None:
    (folder / "other.zig").write_text("pub const   form=7;\n")
    with pytest.raises(native.NotBuilt, match=r"^other\.zig: not in the form of `zig fmt`: `make format`"):
        native.build(folder, work, zig)
    assert native.LIBRARY not in names(folder)
    native.build(folder, work, zig, rewrite=True)
    assert (folder / "other.zig").read_text() == OTHER
    assert native.is_current(folder)


def test_without_the_compiler_the_command_fails_with_one_line(tmp_path: Path) -> None:
    # Also: these files are enough to build it, as the image does.
    for name in ("deploy/__init__.py", "deploy/native.py", "requirements/native.txt", "chassis/native/fold.zig"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    command = [sys.executable, "-m", "deploy.native"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("libfold.so is not built: pip cannot install native.txt: ERROR: ")
    assert line.endswith(": see that it reaches its index, then `make install`")
    assert names(tmp_path / "chassis" / "native") == {"fold.zig"}
    assert names(tmp_path / ".cache") == set(), "the compiler does not stay"
