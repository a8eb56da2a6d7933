"""What is decided about matches.

Invariant: nobody is presented before a yes, one person gets one place and one place one person, and a refusal never
tells what is protected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, NoReturn, assert_never

from pydantic import JsonValue

from contracts.days import OSLO
from contracts.event import Event
from contracts.matching import (
    CandidateAccepted,
    CandidateAsked,
    CandidateDeclined,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchCancelled,
    MatchConfirmed,
    NeedAssigned,
    PresentationReversed,
)
from contracts.refused import Refused
from contracts.vocabulary import CancelReason, DeclineReason, EmployerResponse, ResponseReason
from services.matching.domain import commands as c
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.ranking import Guard, guards, reasons, total, unavailable
from services.matching.domain.state import Match, Stage, World

COUNSELLORS_REASONS = frozenset(
    {
        CancelReason.CANDIDATE_DECLINED,
        CancelReason.EMPLOYER_DECLINED,
        CancelReason.OTHER_CANDIDATE_CHOSEN,
        CancelReason.NO_LONGER_AVAILABLE,
        CancelReason.REGISTERED_BY_MISTAKE,
        CancelReason.OTHER,
    }
)
"""The others are consequences, written where their cause is known."""


def decide(command: c.Command, world: World) -> list[Event]:
    """The events that a command leads to. Raises Refused."""
    match command:
        case c.Assign():
            return _assign(command, world)
        case c.Propose():
            return _propose(command, world)
        case c.Ask():
            return _ask(command, _open(command.match_id, world))
        case c.Accept() | c.Decline():
            return _answer(command, _open(command.match_id, world))
        case c.Present():
            return _present(command, _open(command.match_id, world))
        case c.ReversePresentation():
            return _reverse(command, _open(command.match_id, world))
        case c.Respond():
            return _respond(command, _presented(command.match_id, world))
        case c.HoldInterview():
            return _interview(command, _presented(command.match_id, world))
        case c.Confirm():
            return _confirm(command, world)
        case c.Cancel():
            return _cancel(command, world)
        case _:
            assert_never(command)


def cancelled(match: Match, reason: CancelReason, today: date, note: str | None = None) -> MatchCancelled:
    """The end of a match without a start."""
    return MatchCancelled(**_about(match), cancelled_on=today, reason=reason, sealed=_sealed(note=note))


def _about(match: Match) -> dict[str, Any]:
    return {
        "match_id": match.match_id,
        "need_id": match.need_id,
        "slot_id": match.slot_id,
        "candidate_id": match.candidate_id,
        "org_number": match.org_number,
    }


def _sealed(**texts: str | None) -> Mapping[str, JsonValue] | None:
    return {name: text for name, text in texts.items() if text is not None} or None


def _wrong(code: str, field: str, **params: object) -> NoReturn:
    raise Refused(code, [field], status=422, **params)


def _match(match_id: str, world: World) -> Match:
    match = world.matches.get(match_id)
    if match is None:
        raise Refused("match_unknown")
    return match


def _open(match_id: str, world: World) -> Match:
    match = _match(match_id, world)
    if match.stage is Stage.CANCELLED:
        raise Refused("match_ended")
    if match.stage is Stage.CONFIRMED:
        raise Refused("already_confirmed")
    return match


def _presented(match_id: str, world: World) -> Match:
    match = _open(match_id, world)
    if match.stage is not Stage.PRESENTED:
        raise Refused("not_presented")
    return match


def _check_wanted(match: Match, need: NeedFacts, candidate: CandidateFacts, today: date) -> None:
    """Again at every step: a match proposed while a withdrawal was on its way must not get any further."""
    if match.slot_id in need.withdrawn_slots:
        raise Refused("slot_withdrawn")
    if unavailable(candidate, today):
        # One code for all grounds: a code of its own for any would tell the protected ones apart.
        raise Refused("candidate_not_available")


def _check_slot(need: NeedFacts, slot_id: str, world: World) -> None:
    if slot_id in need.withdrawn_slots:
        raise Refused("slot_withdrawn")
    if world.confirmed_on(slot_id):
        raise Refused("slot_filled")


def _check_note(is_other: bool, note: str | None) -> None:
    if is_other and note is None:
        _wrong("note_missing", "/note")
    if not is_other and note is not None:
        _wrong("note_only_for_other", "/note")


def _assign(command: c.Assign, world: World) -> list[Event]:
    need = command.need
    now = world.assigned.get(need.need_id, need.intermediary)
    if now != command.by:
        raise Refused("need_of_other_intermediary")
    if world.assigned.get(need.need_id) == command.to:
        raise Refused("already_assigned", ["/intermediary"])
    if set(need.slot_ids) <= need.withdrawn_slots:
        raise Refused("slot_withdrawn")
    return [assigned(need.need_id, need.org_number, command.to, command.today)]


def assigned(need_id: str, org_number: str, intermediary: str, today: date) -> NeedAssigned:
    """Who works on the need from now on."""
    return NeedAssigned(need_id=need_id, org_number=org_number, intermediary=intermediary, assigned_on=today)


def _propose(command: c.Propose, world: World) -> list[Event]:
    need, candidate = command.need, command.candidate
    if need.intermediary != command.by:
        raise Refused("need_of_other_intermediary")
    _check_slot(need, command.slot_id, world)
    if any(match.candidate_id == command.candidate_id for match in world.open_on(command.slot_id)):
        raise Refused("already_proposed", ["/candidate_id"])
    if candidate is None or world.holding(candidate.candidate_id):
        raise Refused("candidate_not_available", ["/candidate_id"])
    against = guards(need, candidate, command.today)
    if set(against) - {Guard.LICENCE_MISSING}:
        raise Refused("candidate_not_available", ["/candidate_id"])
    if against:
        raise Refused("licence_missing", ["/candidate_id"])
    found = reasons(need, candidate, command.weights)
    return [
        CandidateMatched(
            match_id=command.match_id,
            need_id=need.need_id,
            slot_id=command.slot_id,
            candidate_id=candidate.candidate_id,
            org_number=need.org_number,
            intermediary=command.by,
            score=total(found),
            reasons=found,
            rule_version=command.weights.version,
            matched_on=command.today,
        )
    ]


def _ask(command: c.Ask, match: Match) -> list[Event]:
    if command.deadline < command.today:
        _wrong("deadline_in_past", "/deadline")
    waits = match.stage is Stage.ASKED and match.deadline is not None and match.deadline >= command.today
    if waits:
        raise Refused("already_asked", deadline=match.deadline)
    if match.stage not in (Stage.PROPOSED, Stage.ASKED):
        raise Refused("already_answered")
    _check_wanted(match, command.need, command.candidate, command.today)
    return [CandidateAsked(**_about(match), asked_on=command.today, deadline=command.deadline)]


def _answer(command: c.Accept | c.Decline, match: Match) -> list[Event]:
    if match.stage is Stage.PROPOSED:
        raise Refused("not_asked")
    if match.stage is not Stage.ASKED or match.deadline is None:
        raise Refused("already_answered")
    if match.deadline < command.today:
        raise Refused("deadline_passed", deadline=match.deadline)
    if isinstance(command, c.Decline):
        if not command.on_behalf or command.reason is DeclineReason.OTHER:
            _check_note(command.reason is DeclineReason.OTHER, command.note)
        if command.on_behalf and command.note is None:
            _wrong("note_missing_on_behalf", "/note")
        declined = CandidateDeclined(
            **_about(match), declined_on=command.today, reason=command.reason, sealed=_sealed(note=command.note)
        )
        return [declined, cancelled(match, CancelReason.CANDIDATE_DECLINED, command.today)]
    if command.on_behalf and command.note is None:
        _wrong("note_missing_on_behalf", "/note")
    if not command.on_behalf and command.note is not None:
        _wrong("note_only_for_other", "/note")
    return [CandidateAccepted(**_about(match), accepted_on=command.today, sealed=_sealed(note=command.note))]


def _present(command: c.Present, match: Match) -> list[Event]:
    if match.stage is Stage.PRESENTED:
        raise Refused("already_presented")
    if match.stage is not Stage.ACCEPTED:
        raise Refused("not_accepted")
    _check_wanted(match, command.need, command.candidate, command.today)
    return [CandidatePresented(**_about(match), presented_on=command.today)]


def _reverse(command: c.ReversePresentation, match: Match) -> list[Event]:
    if match.stage is not Stage.PRESENTED:
        raise Refused("not_presented")
    if match.interviewed_on is not None:
        raise Refused("interview_already_held")
    return [PresentationReversed(**_about(match), reversed_on=command.today)]


def _respond(command: c.Respond, match: Match) -> list[Event]:
    no = command.response is EmployerResponse.NOT_RELEVANT
    if no and command.reason is None:
        _wrong("reason_missing", "/reason")
    if not no and command.reason is not None:
        _wrong("reason_only_for_not_relevant", "/reason")
    _check_note(command.reason is ResponseReason.OTHER, command.note)
    responded = EmployerResponded(
        **_about(match),
        responded_on=command.today,
        response=command.response,
        reason=command.reason,
        sealed=_sealed(note=command.note),
    )
    return [responded, cancelled(match, CancelReason.EMPLOYER_DECLINED, command.today)] if no else [responded]


def _interview(command: c.HoldInterview, match: Match) -> list[Event]:
    if command.held_on > command.today:
        _wrong("date_in_future", "/held_on")
    if match.presented_on is not None and command.held_on < match.presented_on:
        _wrong("before_presentation", "/held_on", presented_on=match.presented_on)
    noon = datetime.combine(command.held_on, time(12), OSLO)
    occurred = None if command.held_on == command.today else noon
    return [InterviewHeld(**_about(match), held_on=command.held_on, occurred=occurred)]


def _confirm(command: c.Confirm, world: World) -> list[Event]:
    match = _presented(command.match_id, world)
    if match.response is None:
        raise Refused("employer_has_not_answered")
    _check_slot(command.need, match.slot_id, world)
    _check_wanted(match, command.need, command.candidate, command.today)
    # The view alone knows of a trial whose match was cancelled while it began.
    if command.candidate.placed or world.holding(match.candidate_id):
        raise Refused("candidate_not_available")
    confirmed = MatchConfirmed(
        **_about(match),
        confirmed_on=command.today,
        confirmed_by=command.by,
        intermediary=command.need.intermediary,
        municipality=command.need.municipality,
        occupation=command.need.occupation,
        measure=command.need.measure,
        registered_on=command.need.registered_on,
        promise_date=command.need.promise_date,
    )
    rivals = [(other, CancelReason.OTHER_CANDIDATE_CHOSEN) for other in world.open_on(match.slot_id)]
    others = [(other, CancelReason.PLACED_ELSEWHERE) for other in world.open_of(match.candidate_id)]
    ended = {other.match_id: cancelled(other, reason, command.today) for other, reason in (*others, *rivals)}
    ended.pop(match.match_id)
    return [confirmed, *(ended[match_id] for match_id in sorted(ended))]


def _cancel(command: c.Cancel, world: World) -> list[Event]:
    match = _match(command.match_id, world)
    if match.stage is Stage.CANCELLED:
        raise Refused("match_ended")
    if match.match_id in world.started:
        raise Refused("trial_started")
    if command.reason not in COUNSELLORS_REASONS:
        _wrong("reason_not_allowed", "/reason")
    _check_note(command.reason is CancelReason.OTHER, command.note)
    return [cancelled(match, command.reason, command.today, command.note)]
