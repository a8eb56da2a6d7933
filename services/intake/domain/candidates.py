"""Candidates: registered, mapped, assessed, consenting.

Invariant: nobody is ready for matching who has not been mapped; who a person is stands in sealed parts alone; nothing
more happens to a registration that was merged into another one or erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never

from pydantic import JsonValue

from contracts.days import oslo_day
from contracts.event import Event
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateErased,
    CandidateEvent,
    CandidateHandedOver,
    CandidateMapped,
    CandidateMerged,
    CandidateRegistered,
    ConsentGiven,
    ConsentWithdrawn,
    QualificationAdded,
    ReadinessRevoked,
)
from contracts.refused import Refused
from services.intake.domain import checks
from services.intake.domain.candidate_commands import (
    AddQualification,
    AssessCandidate,
    CandidateCommand,
    ChangeAddressProtection,
    EraseCandidate,
    GiveConsent,
    HandOver,
    MapCandidate,
    MergeInto,
    RegisterCandidate,
    RevokeReadiness,
    WithdrawConsent,
)
from services.intake.domain.rules import happened, wrong


@dataclass(frozen=True)
class Candidate:
    """What later decisions have to know of a person. Sealed facts are None where the log was read without the key."""

    candidate_id: str
    intermediary: str
    first_mapped_on: date | None = None
    ready_until: date | None = None
    qualifications: int = 0
    consents: frozenset[str] = frozenset()
    protected: bool = False
    name: str | None = None
    birth_date: date | None = None
    reduced_work_capacity: bool = False
    merged_into: str | None = None
    merged: tuple[str, ...] = ()
    """Registrations that ended in this one."""
    erased: bool = False


def evolve(state: Candidate | None, event: Event) -> Candidate | None:
    """The candidate after one more event; events of other subjects in the same commits change nothing."""
    if isinstance(event, CandidateRegistered):
        return _registered(event) if state is None else state
    if state is None or not isinstance(event, CandidateEvent):
        return state
    if isinstance(event, CandidateMerged) and event.merged_into == state.candidate_id:
        return replace(state, merged=(*state.merged, event.candidate_id))
    if event.candidate_id != state.candidate_id:
        # A merge or an erasure is one commit about several registrations: each folds its own events.
        return state
    match event:
        case CandidateMapped():
            return replace(state, first_mapped_on=min(state.first_mapped_on or event.mapped_on, event.mapped_on))
        case QualificationAdded():
            return replace(state, qualifications=state.qualifications + 1)
        case CandidateAssessed():
            reduced = _sealed(event).get("reduced_work_capacity") is True
            ready_until = event.valid_until if event.ready else None
            return replace(state, ready_until=ready_until, reduced_work_capacity=reduced)
        case ReadinessRevoked():
            return replace(state, ready_until=None)
        case ConsentGiven():
            return replace(state, consents=state.consents | {event.scope})
        case ConsentWithdrawn():
            return replace(state, consents=state.consents - {event.scope})
        case AddressProtectionChanged():
            return replace(state, protected=event.protected)
        case CandidateHandedOver():
            return replace(state, intermediary=event.to_intermediary)
        case CandidateMerged():
            return replace(state, merged_into=event.merged_into, ready_until=None, consents=frozenset())
        case CandidateErased():
            return replace(state, erased=True, ready_until=None, consents=frozenset())
        case _:
            return state


def decide(command: CandidateCommand, state: Candidate | None) -> list[Event]:
    """The events that a command leads to. Raises Refused."""
    if isinstance(command, RegisterCandidate):
        return [_register(command, state)]
    going_on = _going_on(state)
    match command:
        case MapCandidate():
            return [_map(command, going_on)]
        case AddQualification():
            return [_add_qualification(command, going_on)]
        case AssessCandidate():
            return [_assess(command, going_on)]
        case RevokeReadiness():
            return [_revoke(command, going_on)]
        case GiveConsent():
            return [_give_consent(command, going_on)]
        case WithdrawConsent():
            return [_withdraw_consent(command, going_on)]
        case ChangeAddressProtection():
            return [_protect(command, going_on)]
        case HandOver():
            return [_hand_over(command, going_on)]
        case _:
            assert_never(command)


def merge(command: MergeInto, ended: Candidate | None, survivor: Candidate | None) -> list[Event]:
    """Two registrations of one person become one. The one that goes on keeps its own facts; protection is kept of both.

    Raises Refused, also where the two are of different intermediaries: a handover comes first.
    """
    ending, going_on = _going_on(ended), _going_on(survivor)
    if ending.candidate_id == going_on.candidate_id:
        raise wrong("merged_with_itself", "/merged_into")
    if ending.intermediary != going_on.intermediary:
        raise Refused("merged_across_intermediaries")
    today = oslo_day(command.at)
    events: list[Event] = [
        CandidateMerged(candidate_id=ending.candidate_id, merged_into=going_on.candidate_id, merged_on=today)
    ]
    if ending.protected and not going_on.protected:
        # Else the merge would show a person whom the other registration hid.
        events.append(AddressProtectionChanged(candidate_id=going_on.candidate_id, protected=True))
    return events


def erase(command: EraseCandidate, person: Candidate | None, merged: Sequence[Candidate]) -> list[Event]:
    """A person and all registrations that were merged into theirs. Raises Refused."""
    if person is None:
        raise Refused("candidate_unknown")
    if person.erased:
        raise Refused("candidate_erased")
    if person.merged_into is not None:
        raise Refused("candidate_merged")
    today = oslo_day(command.at)
    left = [each.candidate_id for each in merged if not each.erased]
    return [CandidateErased(candidate_id=each, erased_on=today) for each in (person.candidate_id, *left)]


def _going_on(state: Candidate | None) -> Candidate:
    if state is None:
        raise Refused("candidate_unknown")
    if state.erased:
        raise Refused("candidate_erased")
    if state.merged_into is not None:
        raise Refused("candidate_merged")
    return state


def _registered(event: CandidateRegistered) -> Candidate:
    sealed = _sealed(event)
    name, birth_date = sealed.get("name"), sealed.get("birth_date")
    return Candidate(
        event.candidate_id,
        event.intermediary,
        name=name if isinstance(name, str) else None,
        birth_date=date.fromisoformat(birth_date) if isinstance(birth_date, str) else None,
    )


def _sealed(event: Event) -> Mapping[str, JsonValue]:
    return event.sealed or {}


def _register(command: RegisterCandidate, state: Candidate | None) -> CandidateRegistered:
    identity = checks.identity(command)
    if state is not None:
        raise Refused("candidate_already_registered")
    return CandidateRegistered(
        candidate_id=command.candidate_id,
        intermediary=command.intermediary,
        registered_on=oslo_day(command.at),
        sealed={
            "name": command.name,
            "national_id": identity.national_id,
            "birth_date": identity.birth_date.isoformat(),
            "phone": command.phone,
            "email": command.email,
        },
    )


def _map(command: MapCandidate, state: Candidate) -> CandidateMapped:
    checks.mapping(command)
    return CandidateMapped(
        candidate_id=state.candidate_id,
        mapped_on=command.mapped_on,
        municipality=command.municipality,
        language=checks.levels(command),
        experience=command.experience,
        wished_occupations=command.wished_occupations,
        hours_per_week=command.hours_per_week,
        available_from=command.available_from,
        licences=command.licences,
        intermediary=command.intermediary,
        language_evidence=command.language_evidence,
        skills=command.skills,
        education_level=command.education_level,
        certificates=command.certificates,
        wished_municipalities=command.wished_municipalities,
        travel_minutes=command.travel_minutes,
        available_to=command.available_to,
        sealed=_noted(notes=command.notes, limits=command.limits, author=command.author or None),
        occurred=happened(command.mapped_on, command.at),
    )


def _add_qualification(command: AddQualification, state: Candidate) -> QualificationAdded:
    checks.qualification(command)
    if state.qualifications >= checks.MOST_QUALIFICATIONS:
        raise Refused("too_many_qualifications", most=checks.MOST_QUALIFICATIONS)
    return QualificationAdded(
        candidate_id=state.candidate_id,
        qualification_id=command.qualification_id,
        kind=command.kind,
        occupation=command.occupation,
        started_on=command.started_on,
        completed_on=command.completed_on,
        sealed={"title": command.title, "provider": command.provider},
    )


def _assess(command: AssessCandidate, state: Candidate) -> CandidateAssessed:
    checks.assessment(command)
    if state.first_mapped_on is None:
        raise Refused("not_mapped")
    if command.assessed_on < state.first_mapped_on:
        raise Refused("assessed_before_mapped", ["/assessed_on"], status=422)
    return CandidateAssessed(
        candidate_id=state.candidate_id,
        ready=command.ready,
        assessed_on=command.assessed_on,
        valid_until=command.valid_until,
        sealed={
            "reduced_work_capacity": command.reduced_work_capacity,
            "notes": command.notes,
            **({"author": command.author} if command.author else {}),
        },
        occurred=happened(command.assessed_on, command.at),
    )


def _revoke(command: RevokeReadiness, state: Candidate) -> ReadinessRevoked:
    checks.revocation(command)
    if state.ready_until is None:
        raise Refused("not_ready")
    return ReadinessRevoked(candidate_id=state.candidate_id, reason=command.reason, sealed=_noted(note=command.note))


def _give_consent(command: GiveConsent, state: Candidate) -> ConsentGiven:
    checks.consent_day(command.given_on, "/given_on", command.at)
    if command.scope in state.consents:
        raise Refused("consent_already_given")
    return ConsentGiven(
        candidate_id=state.candidate_id,
        scope=command.scope,
        given_on=command.given_on,
        occurred=happened(command.given_on, command.at),
    )


def _withdraw_consent(command: WithdrawConsent, state: Candidate) -> ConsentWithdrawn:
    if command.scope not in state.consents:
        raise Refused("consent_not_given")
    return ConsentWithdrawn(candidate_id=state.candidate_id, scope=command.scope, withdrawn_on=oslo_day(command.at))


def _protect(command: ChangeAddressProtection, state: Candidate) -> AddressProtectionChanged:
    if command.protected == state.protected:
        raise Refused("address_protection_unchanged")
    return AddressProtectionChanged(candidate_id=state.candidate_id, protected=command.protected)


def _hand_over(command: HandOver, state: Candidate) -> CandidateHandedOver:
    if command.to == state.intermediary:
        raise wrong("handed_over_to_the_same", "/to_intermediary")
    return CandidateHandedOver(
        candidate_id=state.candidate_id,
        from_intermediary=state.intermediary,
        to_intermediary=command.to,
        handed_over_on=oslo_day(command.at),
    )


def _noted(**texts: str | None) -> dict[str, JsonValue] | None:
    written: dict[str, JsonValue] = {name: text for name, text in texts.items() if text is not None}
    return written or None
