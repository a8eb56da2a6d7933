"""Errors of the platform, mapped to HTTP in one place (`chassis/problems.py`) and to exit codes in another.

Invariant: an error carries what the reader needs to act; nobody recognises one by its message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class DependencyDown(Exception):
    """An engine or another service is missing or unreachable. `message` says which, where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LogBusy(Exception):
    """The writer's queue is full: nothing was stored; try again later (503)."""


class LogUnavailable(Exception):
    """The database did not answer in time. The command may or may not be stored: the same key tells (503)."""


class TooLarge(Exception):
    """A commit that the log or the broker could not carry (413). Nothing was stored."""


class Unserialisable(Exception):
    """An event that is not plain JSON: a fault in the code, found at append so that it cannot poison the relay."""


class IdempotencyMismatch(Exception):
    """The same Idempotency-Key came with another body (422)."""


class Stale(Exception):
    """The subject has moved on since the caller read it (409)."""

    def __init__(self, subject: str, expected: int, version: int, changed: Sequence[str]) -> None:
        super().__init__(subject)
        self.subject, self.expected, self.version, self.changed = subject, expected, version, tuple(changed)


class Contended(Exception):
    """Others kept changing the same subjects; after several tries nothing was stored (409)."""

    def __init__(self, subjects: Sequence[str]) -> None:
        super().__init__(", ".join(subjects))
        self.subjects = tuple(subjects)


class ClockWentBack(Exception):
    """The business clock only goes forward (409)."""


def ended_with(task: asyncio.Task[None], name: str) -> BaseException | None:
    """What a task that was to run for ever has ended with; None where somebody cancelled it.

    A cancellation that nobody asked for came out of a client's inside: the task would be gone without a word.
    """
    if not task.cancelled():
        return task.exception()
    return None if task.cancelling() else RuntimeError(f"{name} was cancelled from within")
