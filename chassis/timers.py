"""Durable timers: due times are documents, firing is a claimed command.

Invariant: a timer that an event of the log calls for fires once, however often processes end and start and whoever
holds the lease; one that came due while nothing ran fires after the start, in the order of the due times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import structlog
from pymongo import ASCENDING

from chassis import metrics, telemetry
from chassis.clock import Clock
from chassis.commands import Commands
from chassis.decisions import Answer, CommandContext, Decision, Loaded
from chassis.errors import Contended, LogBusy, LogUnavailable
from chassis.eventlog import EventLog
from chassis.ids import new_id
from chassis.keyring import KeyringUnavailable
from chassis.lease import Lease, LeaseLost
from chassis.ledger import Ledger, LedgerHole
from chassis.mongo import Database, PyMongoError, causally
from chassis.reactor import FAULTS, Occasion
from contracts.event import Event
from contracts.refused import Refused

LEASE_SECONDS = 10.0
POLL_SECONDS = 0.5
PAUSE_SECONDS = 2.0
STOP_SECONDS = 5.0
AGAIN_SECONDS = 60.0
"""After so long a timer that failed is tried again; the others go on meanwhile."""
PAGES_AT_ONCE = 50
TIMERS_AT_ONCE = 100
_TRANSIENT = (PyMongoError, LogBusy, LogUnavailable, Contended, KeyringUnavailable)

log = structlog.get_logger()


@dataclass(frozen=True)
class Timer:
    """When to look at something. Name, key and due time together are the timer: called for twice, it is one."""

    name: str
    key: str
    """What it is about; nothing personal."""
    due: datetime
    """Business clock, UTC."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What `subjects` and `fire` need: ids and days."""

    @property
    def id(self) -> str:
        """Its identity, also in the claim of its command."""
        return f"{self.name}/{self.key}/{self.due.astimezone(UTC).isoformat(timespec='milliseconds')}"


@dataclass(frozen=True)
class Timed:
    """A kind of timer.

    `schedule` says which timers an event of the log calls for; `subjects` is asked as a reaction's; `fire` is pure,
    judges by all that is known when it fires, and says nothing where nothing is due any more. `occasion.now` is the
    business clock, which may be long after `timer.due`.
    """

    name: str
    on: tuple[type[Event], ...]
    schedule: Callable[[Event], Iterable[Timer]]
    subjects: Callable[[Timer, Mapping[str, Loaded]], Iterable[str]]
    fire: Callable[[Timer, Mapping[str, Loaded], Occasion], Sequence[Event]]


class _Nothing(Exception):
    """Nothing is due any more."""


class Timers:
    """The timers of one log. Any number of processes run them; the one that holds the lease works."""

    def __init__(
        self,
        timed: Sequence[Timed],
        eventlog: EventLog,
        commands: Commands,
        clock: Clock,
        database: Database,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._timed = {each.name: each for each in timed}
        self._log, self._commands, self._clock = eventlog, commands, clock
        self._waiting = database["timers"]
        self._read = database["timers_read"]
        self._leases = eventlog.database["lease"]
        self._role = f"timers of {eventlog.origin}"
        self._lease_seconds = lease_seconds
        self._lease: Lease | None = None
        self._round = asyncio.Lock()
        self._later: dict[str, float] = {}
        self._finished: set[int] = set()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def faults(self) -> list[str]:
        """Timers that failed, for `/readyz`."""
        return [f"timer {name} failed" for name in sorted(self._later)]

    @property
    def working(self) -> bool:
        """Whether this process holds the lease."""
        return self._lease is not None

    async def prepare(self) -> None:
        """The index that finds what is due, and the document that racers for the lease compete for."""
        await self._waiting.create_index(
            [("waiting", ASCENDING), ("due", ASCENDING)], name="due", partialFilterExpression={"waiting": True}
        )
        await Lease(self._leases, self._role, self._lease_seconds).prepare()

    def start(self, fatal: Callable[[BaseException], None]) -> None:
        """Start the task; whatever it does not foresee ends the process."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                fatal(error)

        self._task = asyncio.create_task(self._run(), name=self._role)
        self._task.add_done_callback(ended)

    async def stop(self) -> None:
        """Finish what is being fired, then hand the lease over."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def settle(self, seconds: float) -> bool:
        """Fire all that the business clock has come to, and what follows from it, before going on.

        For development, where the clock is set: what people then do meets what the time has brought. False where it
        takes longer, or where another process holds the lease.
        """
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            try:
                if self._lease is not None and not await self._work(self._lease) and await self._read_to_the_end():
                    return True
            except (*_TRANSIENT, LedgerHole, LeaseLost) as error:
                log.warning("timers_wait", source=self._log.source, error=type(error).__name__)
            await asyncio.sleep(0.01)
        return False

    async def _run(self) -> None:
        while not self._stopping.is_set():
            lease = Lease(self._leases, self._role, self._lease_seconds)
            try:
                if not await lease.acquire():
                    await self._pause(self._lease_seconds / 4)
                    continue
                log.info("timers_started", source=self._log.source, token=lease.token)
                self._lease = lease
                while not self._stopping.is_set():
                    await lease.keep()
                    if not await self._work(lease):
                        await self._pause(POLL_SECONDS)
                self._lease = None
                await lease.release()
            except LeaseLost:
                log.warning("timers_lease_lost", source=self._log.source)
            except (*_TRANSIENT, LedgerHole) as error:
                log.warning("timers_wait", source=self._log.source, error=type(error).__name__)
                await self._pause(PAUSE_SECONDS)
            finally:
                self._lease = None

    async def _work(self, lease: Lease) -> int:
        """One round: how many timers were called for or fired."""
        async with self._round:
            return await self._arm() + await self._fire_due(lease)

    async def _read_to_the_end(self) -> bool:
        """Whether every commit has its place in the ledger, and every page has been read."""
        pending = self._log.commits.find({"pending": True}, {"_id": 1})
        ids = [each["_id"] async for each in pending]
        if ids and set(ids) - await self._log.ledger.numbered(ids):
            return False
        head = await self._log.ledger.head()
        return head is None or await self._position(self._log.ledger) >= head.next - 1

    def _name(self, ledger: Ledger) -> str:
        return f"{self._log.origin}~{ledger.epoch}"

    async def _position(self, ledger: Ledger) -> int:
        found = await self._read.find_one({"_id": self._name(ledger)})
        return 0 if found is None else int(found["position"])

    async def _arm(self) -> int:
        """Read on, also in ledgers that were continued under a new source before they had been read to their end."""
        unread = [each for each in self._log.ledger.earlier if each.epoch not in self._finished]
        armed = sum([await self._arm_from(each) for each in (*unread, self._log.ledger)])
        for each in unread:
            head = await each.head()
            if head is None or await self._position(each) >= head.next - 1:
                self._finished.add(each.epoch)
        return armed

    async def _arm_from(self, ledger: Ledger) -> int:
        """Keep a document for each timer that an event of the next pages calls for."""
        armed, position = 0, await self._position(ledger)
        for page in await ledger.after(position, PAGES_AT_ONCE):
            for event in await self._log.events_of([commit for commit, _ in page.commits]):
                for each in self._timed.values():
                    if isinstance(event, each.on):
                        armed += await self._keep(each.schedule(event))
            # After its timers: a process that ends in between reads the page again, and makes no timer twice.
            read = {"$max": {"position": page.next - 1}}
            await self._read.update_one({"_id": self._name(ledger)}, read, upsert=True)
        return armed

    async def _keep(self, timers: Iterable[Timer]) -> int:
        kept = 0
        for timer in timers:
            told = {"name": timer.name, "key": timer.key, "due": timer.due, "data": dict(timer.data), "waiting": True}
            found = await self._waiting.update_one({"_id": timer.id}, {"$setOnInsert": told}, upsert=True)
            kept += found.upserted_id is not None
        return kept

    async def _fire_due(self, lease: Lease) -> int:
        async with causally(self._waiting) as session:
            found = self._waiting.find(
                {"waiting": True, "due": {"$lte": self._clock.now()}},
                sort=[("due", ASCENDING), ("_id", ASCENDING)],
                session=session,
            )
            due = await found.to_list(TIMERS_AT_ONCE + len(self._later))
        fired = 0
        for each in due:
            timer = Timer(each["name"], each["key"], each["due"], each["data"])
            if self._later.get(timer.id, 0.0) > monotonic() or timer.name not in self._timed:
                continue
            # Else two processes might fire at once after a pause: harmless, since firing is claimed, but never wanted.
            await lease.keep()
            fired += await self._fire(self._timed[timer.name], timer)
        return fired

    async def _fire(self, timed: Timed, timer: Timer) -> int:
        try:
            outcome = await self._command(timed, timer)
        except FAULTS:
            log.exception("timer_failed", timer=timer.id)
            metrics.TIMERS.labels(timer.name, "failed").inc()
            self._later[timer.id] = monotonic() + AGAIN_SECONDS
            return 0
        self._later.pop(timer.id, None)
        # The command is claimed: whoever ends before this line fires it again, and nothing is said twice.
        await self._waiting.update_one({"_id": timer.id}, {"$set": {"outcome": outcome}, "$unset": {"waiting": ""}})
        metrics.TIMERS.labels(timer.name, outcome).inc()
        log.info("timer_fired", timer=timer.id, outcome=outcome)
        return 1

    async def _command(self, timed: Timed, timer: Timer) -> str:
        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = timed.fire(timer, loaded, Occasion(self._clock.now(), new_id))
            if not events:
                raise _Nothing
            return Decision(events, Answer({}, "", next(iter(loaded))))

        with telemetry.span(f"timer {timer.name}", attributes={"dugnad.timer": timer.id}) as active:
            context = CommandContext(
                claim=f"command:timer/{timer.id}",
                body=b"",
                actor=f"timer:{timer.name}",
                correlation=f"timer/{timer.id}",
                traceparent=active.traceparent,
            )
            try:
                await self._commands.run(context, lambda loaded: timed.subjects(timer, loaded), decide)
            except _Nothing:
                return "nothing"
            except Refused as refusal:
                log.info("timer_refused", timer=timer.id, code=refusal.code)
                return "refused"
        return "appended"

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
