"""Identifiers.

Invariant: an id says nothing of what it names; the time in a ULID is the machine's and is never an order.
"""

from __future__ import annotations

import re

from ulid import ULID

from chassis.clock import machine_now

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def new_id() -> str:
    """A new ULID, 26 characters."""
    return str(ULID.from_datetime(machine_now()))


def is_id(text: str) -> bool:
    """Whether this looks like an id: 26 characters of a ULID. Says nothing of whether anything has it."""
    return _ID.fullmatch(text) is not None
