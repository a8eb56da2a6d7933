"""A process of its own for the platform's tests: `python -m tests.service.worker ROLE SETTINGS [ARGUMENT …]`.

Invariant: it says on its standard output, line by line, what the test waits for; a test ends it with a signal.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import TypeVar

from aiokafka import AIOKafkaProducer

from chassis import mongo
from chassis.clock import Clock
from chassis.commands import Answer, Commands
from chassis.errors import Contended, LogBusy, LogUnavailable
from chassis.eventlog import EventLog, NewCommit, Stored
from chassis.handled import Handled, Raw
from chassis.lease import Lease
from chassis.reading import Reader
from chassis.rebuild import Rebuild
from chassis.relay import Relay
from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import INTAKE_EVENTS, context, figures, reading_service, report, workforce

WRITERS = 16
SHARED_SUBJECTS = 4
SHARED_EVERY = 25
T = TypeVar("T")


def say(**what: object) -> None:
    """One line for the test."""
    print(json.dumps(what), flush=True)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[EventLog]:
    """Intake's log, started."""
    database = mongo.database(mongo.connect(settings), settings.database("test"))
    eventlog = EventLog(database, intake.SOURCE, intake.TOPIC, INTAKE_EVENTS, Clock())
    eventlog.start()
    yield eventlog
    await eventlog.stop()


def own_commit(number: str, writer: int, version: int) -> NewCommit:
    """The next commit on a writer's own subject."""
    made = context()
    event = workforce(f"own-{number}-{writer}", 2025, version)
    answer = Answer({}, "/", event.subject)
    return NewCommit(made.claim, b"", {event.subject: version}, [event], answer, "test", "test")


async def insist(action: Callable[[], Awaitable[T]]) -> T:
    """As a client does: the same command again where the log is busy or does not tell what became of it."""
    while True:
        try:
            return await action()
        except (Contended, LogBusy, LogUnavailable):
            await asyncio.sleep(0.1)


async def append(eventlog: EventLog, commit: NewCommit) -> None:
    """Store a commit that nobody else can be in the way of, though perhaps with its second try."""
    outcome = await insist(lambda: eventlog.append(commit))
    assert isinstance(outcome, Stored) or await insist(lambda: eventlog.find(commit.command)) is not None


async def write(settings: Settings, number: str, seconds: str) -> None:
    """Sixteen writers, each on an own subject and now and then on one shared with all processes, until time is over."""
    async with opened(settings) as eventlog:
        commands = Commands(eventlog)
        say(ready=True)
        await asyncio.to_thread(sys.stdin.readline)
        end = monotonic() + float(seconds)
        done = 0

        async def writer(writer_number: int) -> None:
            nonlocal done
            version = 0
            while monotonic() < end:
                # The own subject's version is known: nothing has to be loaded, and the log grows fast.
                await append(eventlog, own_commit(number, writer_number, version))
                version += 1
                done += 1
                if version % SHARED_EVERY == 0:
                    key, employer = f"{number}-{writer_number}-{version}", f"{writer_number % SHARED_SUBJECTS}"
                    await insist(partial(report, commands, employer, version, key=key))
                    done += 1

        await asyncio.gather(*(writer(each) for each in range(WRITERS)))
        say(done=done)


async def relay(settings: Settings) -> None:
    """A relay with a short lease, until it is killed."""
    async with opened(settings) as eventlog:
        working = Relay(eventlog, settings, lease_seconds=0.5)
        say(ready=True)
        await working.run()


async def relay_that_never_marks(settings: Settings) -> None:
    """Publishes, and stops between the acknowledgement of the broker and the mark."""
    async with opened(settings) as eventlog:
        lease = Lease(eventlog.database["lease"], eventlog.source, 0.5)
        await lease.prepare()
        assert await lease.acquire()
        working = Relay(eventlog, settings)
        await working.number()

        async def mark(position: int, ends: Mapping[int, int] | None = None) -> None:
            say(published=position)
            await asyncio.Event().wait()

        lease.publish_up_to = mark  # type: ignore[method-assign]  # the line between publishing and marking
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all") as producer:
            await working.publish(lease, producer)


async def reader(settings: Settings, raises_in_batch: str) -> None:
    """A service with a projection whose nth batch raises; 0: none does."""
    service = reading_service(settings, figures())
    batches = 0
    handle = Reader.handle

    async def raising(self: Reader, raws: Sequence[Raw]) -> Handled:
        nonlocal batches
        batches += 1
        say(batch=batches, records=len(raws))
        if batches == int(raises_in_batch):
            raise RuntimeError("planted in the handler")
        return await handle(self, raws)

    Reader.handle = raising  # type: ignore[method-assign]  # the fault that is planted
    await service.start()
    say(ready=True)
    await asyncio.Event().wait()


async def rebuild(settings: Settings, most: str, until: str = "null") -> None:
    """A rebuild that folds so many events, says so, and then stands still in the middle of a batch."""
    handle = Reader.handle

    async def interrupted(self: Reader, raws: Sequence[Raw]) -> Handled:
        await handle(self, raws[: int(most)])
        say(folded=len(raws[: int(most)]))
        return await asyncio.Future()

    Reader.handle = interrupted  # type: ignore[method-assign]  # the place to be killed at
    service = reading_service(settings, figures())
    building = Rebuild(figures(), service.database("small"), settings, "small")
    await building.run(lambda step: say(step=step.folded), until=json.loads(until))


ROLES = {
    "write": write,
    "relay": relay,
    "relay-that-never-marks": relay_that_never_marks,
    "reader": reader,
    "rebuild": rebuild,
}

if __name__ == "__main__":
    asyncio.run(ROLES[sys.argv[1]](Settings.model_validate_json(sys.argv[2]), *sys.argv[3:]))  # type: ignore[operator]
