"""When a peer began and ended: it prints one JSON line when nothing has come for a while."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

IDLE_SECONDS = 15.0
"""Not counted. A group that is joined by a second member stands still for some seconds."""


class Watch:
    """Counts what a process has folded. Its times are those of one clock for all processes of a Linux machine."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = 0.0

    def saw(self) -> None:
        """One more event."""
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.count += 1

    def tell(self) -> None:
        """On standard output."""
        # Not by `print`: one of them takes standard output for its log.
        os.write(1, json.dumps({"count": self.count, "first": self.first, "last": self.last}).encode() + b"\n")

    def end_when_idle(self) -> None:
        """Tell, and end the process, when nothing has come for so long, or nothing at all."""

        def look() -> None:
            began = time.monotonic()
            while time.monotonic() - (self.last or began + 3 * IDLE_SECONDS) < IDLE_SECONDS:
                time.sleep(0.2)
            self.tell()
            os._exit(0)

        threading.Thread(target=look, daemon=True).start()


def fold(state: dict[str, Any] | None, type_name: str, data: dict[str, Any]) -> dict[str, Any]:
    """The facts of one case: what each of its events says."""
    return {**(state or {}), type_name: data}
