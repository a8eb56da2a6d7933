"""What intake does about what it hears: nothing yet, since all its facts come from people.

Invariant: intake decides on its own log alone, so that it works while every other service is away. The first reaction
to belong here is the destruction of a key after the erasure of a candidate.
"""

from __future__ import annotations

from chassis.reactor import Reaction

REACTIONS: tuple[Reaction, ...] = ()
