"""What changes while a trial runs: its last day, its hours, and what the candidate says of it.

Invariant: a change that one party proposes holds only when the other one has accepted it; nobody extends what nobody
has looked after.
"""

from __future__ import annotations

from datetime import timedelta

from contracts.followup import (
    CaseEvent,
    ChangeAccepted,
    ChangeDeclined,
    ChangeProposed,
    TrialExtended,
    TrialShortened,
    VoiceGiven,
)
from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import Party, ShortenReason
from services.followup.domain import rules
from services.followup.domain.cases import ids_of
from services.followup.domain.commands import AnswerChange, Extend, GiveVoice, ProposeChange, Shorten
from services.followup.domain.guards import found_trial, four_eyes, must_be_eligible, only
from services.followup.domain.state import Agreement, Person

THE_TWO = (Party.EMPLOYER, Party.PARTICIPANT)
"""Whose agreement it is."""


def extend(command: Extend, person: Person) -> list[CaseEvent]:
    """A later last day; the per cent is what the rules give from the day after the old one."""
    case, agreement, trial = found_trial(person, command.trial_id)
    measure = agreement.measure
    from_day = trial.end_on + timedelta(days=1)
    pack = RulePack.at(from_day)
    _may_extend(command, agreement, needs_decision_maker=pack.decision_maker_needed(measure))
    if command.end_on <= max(trial.end_on, command.today):
        raise Refused("end_not_later", ["/end_on"], status=422, end_on=max(trial.end_on, command.today))
    first = rules.first_start(person, case.org_number, measure, trial.started_on)
    reduced = command.eligibility.reduced_work_capacity
    rules.check_period(pack, measure, (trial.started_on, command.end_on), first, reduced=reduced)
    must_be_eligible(command.eligibility)
    rules.check_overlap(
        person, measure, (trial.started_on, command.end_on), besides=agreement.agreement_id, fields=("/end_on",)
    )
    if (owed := trial.check_in_owed(command.today, case.municipality)) is not None:
        raise Refused("check_in_owed", due_on=owed)
    wanted = command.wage_subsidy_percent
    if wanted is None and rules.leaves_a_choice(pack, measure):
        wanted = trial.wage_subsidy_percent
    return [
        TrialExtended(
            **ids_of(case),
            trial_id=trial.trial_id,
            agreement_id=agreement.agreement_id,
            extended_on=command.today,
            end_on=command.end_on,
            wage_subsidy_percent=rules.percent_on(pack, measure, from_day, first, wanted, reduced=reduced),
            decided_by=command.acting,
            rule_version=pack.version,
        )
    ]


def _may_extend(command: Extend, agreement: Agreement, *, needs_decision_maker: bool) -> None:
    if needs_decision_maker:
        if command.acting != Party.DECISION_MAKER:
            raise Refused("decision_maker_needed")
        four_eyes(agreement, command.actor)
    else:
        only(command.acting, Party.COUNSELLOR, Party.DECISION_MAKER)


def shorten(command: Shorten, person: Person) -> list[CaseEvent]:
    """An earlier last day, today or later: what has passed is closed, not shortened."""
    case, agreement, trial = found_trial(person, command.trial_id)
    only(command.acting, Party.COUNSELLOR, Party.DECISION_MAKER)
    if command.end_on >= trial.end_on:
        raise Refused("end_not_earlier", ["/end_on"], status=422, end_on=trial.end_on)
    if command.end_on < max(trial.started_on, command.today):
        raise Refused("end_in_the_past", ["/end_on"], status=422)
    if command.reason == ShortenReason.OTHER and command.note is None:
        raise Refused("note_missing", ["/note"], status=422)
    return [
        TrialShortened(
            **ids_of(case),
            trial_id=trial.trial_id,
            agreement_id=agreement.agreement_id,
            shortened_on=command.today,
            end_on=command.end_on,
            reason=command.reason,
            decided_by=command.acting,
            rule_version=RulePack.at(command.end_on).version,
            sealed=None if command.note is None else {"note": command.note},
        )
    ]


def give_voice(command: GiveVoice, person: Person) -> list[CaseEvent]:
    """The candidate says how it goes, sealed from everybody but the counsellor."""
    case, agreement, trial = found_trial(person, command.trial_id)
    only(command.acting, Party.PARTICIPANT)
    return [
        VoiceGiven(
            **ids_of(case),
            trial_id=trial.trial_id,
            agreement_id=agreement.agreement_id,
            voice_id=command.voice_id,
            given_on=command.today,
            sealed=dict(command.answers),
        )
    ]


def propose_change(command: ProposeChange, person: Person) -> list[CaseEvent]:
    """One of the two asks for other hours; one question at a time."""
    case, agreement, trial = found_trial(person, command.trial_id)
    only(command.acting, *THE_TWO)
    if trial.proposal is not None:
        raise Refused("change_waits")
    if not max(command.today, trial.started_on) <= command.effective_on <= trial.end_on:
        first = max(command.today, trial.started_on)
        raise Refused("outside_trial", ["/effective_on"], status=422, start_on=first, end_on=trial.end_on)
    return [
        ChangeProposed(
            **ids_of(case),
            trial_id=trial.trial_id,
            agreement_id=agreement.agreement_id,
            change_id=command.change_id,
            effective_on=command.effective_on,
            hours_per_week=command.hours_per_week,
            proposed_by=command.acting,
            proposed_on=command.today,
            sealed=None if command.note is None else {"note": command.note},
        )
    ]


def answer_change(command: AnswerChange, person: Person) -> list[CaseEvent]:
    """The other one answers. Whoever asked may think better of it, but cannot accept."""
    case, agreement, trial = found_trial(person, command.trial_id)
    only(command.acting, *THE_TWO)
    proposal = trial.proposal
    if proposal is None or proposal.change_id != command.change_id:
        raise Refused("change_unknown", status=404)
    if command.accepted and command.acting == proposal.proposed_by:
        raise Refused("your_own_change")
    if command.accepted and proposal.effective_on > trial.end_on:
        raise Refused("outside_trial", status=409, start_on=trial.started_on, end_on=trial.end_on)
    change = {
        **ids_of(case),
        "trial_id": trial.trial_id,
        "agreement_id": agreement.agreement_id,
        "change_id": proposal.change_id,
        "effective_on": proposal.effective_on,
        "hours_per_week": proposal.hours_per_week,
    }
    sealed = None if command.note is None else {"note": command.note}
    if command.accepted:
        given = {"accepted_by": command.acting, "accepted_on": command.today, "sealed": sealed}
        return [ChangeAccepted.model_validate({**change, **given})]
    given = {"declined_by": command.acting, "declined_on": command.today, "sealed": sealed}
    return [ChangeDeclined.model_validate({**change, **given})]
