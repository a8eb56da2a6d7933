"""Who holds a data folder.

Invariant: at most one set of engines works on the same data. The lock is inherited by the engines, so that it is held
for as long as any of them lives, also where their starter was killed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from deploy.local.places import shown
from deploy.local.processes import LocalFault, is_alive, until

LEFT_OVER_SECONDS = 20.0


class Hold:
    """The lock on one folder. `fd` is to be left open in the engines."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.fd = os.open(folder / "holder", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @classmethod
    async def take(cls, folder: Path) -> Self:
        """Raises LocalFault with the pid of whoever holds the folder."""
        hold = cls(folder)
        if not hold._try() and not (hold._holder_is_gone() and await until(hold._released, LEFT_OVER_SECONDS)):
            holder = hold._holder()
            hold.release()
            raise LocalFault(
                f"Process {holder} holds the data in {shown(folder)}: end it first (Ctrl-C there, or `kill {holder}`)"
            )
        os.ftruncate(hold.fd, 0)
        os.pwrite(hold.fd, str(os.getpid()).encode(), 0)
        return hold

    def release(self) -> None:
        os.close(self.fd)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _released(self) -> bool:
        return self._try()

    def _holder(self) -> str:
        return os.pread(self.fd, 32, 0).decode() or "unknown"

    def _holder_is_gone(self) -> bool:
        """Its engines are then about to end as well: worth waiting for."""
        holder = self._holder()
        return holder.isdecimal() and not is_alive(int(holder))
