"""Trials: the confirmed start, check-ins, extension, closing.

Invariant: one start per agreement, on a day that has come; after the closing there is nothing but reading.
"""

from __future__ import annotations

from datetime import date, timedelta

from contracts.days import promise_date
from contracts.followup import CheckInHeld, FollowupEvent, NoShowReported, TrialClosed, TrialExtended, TrialStarted
from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import CloseReason, Outcome, Party
from services.followup.domain import rules
from services.followup.domain.cases import complete_all, ids_of
from services.followup.domain.commands import Close, ConfirmStart, Extend, HoldCheckIn, ReportNoShow
from services.followup.domain.guards import (
    found_agreement,
    found_trial,
    four_eyes,
    must_be,
    must_be_eligible,
)
from services.followup.domain.moments import happened
from services.followup.domain.state import Agreement, Person, Stage

ON_THE_SPOT = (Party.EMPLOYER, Party.COUNSELLOR)
"""Who can say whether somebody came."""


def _only(acting: Party, *parties: Party) -> None:
    if acting not in parties:
        raise Refused("not_yours_to_say")


def _within(agreement: Agreement, on: date) -> None:
    if not agreement.start_on <= on <= agreement.end_on:
        raise Refused("outside_agreement", ["/on"], status=422, start_on=agreement.start_on, end_on=agreement.end_on)


def confirm_start(command: ConfirmStart, person: Person) -> list[FollowupEvent]:
    """The candidate showed up: this stops the slot's clock on that day, whenever it is typed."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.CONCLUDED)
    _only(command.acting, *ON_THE_SPOT)
    occurred = happened(command.on, command.at, "/on")
    _within(agreement, command.on)
    if command.on < command.registered_on:
        raise Refused("start_before_need", ["/on"], status=422, registered_on=command.registered_on)
    measure = agreement.measure
    rules.check_overlap(
        person, measure, (command.on, agreement.end_on), besides=agreement.agreement_id, fields=("/on",)
    )
    first = rules.first_start(person, case.org_number, measure, command.on)
    started = TrialStarted(
        **ids_of(case),
        trial_id=command.trial_id,
        agreement_id=agreement.agreement_id,
        on=command.on,
        confirmed_by=command.acting,
        measure=measure,
        end_on=agreement.end_on,
        wage_subsidy_percent=rules.percent_at_start(agreement, command.on, first),
        days_from_need=(command.on - command.registered_on).days,
        within_promise=command.on <= promise_date(command.registered_on),
        rule_version=RulePack.at(command.on).version,
        occurred=occurred,
    )
    return [started, *complete_all(case, command.today)]


def report_no_show(command: ReportNoShow, person: Person) -> list[FollowupEvent]:
    """Nobody came on the agreed day: the agreement leads nowhere, and the slot's clock goes on."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.CONCLUDED)
    _only(command.acting, *ON_THE_SPOT)
    occurred = happened(command.on, command.at, "/on")
    _within(agreement, command.on)
    no_show = NoShowReported(
        **ids_of(case),
        agreement_id=agreement.agreement_id,
        on=command.on,
        reported_by=command.acting,
        occurred=occurred,
    )
    return [no_show, *complete_all(case, command.today)]


def hold_check_in(command: HoldCheckIn, person: Person) -> list[FollowupEvent]:
    """Somebody asked how it goes."""
    case, agreement, trial = found_trial(person, command.trial_id)
    _only(command.acting, Party.COUNSELLOR)
    occurred = happened(command.held_on, command.at, "/held_on")
    if not trial.started_on <= command.held_on <= trial.end_on:
        raise Refused("outside_trial", ["/held_on"], status=422, start_on=trial.started_on, end_on=trial.end_on)
    return [
        CheckInHeld(
            **ids_of(case),
            trial_id=trial.trial_id,
            agreement_id=agreement.agreement_id,
            check_in_id=command.check_in_id,
            held_on=command.held_on,
            progress=command.progress,
            sealed=None if command.note is None else {"note": command.note},
            occurred=occurred,
        )
    ]


def extend(command: Extend, person: Person) -> list[FollowupEvent]:
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
        _only(command.acting, Party.COUNSELLOR, Party.DECISION_MAKER)


def close(command: Close, person: Person) -> list[FollowupEvent]:
    """The trial ended on that day, with an outcome."""
    case, agreement, trial = found_trial(person, command.trial_id)
    _only(command.acting, Party.COUNSELLOR)
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
    return [closed, *complete_all(case, command.today)]
