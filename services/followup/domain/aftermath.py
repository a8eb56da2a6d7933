"""How a trial ends, and what comes after: closing talk, outcome and its reversal, certificate, employment.

Invariant: an outcome that was wrong is taken back by an event, followed by the right one; it is never overwritten.
"""

from __future__ import annotations

from typing import TypedDict

from pydantic import JsonValue

from contracts.days import add_months
from contracts.followup import (
    CaseEvent,
    CertificateIssued,
    ClosingTalkHeld,
    EmploymentConfirmed,
    OutcomeReversed,
    TrialClosed,
)
from contracts.refused import Refused
from contracts.vocabulary import CloseReason, Outcome, Party, ReversalReason
from services.followup.domain.cases import complete_at_closing, ids_of
from services.followup.domain.commands import (
    Close,
    ConfirmEmployment,
    HoldClosingTalk,
    IssueCertificate,
    ReverseOutcome,
)
from services.followup.domain.guards import found_begun, found_closed, found_trial, only
from services.followup.domain.moments import happened
from services.followup.domain.state import Agreement, Person
from services.followup.domain.trialstate import Trial

EMPLOYMENT_MONTHS = (3, 6, 12)
"""So long after the closing it is asked whether somebody who was hired is still employed."""


class _Ids(TypedDict):
    trial_id: str
    agreement_id: str


def _of(agreement: Agreement, trial: Trial) -> _Ids:
    return {"trial_id": trial.trial_id, "agreement_id": agreement.agreement_id}


def _note(note: str | None) -> dict[str, JsonValue] | None:
    return None if note is None else {"note": note}


def close(command: Close, person: Person) -> list[CaseEvent]:
    """The trial ended on that day, with an outcome."""
    case, agreement, trial = found_trial(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR)
    occurred = happened(command.on, command.at, "/on")
    if not trial.started_on <= command.on <= trial.end_on:
        raise Refused("outside_trial", ["/on"], status=422, start_on=trial.started_on, end_on=trial.end_on)
    if command.note is None and (command.outcome == Outcome.OTHER or command.reason == CloseReason.OTHER):
        raise Refused("note_missing", ["/note"], status=422)
    closed = TrialClosed(
        **ids_of(case),
        trial_id=trial.trial_id,
        agreement_id=agreement.agreement_id,
        on=command.on,
        outcome=command.outcome,
        reason=command.reason,
        sealed=None if command.note is None else {"note": command.note},
        occurred=occurred,
    )
    return [closed, *complete_at_closing(case, command.today)]


def hold_closing_talk(command: HoldClosingTalk, person: Person) -> list[CaseEvent]:
    """The last talk of counsellor, participant and employer: once, before the closing or after it."""
    case, agreement, trial = found_begun(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR)
    if trial.talked:
        raise Refused("closing_talk_held")
    occurred = happened(command.held_on, command.at, "/held_on")
    if command.held_on < trial.started_on:
        raise Refused("before_start", ["/held_on"], status=422, started_on=trial.started_on)
    return [
        ClosingTalkHeld(
            **ids_of(case),
            **_of(agreement, trial),
            held_on=command.held_on,
            sealed=_note(command.note),
            occurred=occurred,
        )
    ]


def reverse_outcome(command: ReverseOutcome, person: Person) -> list[CaseEvent]:
    """The outcome was wrong: it never was, and the right one takes its place on the same day."""
    case, agreement, trial = found_closed(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR)
    assert trial.closed_on is not None
    assert trial.outcome is not None
    assert trial.close_reason is not None
    if command.outcome == trial.outcome:
        raise Refused("same_outcome", ["/outcome"], status=422)
    unexplained = command.reason == ReversalReason.OTHER or command.outcome == Outcome.OTHER
    if command.note is None and unexplained:
        raise Refused("note_missing", ["/note"], status=422)
    ids = {**ids_of(case), **_of(agreement, trial)}
    said = {"outcome": trial.outcome, "reason": command.reason, "reversed_on": command.today}
    return [
        OutcomeReversed.model_validate({**ids, **said, "sealed": _note(command.note)}),
        TrialClosed.model_validate(
            {
                **ids,
                "on": trial.closed_on,
                "outcome": command.outcome,
                "reason": trial.close_reason,
                "occurred": happened(trial.closed_on, command.at, "/outcome"),
            }
        ),
    ]


def issue_certificate(command: IssueCertificate, person: Person) -> list[CaseEvent]:
    """Once per trial, after its closing."""
    case, agreement, trial = found_closed(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR)
    if trial.certificate_id is not None:
        raise Refused("certificate_issued")
    return [
        CertificateIssued(
            **ids_of(case),
            **_of(agreement, trial),
            certificate_id=command.certificate_id,
            issued_on=command.today,
        )
    ]


def confirm_employment(command: ConfirmEmployment, person: Person) -> list[CaseEvent]:
    """Whether somebody who was hired is still employed: once for each of 3, 6 and 12 months, not before they passed."""
    case, agreement, trial = found_closed(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR, Party.EMPLOYER)
    if trial.outcome != Outcome.HIRED:
        raise Refused("not_hired")
    if command.after_months not in EMPLOYMENT_MONTHS:
        raise Refused("months_not_asked", ["/after_months"], status=422)
    if command.after_months in trial.employment:
        raise Refused("employment_confirmed", ["/after_months"])
    if any(not employed for months, employed in trial.employment.items() if months < command.after_months):
        raise Refused("employment_ended")
    assert trial.closed_on is not None
    occurred = happened(command.on, command.at, "/on")
    earliest = add_months(trial.closed_on, command.after_months)
    if command.on < earliest:
        raise Refused("too_early", ["/on"], status=422, earliest=earliest)
    return [
        EmploymentConfirmed(
            **ids_of(case),
            **_of(agreement, trial),
            after_months=command.after_months,
            employed=command.employed,
            on=command.on,
            confirmed_by=command.acting,
            occurred=occurred,
        )
    ]
