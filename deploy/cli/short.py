"""Topics that have less than was handled of them, as the verbs say it.

Invariant: nobody is told to build anew from what has lost records.
"""

from __future__ import annotations

from chassis.shortfall import Short
from deploy.cli.context import owner_of


def said_short(source: str, ends: int, handled: int) -> str:
    """With the command that mends it."""
    return (
        f"the topic of {source} ends at {ends}, and {handled} were handled: records are lost, or on their way again "
        f"(`dugnad republish {owner_of(source)}`)"
    )


def lines_of(short: Short) -> list[str]:
    """One of each source."""
    return [said_short(source, *ends) for source, ends in short.items()]
