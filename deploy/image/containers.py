"""Podman or Docker on this machine: found, asked to build the image, and to run it as production would.

Invariant: what cannot be done here is said as one sentence (NotPossible), never taken for a success.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.places import ROOT

CONTAINERFILE = Path(__file__).with_name("Containerfile")
LOCKED_DOWN = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
"""As the manifests run it."""
NETWORK = ("--network=host",)
"""The engines of the tests listen on the loopback interface."""
BUILD_SECONDS, PROBE_SECONDS = 900, 60


class NotPossible(Exception):
    """Why there is no image, or no container, on this machine."""


class Containers:
    """One of the two programs, with the options that it needs here."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._options: tuple[str, ...] = ()

    @classmethod
    def find(cls) -> Containers:
        """Podman where it is, else Docker where its engine answers. Raises NotPossible."""
        for program, question in (("podman", "--version"), ("docker", "info")):
            if shutil.which(program) and subprocess.run([program, question], capture_output=True).returncode == 0:
                return cls(program)
        raise NotPossible("neither podman nor an answering docker is on this machine")

    def has(self, image: str) -> bool:
        """Whether the image is here or can be fetched."""
        return any(self._asked(*words, image) for words in (("image", "inspect"), ("pull", "--quiet")))

    def build(self, tag: str, base: str, wheels: Path | None) -> None:
        """Build the image on a base; without a network where the wheels are given. Raises NotPossible."""
        command = [self.program, "build", "--file", str(CONTAINERFILE), "--tag", tag, "--build-arg", f"BASE={base}"]
        if self.program == "podman":
            # Rights that a build does not need are missing on many a machine that runs in a container itself.
            command += ["--isolation=chroot", "--network=host", "--format=docker"]
            if wheels is not None:
                command += ["--build-arg=PIP_NO_INDEX=1", "--build-arg=PIP_FIND_LINKS=/wheels"]
                command += ["--volume", f"{wheels}:/wheels:ro"]
        done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=BUILD_SECONDS)
        if done.returncode != 0:
            raise NotPossible(f"{self.program} could not build {tag}: {last_line(done.stderr)}")

    def probe(self, image: str) -> None:
        """Find the options under which containers start here. Raises NotPossible with what the last try said."""
        said = ""
        for options in self._candidates():
            command = [self.program, "run", "--rm", *NETWORK, *options, *LOCKED_DOWN]
            command += ["--entrypoint=python", image, "-V"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)
            if done.returncode == 0:
                self._options = options
                return
            said = last_line(done.stderr)
        raise NotPossible(f"{self.program} starts no container here: {said}")

    def start(self, name: str, image: str, command: Sequence[str], environ: Mapping[str, str], log: Path) -> Container:
        """A container on the host's network, locked down as in production; its output goes to `log`."""
        command = [f"--env={key}={value}" for key, value in environ.items()] + [image, *command]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.program, "run", "--rm", f"--name={name}", *NETWORK, *self._options, *LOCKED_DOWN, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return Container(self.program, name, process, log)

    def _candidates(self) -> list[tuple[str, ...]]:
        if self.program != "podman":
            return [()]
        # Podman raises the limits of each container, which a machine inside another one may not do; these are enough.
        kept = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
        return [(), kept, ("--runtime=runc", *kept)]

    def _asked(self, *words: str) -> bool:
        return subprocess.run([self.program, *words], capture_output=True, timeout=BUILD_SECONDS).returncode == 0


class Container:
    """One that was started here."""

    def __init__(self, program: str, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._program, self.name, self._process, self._log = program, name, process, log

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """The end of its output."""
        return self._log.read_text()[-3000:]

    def ask(self, *command: str) -> str:
        """What a command inside answers."""
        done = subprocess.run([self._program, "exec", self.name, *command], capture_output=True, text=True)
        return done.stdout.strip()

    def stop(self, seconds: int = 20) -> int:
        """SIGTERM, then SIGKILL; the exit code of the service."""
        subprocess.run([self._program, "stop", f"--time={seconds}", self.name], capture_output=True)
        return self.wait(seconds + PROBE_SECONDS)

    def wait(self, seconds: float = PROBE_SECONDS) -> int:
        """The exit code of one that ends by itself."""
        return self._process.wait(seconds)


def last_line(text: str) -> str:
    """What a program said last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing"
