"""What followup does about what it hears.

Invariant: a registered slot gets one plan, a confirmed match one case; whatever takes match, need or person away ends
only what has not started, and tells nothing protected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.decisions import Loaded
from chassis.projection import Record
from chassis.reactor import Occasion, Reaction
from contracts import intake, matching
from contracts.event import Event
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
from contracts.matching import MatchCancelled, MatchConfirmed
from contracts.vocabulary import AnnulReason, CancelReason, ConsentScope, PlanEndReason
from services.followup.domain.commands import EndCases, OpenCase
from services.followup.domain.decide import decide
from services.followup.domain.slot import EndPlan, MakePlan, decide_slot
from services.followup.subjects import (
    agreement_subject,
    case_subject,
    cases_in,
    followup_events,
    need_subject,
    person_of,
    person_subject,
    slot_in,
    slot_subject,
)

_CANCELLED: Mapping[str, AnnulReason] = {
    CancelReason.NEED_WITHDRAWN: AnnulReason.NEED_WITHDRAWN,
    CancelReason.NEED_EXPIRED: AnnulReason.NEED_EXPIRED,
    CancelReason.NO_LONGER_AVAILABLE: AnnulReason.NO_LONGER_AVAILABLE,
}
"""All other reasons, also those of a newer writer: the match was cancelled."""


def _match_subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
    event = record.event
    assert isinstance(event, MatchConfirmed | MatchCancelled)
    return [case_subject(event.match_id), person_subject(event.candidate_id), need_subject(event.need_id)]


def _open_subjects(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    match = record.event
    assert isinstance(match, MatchConfirmed)
    return [*_match_subjects(record, loaded), slot_subject(match.slot_id)]


def _plan_subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
    need = record.event
    assert isinstance(need, NeedRegistered)
    return [slot_subject(slot_id) for slot_id in need.slot_ids]


def _plan(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    need = record.event
    assert isinstance(need, NeedRegistered)
    return [
        event
        for slot_id in need.slot_ids
        for event in decide_slot(
            MakePlan(
                at=occasion.now,
                slot_id=slot_id,
                need_id=need.need_id,
                org_number=need.org_number,
                intermediary=need.intermediary,
                municipality=need.municipality,
                registered_on=need.registered_on,
            ),
            slot_in(loaded, slot_id),
        )
    ]


def _open(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    match = record.event
    assert isinstance(match, MatchConfirmed)
    command = OpenCase(
        at=occasion.now,
        match_id=match.match_id,
        need_id=match.need_id,
        slot_id=match.slot_id,
        candidate_id=match.candidate_id,
        org_number=match.org_number,
        registered_on=match.registered_on,
        task_id=occasion.new_id(),
        municipality=match.municipality,
    )
    # Two topics: the match may be heard of before the need, and the clock must not wait for that.
    plan = MakePlan(
        at=occasion.now,
        slot_id=match.slot_id,
        need_id=match.need_id,
        org_number=match.org_number,
        intermediary=match.intermediary,
        municipality=match.municipality,
        registered_on=match.registered_on,
    )
    opened = decide(command, person_of(loaded[person_subject(match.candidate_id)]))
    return [*opened, *decide_slot(plan, slot_in(loaded, match.slot_id))]


def _cancelled_subjects(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    event = record.event
    assert isinstance(event, MatchCancelled)
    return [*_match_subjects(record, loaded), *_live(loaded, [event.match_id])]


def _cancel(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    match = record.event
    assert isinstance(match, MatchCancelled)
    reason = _CANCELLED.get(match.reason, AnnulReason.MATCH_CANCELLED)
    return _end(loaded, [match.match_id], reason, occasion)


def _closed(record: Record, loaded: Mapping[str, Loaded]) -> dict[str, str]:
    """The cases on slots that were withdrawn or have expired: match id and candidate id."""
    need = record.event
    assert isinstance(need, NeedWithdrawn | NeedExpired)
    known = loaded.get(need_subject(need.need_id))
    found = {} if known is None else cases_in(followup_events(known))
    return {match_id: each.candidate_id for match_id, each in found.items() if each.slot_id in need.slot_ids}


def _need_subjects(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    need = record.event
    assert isinstance(need, NeedWithdrawn | NeedExpired)
    cases = _closed(record, loaded)
    return [
        need_subject(need.need_id),
        *(person_subject(candidate_id) for candidate_id in cases.values()),
        *(case_subject(match_id) for match_id in cases),
        *_live(loaded, cases),
        *(slot_subject(slot_id) for slot_id in need.slot_ids),
    ]


def _withdraw(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    need = record.event
    assert isinstance(need, NeedWithdrawn | NeedExpired)
    if isinstance(need, NeedExpired):
        reason, of_plan = AnnulReason.NEED_EXPIRED, PlanEndReason.NEED_EXPIRED
    else:
        reason, of_plan = AnnulReason.NEED_WITHDRAWN, PlanEndReason.NEED_WITHDRAWN
    plans = [
        event
        for slot_id in need.slot_ids
        for event in decide_slot(EndPlan(at=occasion.now, slot_id=slot_id, reason=of_plan), slot_in(loaded, slot_id))
    ]
    return [*_end(loaded, list(_closed(record, loaded)), reason, occasion), *plans]


def lost(event: Event) -> bool:
    """Whether the event means that the person cannot begin any more. Which of these it was is told to nobody."""
    match event:
        case ReadinessRevoked():
            return True
        case ConsentWithdrawn():
            return event.scope == ConsentScope.MATCHING
        case AddressProtectionChanged():
            return event.protected
        case CandidateAssessed():
            return not event.ready
        case CandidateErased() | CandidateMerged():
            return True
        case _:
            return False


def _persons_cases(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    known = loaded.get(record.subject)
    return [] if known is None else list(person_of(known).cases)


def _person_subjects(record: Record, loaded: Mapping[str, Loaded]) -> list[str]:
    cases = _persons_cases(record, loaded)
    return [record.subject, *(case_subject(match_id) for match_id in cases), *_live(loaded, cases)]


def _release(record: Record, loaded: Mapping[str, Loaded], occasion: Occasion) -> Sequence[Event]:
    if not lost(record.event):
        return []
    return _end(loaded, _persons_cases(record, loaded), AnnulReason.NO_LONGER_AVAILABLE, occasion)


def _live(loaded: Mapping[str, Loaded], match_ids: Sequence[str] | Mapping[str, str]) -> list[str]:
    """Agreements that may have to be annulled: their versions have to be claimed."""
    persons = [person_of(each) for subject, each in loaded.items() if subject.startswith("candidate:")]
    live = [person.cases[match_id].live for person in persons for match_id in match_ids if match_id in person.cases]
    return [agreement_subject(agreement.agreement_id) for agreement in live if agreement is not None]


def _end(
    loaded: Mapping[str, Loaded], match_ids: Sequence[str], reason: AnnulReason, occasion: Occasion
) -> Sequence[Event]:
    command = EndCases(at=occasion.now, match_ids=tuple(match_ids), reason=reason)
    persons = [person_of(each) for subject, each in loaded.items() if subject.startswith("candidate:")]
    return [event for person in persons for event in decide(command, person)]


REACTIONS = (
    Reaction("plan", (intake.TOPIC,), (NeedRegistered,), _plan_subjects, _plan),
    Reaction("open", (matching.TOPIC,), (MatchConfirmed,), _open_subjects, _open),
    Reaction("cancel", (matching.TOPIC,), (MatchCancelled,), _cancelled_subjects, _cancel),
    Reaction("withdraw", (intake.TOPIC,), (NeedWithdrawn, NeedExpired), _need_subjects, _withdraw),
    Reaction(
        "release",
        (intake.TOPIC,),
        (
            ReadinessRevoked,
            ConsentWithdrawn,
            AddressProtectionChanged,
            CandidateAssessed,
            CandidateErased,
            CandidateMerged,
        ),
        _person_subjects,
        _release,
    ),
)
