"""Expiry: places that nobody filled by the last open day are closed, by the business clock.

Invariant: a need expires once a day at most, by a claimed command, whoever and however many find it due; a place that
somebody has, or has begun on, never expires. One process looks at a time (a lease), for economy alone.

Not a timer of the chassis: a timer is called for by this log and judged by this log, once. Whether a place is taken is
told by the logs of matching and followup, and one that falls free after the last day expires on the day that it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chassis.commands import Answer, CommandContext, Decision, Loaded
from chassis.errors import Contended, LogBusy, LogUnavailable
from chassis.lease import Lease, LeaseLost
from chassis.logs import get_logger
from chassis.mongo import PyMongoError
from chassis.projection import Document
from contracts.refused import Refused
from services.intake.core import Intake, fold_need, need_subject
from services.intake.domain import needs
from services.intake.domain.need_commands import ExpireNeed
from services.intake.views import confirmed_slots, started_slots

if TYPE_CHECKING:
    from datetime import date

PASS_SECONDS = 1.0
LEASE_SECONDS = 10.0
AT_ONCE = 100

_log = get_logger(__name__)


class _NothingDue(Exception):
    """All places of the need are closed or taken."""


class Expiry:
    """Looks for needs that are due, as long as the service runs."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._lease: Lease | None = None
        self._quiet: dict[str, date] = {}
        """Needs that were looked at on a day and had nothing to close: the same until that day is over."""

    async def run(self) -> None:
        """Pass after pass. What does not answer is tried again with the next one."""
        while True:
            try:
                if await self._leading():
                    await self.pass_once()
            except (PyMongoError, LogUnavailable, LogBusy) as error:
                _log.warning("expiry waits", error=type(error).__name__)
            await asyncio.sleep(PASS_SECONDS)

    async def pass_once(self) -> int:
        """Close what is due today; how many needs that were."""
        today = self._intake.clock.today()
        self._quiet = {need_id: day for need_id, day in self._quiet.items() if day == today}
        where = {"due_after": {"$lt": today.isoformat()}, "need_id": {"$nin": sorted(self._quiet)}}
        found = await self._intake.needs.find(where, sort=[("due_after", 1)], limit=AT_ONCE)
        return sum([await self._expire(each, today) for each in found])

    async def _expire(self, due: Document, today: date) -> bool:
        need_id = due["need_id"]
        places = await self._intake.places.get(need_id)
        taken = frozenset(started_slots(places)) | frozenset(confirmed_slots(places))
        command = ExpireNeed(self._intake.clock.now(), taken)
        subject = need_subject(need_id)

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = needs.decide(command, fold_need(loaded[subject]))
            if not events:
                raise _NothingDue
            return Decision(events, Answer({"need_id": need_id}, f"/needs/{need_id}", subject))

        claim = f"command:expiry/{need_id}/{today.isoformat()}"
        context = CommandContext(claim=claim, body=b"", actor="timer:expiry", correlation=f"expiry/{need_id}")
        try:
            done = await self._intake.commands.run(context, [subject], decide)
        except (_NothingDue, Refused):
            self._quiet[need_id] = today
            return False
        except Contended:
            return False
        # The list of needs may be a moment behind its own log: then it is not due any more, and the claim says so.
        self._quiet[need_id] = today
        return not done.repeated

    async def _leading(self) -> bool:
        lease = self._lease
        if lease is not None:
            try:
                await lease.keep()
            except LeaseLost:
                self._lease = None
                return False
            return True
        fresh = Lease(self._intake.service.database("intake")["timers"], "expiry", LEASE_SECONDS)
        await fresh.prepare()
        if await fresh.acquire():
            self._lease = fresh
        return self._lease is not None
