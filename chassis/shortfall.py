"""Topics that have less than what was handled of them: the broker lost records, or they are being filled again.

Invariant: nobody takes such a topic for all there is: what were built from it would lack what is served.
"""

from __future__ import annotations

from collections.abc import Mapping

from chassis.heads import topic_heads
from chassis.progress import Progress
from chassis.projection import Projection
from chassis.settings import Settings
from chassis.startcheck import epoch_of

Short = Mapping[str, tuple[int, int]]
"""Per source: where its topic ends, and up to where it was handled."""


async def handled(progress: Progress) -> dict[str, int]:
    """The last position of each source that a projection has handled."""
    return {source: await progress.highest(source) for source in await progress.sources()}


def short(done: Mapping[str, int], heads: Mapping[str, int]) -> Short:
    """What topics with these heads lack of what was handled before they were asked for.

    Of a log that was continued only its newest source counts: the last records of a topic may tell nothing of others.
    """
    newest: dict[str, str] = {}
    for source in sorted({*done, *heads}, key=epoch_of):
        newest[source.partition("~")[0]] = source
    return {
        source: (heads.get(source, 0), done[source])
        for source in newest.values()
        if heads.get(source, 0) < done.get(source, 0)
    }


async def shortfall(projection: Projection, progress: Progress, settings: Settings) -> Short:
    """What the topics of a projection lack of what it has handled. Raises DependencyDown, PyMongoError."""
    # In this order: what is handled meanwhile must not look like too much.
    done = await handled(progress)
    return short(done, await topic_heads(settings, projection.topics))
