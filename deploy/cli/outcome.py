"""How a command ends.

Invariant: the exit codes are a public contract: scripts decide by them.
"""

from __future__ import annotations

OK, FAULT, USAGE, DOWN, INTERRUPTED = 0, 1, 2, 3, 130


class Ended(Exception):
    """Ends the command with one line on standard error."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Usage(Ended):
    """What was asked for does not exist, or was not confirmed."""


class Fault(Ended):
    """Something is not as it has to be."""


class Wanting(Ended):
    """An engine or a service does not answer."""
