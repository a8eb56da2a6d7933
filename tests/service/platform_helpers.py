"""What the platform's tests share: a small log of events of the contracts, and bounded waits for positions.

Invariant: a test waits for a position or a condition, never for a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any
from uuid import uuid4

from chassis.commands import Answer, CommandContext, Commands, Decision, Done, Loaded
from chassis.eventlog import EventLog
from chassis.projection import Document, Projection, Record
from chassis.service import Service
from chassis.settings import Settings
from contracts import intake
from contracts.event import Event

REGISTERED = date(2025, 1, 13)
WAIT_SECONDS = 20.0


def context(key: str | None = None, **others: Any) -> CommandContext:
    """A command of its own, unless a key is given."""
    claim = f"command:{key or uuid4().hex}"
    return CommandContext(claim, others.pop("body", b"{}"), actor="test", correlation="test", **others)


def workforce(org_number: str, year: int, head_count: int) -> intake.WorkforceReported:
    """An event with a number to count by; its subject is `workforce:{org_number}-{year}`."""
    return intake.WorkforceReported(org_number=org_number, year=year, head_count=head_count, reported_on=REGISTERED)


async def report(commands: Commands, org_number: str, head_count: int, *, year: int = 2025, **others: Any) -> Done:
    """Append one figure for an employer."""
    subject = f"workforce:{org_number}-{year}"

    def decide(_: Mapping[str, Loaded]) -> Decision:
        return Decision([workforce(org_number, year, head_count)], Answer({"n": head_count}, "/", subject))

    return await commands.run(context(**others), [subject], decide)


def figures(name: str = "figures") -> Projection:
    """Per employer all head counts in order: shows what came twice, in another order, or not at all."""

    def fold(_: str, document: Document | None, record: Record) -> Document:
        assert isinstance(record.event, intake.WorkforceReported)
        counts = [] if document is None else document["counts"]
        return {"counts": [*counts, record.event.head_count]}

    def keys(record: Record) -> list[str]:
        assert isinstance(record.event, intake.WorkforceReported)
        return [record.event.org_number]

    return Projection(name, (intake.TOPIC,), (intake.WorkforceReported,), keys, fold)


INTAKE_EVENTS: tuple[type[Event], ...] = (
    intake.NeedRegistered,
    intake.NeedWithdrawn,
    intake.CandidateRegistered,
    intake.ReadinessRevoked,
    intake.WorkforceReported,
)


def small_service(settings: Settings, *projections: Projection, name: str = "small") -> tuple[Service, EventLog]:
    """A service with a log of intake's events and these projections; not started."""
    service = Service(name, settings)
    eventlog = service.log(intake.SOURCE, intake.TOPIC, INTAKE_EVENTS)
    for projection in projections:
        service.add_projection(projection)
    return service, eventlog


def reading_service(settings: Settings, *projections: Projection, name: str = "small") -> Service:
    """A service that only reads; not started."""
    service = Service(name, settings)
    for projection in projections:
        service.add_projection(projection)
    return service


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition; fail with what was waited for."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - the condition is in another process or in an engine
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


async def published(eventlog: EventLog, position: int, seconds: float = WAIT_SECONDS) -> None:
    """Wait until the relay has marked a position as published."""

    async def is_published() -> bool:
        lease = await eventlog.database["lease"].find_one({"_id": eventlog.source})
        return lease is not None and lease["published"] >= position

    await until(is_published, f"{eventlog.source} published up to {position}", seconds)
