"""What the routes of matching share: the log, the views, and who may see and do what.

Invariant: an employer finds a match only once it is presented, a candidate only their own, a counsellor those of the
needs that their intermediary works on; for everybody else it is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chassis.audit import Audit, Why
from chassis.auth import NotFound, Principal
from chassis.clock import Clock
from chassis.commands import Commands, Facts
from chassis.decisions import Loaded
from chassis.eventlog import EventLog
from chassis.projection import Document
from chassis.projector import View
from chassis.service import Service
from contracts.matching import MatchEvent
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.state import Stage
from services.matching.names import Names
from services.matching.pool import Pool
from services.matching.reactions import world_in
from services.matching.snapshots import absorbed_in, candidate_facts, need_facts, trial_events
from services.matching.views import fold_own


@dataclass(frozen=True)
class SeenMatch:
    """A match as the log has it now, with its version."""

    match_id: str
    document: Document
    version: int

    def __getitem__(self, name: str) -> Any:
        return self.document[name]


@dataclass(frozen=True)
class SeenNeed:
    """A need as the views have it, with who works on it as the log has it now."""

    need_id: str
    document: Document
    facts: NeedFacts
    version: int


@dataclass(frozen=True)
class Matching:
    """The parts of the service that routes use."""

    service: Service
    log: EventLog
    pool: Pool
    audit: Audit
    names: Names

    @property
    def clock(self) -> Clock:
        """The business clock."""
        return self.service.clock

    @property
    def commands(self) -> Commands:
        """Commands on matching's log."""
        return self.service.commands(self.log)

    def view(self, name: str) -> View:
        """`needs`, `pool` or `matches`."""
        return self.service.view(name)

    async def need(self, need_id: str) -> SeenNeed:
        """A need whoever asks. Raises NotFound until its registration has been heard."""
        document = await self.view("needs").get(need_id)
        subject = f"need:{need_id}"
        loaded = (await self.log.load([subject]))[subject]
        if document is not None and (now := world_in({subject: loaded}).assigned.get(need_id)) is not None:
            # The log is ahead of the view: a need must not be read as assigned to whom it was taken from.
            document = {**document, "assigned": {**document.get("assigned", {}), "intermediary": now}}
        facts = None if document is None else need_facts(need_id, document)
        if document is None or facts is None:
            raise NotFound
        return SeenNeed(need_id, document, facts, loaded.version)

    async def need_of_slot(self, slot_id: str) -> SeenNeed:
        """The need that a slot belongs to. Raises NotFound."""
        found = await self.view("needs").find({"slot_ids": slot_id}, limit=1)
        if not found:
            raise NotFound
        return await self.need(found[0]["_id"])

    async def candidate(self, candidate_id: str) -> CandidateFacts | None:
        """What is known of a candidate; None where nobody of that id is known."""
        document = await self.view("pool").get(candidate_id)
        if document is None:
            return None
        return candidate_facts(candidate_id, document, await absorbed_in(self.view("pool"), document))

    async def match(self, match_id: str) -> SeenMatch:
        """A match whoever asks, from the log, so that its version fits. Raises NotFound."""
        subject = f"match:{match_id}"
        found = seen_match(match_id, (await self.log.load([subject]))[subject])
        if found is None:
            raise NotFound
        return found

    async def visible_match(self, principal: Principal, match_id: str) -> SeenMatch:
        """A match that the caller may see. Raises NotFound, and then records that it was asked for."""
        match = await self.match(match_id)
        if await self.why(principal, match.document) is None:
            await self.audit.read(principal, match["candidate_id"], "match", None)
        return match

    async def read_match(self, principal: Principal, match_id: str) -> SeenMatch:
        """A match that the caller may see, to be shown: audited. Raises NotFound, also audited."""
        match = await self.match(match_id)
        await self.audit.read(principal, match["candidate_id"], "match", await self.why(principal, match.document))
        return match

    async def why(self, principal: Principal, match: Mapping[str, Any]) -> Why | None:
        """What lets the caller read a match; None: nothing does."""
        if principal.intermediary is not None:
            need = await self.need(match["need_id"])
            return Why.OWN_NEED if principal.is_of(need.facts.intermediary) else None
        if principal.is_candidate(match["candidate_id"]):
            return Why.OWN_DATA
        # A reversed presentation was a mistake: the match is gone again for the employer.
        presented = principal.acts_for(match["org_number"]) and match.get("presented_on") is not None
        return Why.PRESENTED_TO_EMPLOYER if presented else None

    async def own_match(self, principal: Principal, match_id: str) -> SeenMatch:
        """A match of a need that the caller, a counsellor, works on. Raises NotFound."""
        match = await self.visible_match(principal, match_id)
        if principal.intermediary is None:
            raise NotFound
        return match


def seen_match(match_id: str, loaded: Loaded) -> SeenMatch | None:
    """A match from its own subject."""
    own = [event for event in loaded.events if isinstance(event, MatchEvent) and event.match_id == match_id]
    if not own:
        return None
    document: Document = {}
    for event in own:
        document = fold_own(document, event)
    return SeenMatch(match_id, document, loaded.version)


def trials_in(service: Service) -> Facts:
    """What followup tells of the trials of confirmed matches, for every decision that meets one.

    Else a started trial could be taken for a confirmed match that may still end.
    """

    async def heard(loaded: Mapping[str, Loaded]) -> Mapping[str, Loaded]:
        found = {}
        for match in world_in(loaded).confirmed():
            name = f"trial:{match.match_id}"
            found[name] = Loaded(name, 0, trial_events(await service.view("matches").get(match.match_id)))
        return found

    return heard


def is_over(match: Mapping[str, Any]) -> bool:
    """Whether a match has ended without a start."""
    return bool(match["stage"] == Stage.CANCELLED)
