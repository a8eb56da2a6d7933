"""Child processes: engines and services.

Invariant: only processes started here are ever signalled, by their own pid: SIGTERM first, SIGKILL after ten seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.02
_GUARD = str(Path(__file__).with_name("guard.py"))


class LocalFault(Exception):
    """Something that the person at the keyboard has to mend. `message` is one line: what, where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Process:
    """One child with its log file. It may be started again after it ended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        keep_open: Sequence[int] = (),
    ) -> None:
        self.name, self.log = name, log
        self._command = [str(part) for part in command]
        self._folder, self._environ, self._keep_open = folder, environ, tuple(keep_open)
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the log is appended to. Call from the main thread: the guard ties the child to that thread."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        guarded = [sys.executable, "-I", "-S", _GUARD, str(os.getpid()), "--", *self._command]
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                guarded,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                # Always a copy: a thread that sets a variable meanwhile moves what the child would inherit (EFAULT).
                env=dict(os.environ if self._environ is None else self._environ),
                pass_fds=self._keep_open,
                # A Ctrl-C in the terminal would reach the engines before the services have ended.
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        return None if self._popen is None else self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before it was started."""
        return None if self._popen is None else self._popen.poll()

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    async def stop(self) -> None:
        """SIGTERM, ten seconds, SIGKILL. Nothing where it does not run."""
        if self._popen is None or not self.alive:
            return
        self._popen.send_signal(signal.SIGTERM)
        if not await until(self._ended, GRACE_SECONDS):
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._popen is None or not self.alive:
            return
        self._popen.kill()
        if not await until(self._ended, GRACE_SECONDS):
            raise LocalFault(f"{self.name} (process {self.pid}) does not end: end it by hand")

    async def wait(self, seconds: float) -> int:
        """The exit code of a command that ends by itself."""
        if not await until(self._ended, seconds):
            await self.kill()
            raise LocalFault(f"{self.name} did not end within {seconds:.0f} s: see {self.log}")
        return self.exit_code or 0

    async def _ended(self) -> bool:
        return not self.alive


def is_alive(pid: int) -> bool:
    """Whether a process of that id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Ask again until it holds; False after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if await condition():
            return True
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)


async def listening(host: str, port: int) -> bool:
    """Whether something accepts connections there (which does not mean that it is ready)."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def free_port(preferred: int = 0) -> int:
    """A port of the loopback interface that nobody listens on: the preferred one where that is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LocalFault("No free port on 127.0.0.1: end what holds them")


def port_from(environ: Mapping[str, str], variable: str, preferred: int = 0) -> int:
    """The port that a variable asks for, else a free one."""
    text = environ.get(variable)
    if not text:
        return free_port(preferred)
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise LocalFault(f"{variable} is {text!r}: set it to a port from 1 to 65535, or unset it for a free one")
    if free_port(int(text)) != int(text):
        raise LocalFault(f"{variable} asks for port {text}, which is in use: end what holds it, or unset {variable}")
    return int(text)
