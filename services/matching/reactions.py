"""What matching does about what it hears.

Invariant: whoever cannot or will not be presented any more has no live match; a started trial is never touched; the
reason tells nothing protected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chassis.decisions import Loaded
from chassis.projection import Record
from chassis.reactor import Occasion, Reaction
from contracts import followup, intake
from contracts.days import oslo_day
from contracts.event import Event
from contracts.followup import AgreementAnnulled, NoShowReported
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateErased,
    CandidateMerged,
    ConsentWithdrawn,
    NeedExpired,
    NeedRegistered,
    NeedWithdrawn,
    ReadinessRevoked,
)
from contracts.vocabulary import AnnulReason, CancelReason, ConsentScope
from services.matching.domain.checks import assigned, cancelled
from services.matching.domain.state import World, live_subjects, world_of


def world_in(loaded: Mapping[str, Loaded]) -> World:
    """The state of the log as it was read."""
    return world_of({subject: each.events for subject, each in loaded.items()})


def _ended(
    roots: Iterable[str],
    reason: CancelReason,
    loaded: Mapping[str, Loaded],
    occasion: Occasion,
    *,
    confirmed: bool = True,
) -> Sequence[Event]:
    """`confirmed`: also end confirmed matches that have not started."""
    wanted = set(roots)
    found = [match for match in world_in(loaded).endable() if wanted & set(match.subjects)]
    matches = [match for match in found if confirmed or match.is_open]
    today = oslo_day(occasion.now)
    return [cancelled(match, reason, today) for match in sorted(matches, key=lambda each: each.match_id)]


def _assign_subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
    return [record.subject]


def _assign(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    need = record.event
    assert isinstance(need, NeedRegistered)
    if need.need_id in world_in(loaded).assigned:
        return []
    return [assigned(need.need_id, need.org_number, need.intermediary, oslo_day(occasion.now))]


def _lost(event: Event) -> bool:
    """Whether the event takes a candidate out of the pool."""
    match event:
        case ReadinessRevoked() | CandidateMerged() | CandidateErased():
            return True
        case ConsentWithdrawn():
            return event.scope == ConsentScope.MATCHING
        case AddressProtectionChanged():
            return event.protected
        case CandidateAssessed():
            return not event.ready
        case _:
            return False


def _candidate_subjects(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    return live_subjects([record.subject], world_in(loaded)) if _lost(record.event) else [record.subject]


def _release(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    if not _lost(record.event):
        return []
    return _ended([record.subject], CancelReason.NO_LONGER_AVAILABLE, loaded, occasion)


def _slots(record: Record) -> list[str]:
    assert isinstance(record.event, NeedWithdrawn | NeedExpired)
    return [f"slot:{slot_id}" for slot_id in record.event.slot_ids]


def _slot_subjects(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    return live_subjects(_slots(record), world_in(loaded))


def _withdraw(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    if isinstance(record.event, NeedExpired):
        # The day ends the search. Who was confirmed before fills the place.
        return _ended(_slots(record), CancelReason.NEED_EXPIRED, loaded, occasion, confirmed=False)
    return _ended(_slots(record), CancelReason.NEED_WITHDRAWN, loaded, occasion)


_ANNULLED: Mapping[str, CancelReason] = {
    AnnulReason.NEED_WITHDRAWN: CancelReason.NEED_WITHDRAWN,
    AnnulReason.REGISTERED_BY_MISTAKE: CancelReason.REGISTERED_BY_MISTAKE,
    AnnulReason.OTHER: CancelReason.OTHER,
}


def _match_subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
    event = record.event
    assert isinstance(event, followup.CaseEvent)
    return [f"match:{event.match_id}", f"slot:{event.slot_id}", f"candidate:{event.candidate_id}"]


def _reopen(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    event = record.event
    assert isinstance(event, NoShowReported | AgreementAnnulled)
    reason = CancelReason.NO_SHOW
    if isinstance(event, AgreementAnnulled):
        # An unknown reason of a newer writer says as little as a protected one.
        reason = _ANNULLED.get(event.reason, CancelReason.NO_LONGER_AVAILABLE)
    return _ended([f"match:{event.match_id}"], reason, loaded, occasion)


REACTIONS = (
    Reaction("assign", (intake.TOPIC,), (NeedRegistered,), _assign_subjects, _assign),
    Reaction(
        "release",
        (intake.TOPIC,),
        (
            ReadinessRevoked,
            ConsentWithdrawn,
            AddressProtectionChanged,
            CandidateAssessed,
            CandidateMerged,
            CandidateErased,
        ),
        _candidate_subjects,
        _release,
    ),
    Reaction("withdraw", (intake.TOPIC,), (NeedWithdrawn, NeedExpired), _slot_subjects, _withdraw),
    Reaction("reopen", (followup.TOPIC,), (NoShowReported, AgreementAnnulled), _match_subjects, _reopen),
)
