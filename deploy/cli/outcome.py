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


def fault_of(error: BaseException | None) -> str:
    """What failed and where, without the error's text: that may quote what a person typed."""
    if error is None:
        return "for no reason that is known"
    where, traceback = "nowhere", error.__traceback__
    while traceback is not None:
        where = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return f"{type(error).__name__} at {where}"


def counted(events: int) -> str:
    """`1 event`, `2 events`."""
    return "1 event" if events == 1 else f"{events} events"


def are_parked(events: int) -> str:
    """`1 event is parked`, `2 events are parked`."""
    return f"{counted(events)} {'is' if events == 1 else 'are'} parked"
