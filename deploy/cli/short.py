"""Topics that have less than was handled of them, as the verbs say it.

Invariant: nobody is told to build anew from what has lost records.
"""

from __future__ import annotations

from chassis.progress import Progress
from chassis.projection import Projection
from chassis.shortfall import shortfall
from deploy.cli.context import Context, owner_of, served


def said_short(source: str, ends: int, handled: int) -> str:
    """With the command that mends it."""
    return (
        f"the topic of {source} ends at {ends}, and {handled} were handled: records are lost, or on their way again "
        f"(`dugnad republish {owner_of(source)}`)"
    )


async def shown_short(context: Context, service: str, projection: Projection) -> list[str]:
    """What the topics lack of what the served generation holds, one line each; none where they have everything."""
    generations = context.generations(service, projection)
    progress = Progress(generations.database, (await served(generations)).name)
    found = await shortfall(projection, progress, context.settings)
    return [said_short(source, *ends) for source, ends in found.items()]
