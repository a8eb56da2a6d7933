"""What is decided about matches.

Invariant: nobody is presented before a yes, one person gets one place and one place one person, and a refusal never
tells what is protected.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import assert_never

from contracts.days import OSLO
from contracts.event import Event
from contracts.matching import (
    AnswerReversed,
    CandidateAccepted,
    CandidateAsked,
    CandidateDeclined,
    CandidateMatched,
    CandidatePresented,
    EmployerResponded,
    InterviewHeld,
    MatchConfirmed,
    PresentationReversed,
    ResponseReversed,
)
from contracts.refused import Refused
from contracts.vocabulary import CancelReason, DeclineReason, EmployerResponse, Party, ResponseReason
from services.matching.domain import commands as c
from services.matching.domain.checks import (
    about,
    assigned,
    cancelled,
    check_note,
    check_slot,
    check_wanted,
    is_held,
    sealed,
    wrong,
)
from services.matching.domain.ranking import UNMET, guards, reasons, total, unavailable, unmet
from services.matching.domain.state import Match, Stage, World

COUNSELLORS_REASONS = frozenset(
    {
        CancelReason.CANDIDATE_DECLINED,
        CancelReason.EMPLOYER_DECLINED,
        CancelReason.OTHER_CANDIDATE_CHOSEN,
        CancelReason.NO_LONGER_AVAILABLE,
        CancelReason.REGISTERED_BY_MISTAKE,
        CancelReason.NO_ANSWER,
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
        case c.ReverseAnswer():
            return _reverse_answer(command, _open(command.match_id, world))
        case c.Present():
            return _present(command, _open(command.match_id, world))
        case c.ReversePresentation():
            return _reverse(command, _open(command.match_id, world))
        case c.Respond():
            return _respond(command, _presented(command.match_id, world))
        case c.ReverseResponse():
            return _reverse_response(command, _presented(command.match_id, world))
        case c.HoldInterview():
            return _interview(command, _presented(command.match_id, world))
        case c.Confirm():
            return _confirm(command, world)
        case c.Cancel():
            return _cancel(command, world)
        case c.EndUnfit():
            return _end_unfit(command, world)
        case _:
            assert_never(command)


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


def _assign(command: c.Assign, world: World) -> list[Event]:
    need = command.need
    now = world.assigned.get(need.need_id, need.intermediary)
    if now != command.by:
        raise Refused("need_of_other_intermediary")
    if world.assigned.get(need.need_id) == command.to:
        raise Refused("already_assigned", ["/intermediary"])
    if set(need.slot_ids) <= need.withdrawn_slots | need.expired_slots:
        raise Refused("slot_withdrawn")
    return [assigned(need.need_id, need.org_number, command.to, command.today, previous=now)]


def _propose(command: c.Propose, world: World) -> list[Event]:
    need, candidate = command.need, command.candidate
    if need.intermediary != command.by:
        raise Refused("need_of_other_intermediary")
    check_slot(need, command.slot_id, world)
    if any(match.candidate_id == command.candidate_id for match in world.open_on(command.slot_id)):
        raise Refused("already_proposed", ["/candidate_id"])
    if candidate is None or is_held(candidate, world):
        raise Refused("candidate_not_available", ["/candidate_id"])
    against = guards(need, candidate, command.today)
    if set(against) - UNMET:
        raise Refused("candidate_not_available", ["/candidate_id"])
    if against:
        raise Refused(against[0].value, ["/candidate_id"])
    found = reasons(need, candidate, command.weights)
    match = Match(command.match_id, need.need_id, command.slot_id, candidate.candidate_id, need.org_number)
    matched = CandidateMatched(
        **about(match),
        intermediary=command.by,
        score=total(found),
        reasons=found,
        rule_version=command.weights.version,
        matched_on=command.today,
    )
    if command.deadline is None:
        return [matched]
    return [matched, *_ask(c.Ask(command.match_id, command.deadline, need, candidate, command.today), match)]


def _ask(command: c.Ask, match: Match) -> list[Event]:
    if command.deadline < command.today:
        wrong("deadline_in_past", "/deadline")
    waits = match.stage is Stage.ASKED and match.deadline is not None and match.deadline >= command.today
    if waits:
        raise Refused("already_asked", deadline=match.deadline)
    if match.stage not in (Stage.PROPOSED, Stage.ASKED):
        raise Refused("already_answered")
    check_wanted(match, command.need, command.candidate, command.today)
    return [CandidateAsked(**about(match), asked_on=command.today, deadline=command.deadline)]


def _answer(command: c.Accept | c.Decline, match: Match) -> list[Event]:
    if match.stage is Stage.PROPOSED:
        raise Refused("not_asked")
    if match.stage is not Stage.ASKED or match.deadline is None:
        raise Refused("already_answered")
    if match.deadline < command.today:
        raise Refused("deadline_passed", deadline=match.deadline)
    by = Party.COUNSELLOR if command.on_behalf else Party.PARTICIPANT
    if isinstance(command, c.Decline):
        if not command.on_behalf or command.reason is DeclineReason.OTHER:
            check_note(command.reason is DeclineReason.OTHER, command.note)
        if command.on_behalf and command.note is None:
            wrong("note_missing_on_behalf", "/note")
        declined = CandidateDeclined(
            **about(match),
            declined_on=command.today,
            reason=command.reason,
            answered_by=by,
            sealed=sealed(note=command.note),
        )
        return [declined, cancelled(match, CancelReason.CANDIDATE_DECLINED, command.today)]
    if command.on_behalf and command.note is None:
        wrong("note_missing_on_behalf", "/note")
    if not command.on_behalf and command.note is not None:
        wrong("note_only_for_other", "/note")
    note = sealed(note=command.note)
    return [CandidateAccepted(**about(match), accepted_on=command.today, answered_by=by, sealed=note)]


def _reverse_answer(command: c.ReverseAnswer, match: Match) -> list[Event]:
    if match.stage is Stage.PRESENTED:
        # What the employer has seen is taken back first, and counted as such.
        raise Refused("already_presented")
    if match.stage is not Stage.ACCEPTED:
        raise Refused("not_accepted")
    return [AnswerReversed(**about(match), reversed_on=command.today, reversed_by=command.by)]


def _present(command: c.Present, match: Match) -> list[Event]:
    if match.stage is Stage.PRESENTED:
        raise Refused("already_presented")
    if match.stage is not Stage.ACCEPTED:
        raise Refused("not_accepted")
    check_wanted(match, command.need, command.candidate, command.today)
    return [CandidatePresented(**about(match), presented_on=command.today)]


def _reverse(command: c.ReversePresentation, match: Match) -> list[Event]:
    if match.stage is not Stage.PRESENTED:
        raise Refused("not_presented")
    if match.interviewed_on is not None:
        raise Refused("interview_already_held")
    return [PresentationReversed(**about(match), reversed_on=command.today)]


def _respond(command: c.Respond, match: Match) -> list[Event]:
    no = command.response is EmployerResponse.NOT_RELEVANT
    if no and command.reason is None:
        wrong("reason_missing", "/reason")
    if not no and command.reason is not None:
        wrong("reason_only_for_not_relevant", "/reason")
    check_note(command.reason is ResponseReason.OTHER, command.note)
    responded = EmployerResponded(
        **about(match),
        responded_on=command.today,
        response=command.response,
        reason=command.reason,
        sealed=sealed(note=command.note),
    )
    return [responded, cancelled(match, CancelReason.EMPLOYER_DECLINED, command.today)] if no else [responded]


def _reverse_response(command: c.ReverseResponse, match: Match) -> list[Event]:
    if match.response is None:
        raise Refused("employer_has_not_answered")
    return [ResponseReversed(**about(match), reversed_on=command.today, reversed_by=command.by)]


def _interview(command: c.HoldInterview, match: Match) -> list[Event]:
    if command.held_on > command.today:
        wrong("date_in_future", "/held_on")
    if match.presented_on is not None and command.held_on < match.presented_on:
        wrong("before_presentation", "/held_on", presented_on=match.presented_on)
    noon = datetime.combine(command.held_on, time(12), OSLO)
    occurred = None if command.held_on == command.today else noon
    return [InterviewHeld(**about(match), held_on=command.held_on, occurred=occurred)]


def _confirm(command: c.Confirm, world: World) -> list[Event]:
    match = _presented(command.match_id, world)
    if match.response is None:
        raise Refused("employer_has_not_answered")
    check_slot(command.need, match.slot_id, world)
    check_wanted(match, command.need, command.candidate, command.today)
    # The view alone knows of a trial whose match was cancelled while it began.
    if command.candidate.placed or is_held(command.candidate, world):
        raise Refused("candidate_not_available")
    confirmed = MatchConfirmed(
        **about(match),
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
        wrong("reason_not_allowed", "/reason")
    late = match.stage is Stage.ASKED and match.deadline is not None and match.deadline < command.today
    if command.reason is CancelReason.NO_ANSWER and not late:
        wrong("deadline_not_passed", "/reason")
    check_note(command.reason is CancelReason.OTHER, command.note)
    return [cancelled(match, command.reason, command.today, command.note)]


def _end_unfit(command: c.EndUnfit, world: World) -> list[Event]:
    match = world.matches.get(command.match_id)
    if match is None or not match.is_open:
        return []
    if unavailable(command.candidate, command.today):
        return [cancelled(match, CancelReason.NO_LONGER_AVAILABLE, command.today)]
    if unmet(command.need, command.candidate):
        return [cancelled(match, CancelReason.REQUIREMENTS_NOT_MET, command.today)]
    return []
