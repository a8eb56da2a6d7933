"""Identifiers.

Invariant: an id says nothing of what it names; the time in a ULID is the machine's and is never an order.
"""

from __future__ import annotations

from ulid import ULID

from chassis.clock import machine_now


def new_id() -> str:
    """A new ULID, 26 characters."""
    return str(ULID.from_datetime(machine_now()))
