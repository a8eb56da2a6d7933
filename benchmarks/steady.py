"""A steady load of commands: how long it takes from their answer until what they did shows in a view.

Invariant: commands come at their times, whether earlier ones are done or not; log, relay and projection run as in a
service, with the engines and the durability of all others.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Mapping
from time import monotonic

from benchmarks.harness import Result, own_settings, percentile
from benchmarks.projection import case
from chassis.commands import Answer, CommandContext, Commands, Decision
from chassis.decisions import Loaded
from chassis.ids import new_id
from chassis.projector import View
from chassis.service import Service
from contracts import intake
from deploy.local.engines import Engines
from services.reporting.views import placement

PER_SECOND = 200
WARM_SECONDS, SECONDS = 3, 20
P50_MS, P99_MS = 10.0, 50.0
LOOK_SECONDS = 0.001
SETTLE_SECONDS = 10.0

Answered = tuple[str, float, float]
"""A command's commit, when it was sent, and when it was answered."""


async def _command(commands: Commands, number: int) -> Answered:
    source, _, event = case(number)[0]
    assert source == intake.SOURCE, "a case begins with a need"
    context = CommandContext(f"command:{new_id()}", b"{}", actor="benchmark", correlation="benchmark")

    def decide(_: Mapping[str, Loaded]) -> Decision:
        return Decision([event], Answer({}, "/", event.subject))

    sent = monotonic()
    done = await commands.run(context, [event.subject], decide)
    return done.commit_id, sent, monotonic()


class Watch:
    """Looks all the time how far a view is: (when, complete to)."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.seen: list[tuple[float, int]] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            complete = await self._view.complete_to(intake.SOURCE)
            if not self.seen or complete > self.seen[-1][1]:
                self.seen.append((monotonic(), complete))
            await asyncio.sleep(LOOK_SECONDS)

    def shown_at(self, position: int) -> float:
        """When it was first seen to have folded a position. Raises IndexError where it never was."""
        return self.seen[bisect_left(self.seen, position, key=lambda each: each[1])][0]


async def load(commands: Commands, first: int, count: int) -> list[Answered]:
    """So many commands, each at its own time."""
    begun = monotonic()
    sending = []
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / PER_SECOND - monotonic()))
        sending.append(asyncio.create_task(_command(commands, first + number)))
    return await asyncio.gather(*sending)


async def measure(engines: Engines) -> list[Result]:
    """The rows of `steady`."""
    service = Service("steady", own_settings(engines))
    # The projection reads all three; only intake's has events.
    log = service.log(intake.SOURCE, intake.TOPIC, (intake.NeedRegistered,))
    view = service.add_projection(placement)
    await service.start()
    watch = Watch(view)
    watching = asyncio.create_task(watch.run())
    try:
        commands = service.commands(log)
        warm, count = WARM_SECONDS * PER_SECOND, SECONDS * PER_SECOND
        await load(commands, 0, warm)
        answered = await load(commands, warm, count)
        if not await view.wait_for(intake.SOURCE, warm + count, SETTLE_SECONDS):
            raise TimeoutError("the view did not come to the end")
        await asyncio.sleep(10 * LOOK_SECONDS)
        places = [await log.ledger.place(commit) for commit, _, _ in answered]
    finally:
        watching.cancel()
        await service.stop()
    shown = [
        max(0.0, watch.shown_at(place[1]) - at) * 1000
        for place, (_, _, at) in zip(places, answered, strict=True)
        if place is not None
    ]
    assert len(shown) == count, "all are numbered, else the view had not come so far"
    took = [(at - sent) * 1000 for _, sent, at in answered]
    p50, p99 = percentile(shown, 0.5), percentile(shown, 0.99)
    more = {
        "commands": count,
        "per_second": round(count / (answered[-1][2] - answered[0][1])),
        "p50_ms_to_the_answer": round(percentile(took, 0.5), 2),
        "p99_ms_to_the_answer": round(percentile(took, 0.99), 2),
    }
    return [
        Result("steady, answered to visible, p50", p50, "ms", None, f"<= {P50_MS}", p50 <= P50_MS, more),
        Result("steady, answered to visible, p99", p99, "ms", None, f"<= {P99_MS}", p99 <= P99_MS, more),
    ]
