"""Agreements: drafted, changed, approved in order, concluded, annulled, expired.

Invariant: employer and participant in any order, then the counsellor, then, where the measure needs it, a decision
maker who has approved nothing before; periods that exclude one another never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypedDict

from pydantic import JsonValue

from contracts.followup import (
    AgreementAnnulled,
    AgreementApproved,
    AgreementChanged,
    AgreementConcluded,
    AgreementDrafted,
    AgreementExpired,
    AgreementExpiring,
    ApprovalRevoked,
    CaseEvent,
    TaskAssigned,
)
from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import AnnulReason, Measure, Party, Task
from services.followup.domain import rules
from services.followup.domain.cases import assign, complete, complete_all, ids_of
from services.followup.domain.commands import Annul, Approve, Change, Content, Draft, LookAtDraft, RevokeApproval
from services.followup.domain.guards import found_agreement, four_eyes, must_be, must_be_eligible, only
from services.followup.domain.moments import oslo_midnight
from services.followup.domain.playbook import before_start_due, playbook_on
from services.followup.domain.state import Agreement, Case, Person, Stage
from services.followup.domain.subsidies import sealed_wage

ANNULLED_BY_HAND = (AnnulReason.REGISTERED_BY_MISTAKE, AnnulReason.NO_LONGER_AVAILABLE, AnnulReason.OTHER)
"""The other reasons are for what the service hears from others."""


@dataclass(frozen=True)
class _Judged:
    """Content that the rules allow, in the fields that its event carries."""

    content: Contents
    sealed: dict[str, JsonValue]


class Contents(TypedDict):
    """What draft and change say alike."""

    measure: Measure
    start_on: date
    end_on: date
    hours_per_week: float
    wage_subsidy_percent: int | None
    decision_maker_needed: bool
    rule_version: str


def _judge(command: Content, person: Person, case: Case) -> _Judged:
    """Raises Refused where the rules do not allow it."""
    measure, period = command.measure, (command.start_on, command.end_on)
    pack = RulePack.at(command.start_on)
    late = not RulePack.at(command.today).start_in_time(command.start_on, today=command.today)
    reduced = command.eligibility.reduced_work_capacity
    first = rules.first_start(person, case.org_number, measure, command.start_on)
    rules.check_period(pack, measure, period, first, reduced=reduced)
    if command.start_on < command.registered_on:
        raise Refused("start_before_need", ["/start_on"], status=422, registered_on=command.registered_on)
    RulePack.at(command.today).check_start_in_time(
        command.start_on, today=command.today, late_registration_allowed=command.late_registration
    )
    must_be_eligible(command.eligibility)
    percent = rules.percent_on(pack, measure, command.start_on, first, command.wage_subsidy_percent, reduced=reduced)
    rules.check_overlap(person, measure, period, besides=command.agreement_id, fields=("/start_on", "/end_on"))
    content = Contents(
        measure=measure,
        start_on=command.start_on,
        end_on=command.end_on,
        hours_per_week=command.hours_per_week,
        wage_subsidy_percent=percent,
        # Late registration is what the decision maker allows by approving.
        decision_maker_needed=pack.decision_maker_needed(measure) or late,
        rule_version=pack.version,
    )
    sealed: dict[str, JsonValue] = {
        "reduced_work_capacity": reduced,
        "answers": dict(command.eligibility.answers),
        "eligibility_rule_version": command.eligibility.rule_version,
    }
    if command.wage is not None:
        sealed["wage"] = sealed_wage(command.wage)
    return _Judged(content, sealed)


def draft(command: Draft, person: Person) -> list[CaseEvent]:
    """An agreement for a case that waits for one."""
    case = person.cases.get(command.match_id)
    if case is None or (task := case.open_task(Task.DRAFT_AGREEMENT)) is None:
        raise Refused("agreement_exists" if case is not None and case.live is not None else "case_ended")
    judged = _judge(command, person, case)
    drafted = AgreementDrafted(
        **ids_of(case),
        agreement_id=command.agreement_id,
        intermediary=command.intermediary,
        drafted_on=command.today,
        **judged.content,
        sealed=judged.sealed,
    )
    return [drafted, complete(case, task, command.today), _ask_for_approvals(case, command)]


def _ask_for_approvals(case: Case, command: Content) -> TaskAssigned:
    due = before_start_due(command.start_on, command.today)
    drafts = playbook_on(command.today, case.municipality).drafts
    return assign(case, command.task_id, Task.APPROVE_AGREEMENT, drafts, due)


def change(command: Change, person: Person) -> list[CaseEvent]:
    """Other content before the start: whoever has approved the old one has not approved this."""
    case, agreement = found_agreement(person, command.agreement_id)
    only(command.acting, Party.COUNSELLOR)
    must_be(agreement, Stage.DRAFTED, Stage.CONCLUDED)
    judged = _judge(command, person, case)
    changed = AgreementChanged(
        **ids_of(case),
        agreement_id=agreement.agreement_id,
        content_version=agreement.content_version + 1,
        changed_on=command.today,
        effective_on=command.start_on,
        **judged.content,
        sealed=judged.sealed,
    )
    return [changed, *complete_all(case, command.today), _ask_for_approvals(case, command)]


def look_at_draft(command: LookAtDraft, person: Person) -> list[CaseEvent]:
    """Warn of a draft that nobody touches, or let it expire; nothing where it has been touched or is no draft."""
    found = person.agreement(command.agreement_id)
    if found is None or found[1].stage != Stage.DRAFTED or command.today < command.on:
        return []
    case, agreement = found
    pack = RulePack.at(agreement.touched_on)
    expires_on = agreement.touched_on + timedelta(weeks=pack.agreement.draft_expires_after_weeks)
    left = (expires_on - command.on).days
    ids, occurred = ids_of(case), oslo_midnight(command.on)
    if left in pack.agreement.draft_warnings_days_before:
        return [
            AgreementExpiring(
                **ids, agreement_id=agreement.agreement_id, expires_on=expires_on, days_left=left, occurred=occurred
            )
        ]
    if left != 0:
        return []
    expired = AgreementExpired(
        **ids,
        agreement_id=agreement.agreement_id,
        expired_on=command.on,
        rule_version=pack.version,
        occurred=occurred,
    )
    drafts = playbook_on(command.today, case.municipality).drafts
    again = assign(case, command.task_id, Task.DRAFT_AGREEMENT, drafts, command.today)
    return [expired, *complete_all(case, command.today), again]


def approve(command: Approve, person: Person) -> list[CaseEvent]:
    """One approval; the last one concludes the agreement in the same breath."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.DRAFTED)
    on_behalf_of = _may_speak_for(command.acting, command.party)
    if on_behalf_of and command.reason is None:
        raise Refused("reason_missing", ["/reason"], status=422)
    if not on_behalf_of and command.reason is not None:
        raise Refused("reason_not_expected", ["/reason"], status=422)
    _in_order(command, agreement)
    approved = AgreementApproved(
        **ids_of(case),
        agreement_id=agreement.agreement_id,
        party=command.party,
        approved_on=command.today,
        on_behalf_of=on_behalf_of,
        sealed={"approved_by": command.actor, **({"note": command.reason} if command.reason is not None else {})},
    )
    last = Party.DECISION_MAKER if agreement.decision_maker_needed else Party.COUNSELLOR
    return [approved, *(_conclude(command, person, case, agreement) if command.party == last else [])]


def _may_speak_for(acting: Party, party: Party) -> bool:
    """Whether it is on behalf of somebody else: a counsellor may, for employer and participant."""
    if acting == party:
        return False
    if acting == Party.COUNSELLOR and party in (Party.EMPLOYER, Party.PARTICIPANT):
        return True
    raise Refused("not_your_approval", ["/party"], status=422)


def _in_order(command: Approve, agreement: Agreement) -> None:
    party = command.party
    if agreement.approval(party) is not None:
        raise Refused("already_approved", ["/party"])
    if party == Party.COUNSELLOR and not (agreement.approval(Party.EMPLOYER) and agreement.approval(Party.PARTICIPANT)):
        raise Refused("approval_out_of_order", ["/party"])
    if party == Party.DECISION_MAKER:
        if not agreement.decision_maker_needed:
            raise Refused("decision_maker_not_needed", ["/party"])
        if agreement.approval(Party.COUNSELLOR) is None:
            raise Refused("approval_out_of_order", ["/party"])
        four_eyes(agreement, command.actor)


def _conclude(command: Approve, person: Person, case: Case, agreement: Agreement) -> list[CaseEvent]:
    if command.today > agreement.end_on:
        raise Refused("period_over")
    # Two drafts may lie side by side; the one that is concluded first takes the days.
    rules.check_overlap(
        person, agreement.measure, (agreement.start_on, agreement.end_on), besides=agreement.agreement_id, fields=()
    )
    due = before_start_due(agreement.start_on, command.today)
    confirms = playbook_on(command.today, case.municipality).confirms_start
    return [
        AgreementConcluded(
            **ids_of(case),
            agreement_id=agreement.agreement_id,
            concluded_on=command.today,
            measure=agreement.measure,
            start_on=agreement.start_on,
            end_on=agreement.end_on,
            rule_version=RulePack.at(agreement.start_on).version,
        ),
        *complete_all(case, command.today),
        assign(case, command.task_id, Task.CONFIRM_START, confirms, due),
    ]


def revoke_approval(command: RevokeApproval, person: Person) -> list[CaseEvent]:
    """One party takes its approval back before the agreement is concluded: all begin anew."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.DRAFTED)
    _may_speak_for(command.acting, command.party)
    if agreement.approval(command.party) is None:
        raise Refused("not_approved", ["/party"])
    return [
        ApprovalRevoked(
            **ids_of(case),
            agreement_id=agreement.agreement_id,
            party=command.party,
            revoked_on=command.today,
            sealed=None if command.note is None else {"note": command.note},
        )
    ]


def annul(command: Annul, person: Person) -> list[CaseEvent]:
    """The agreement never counts, and its case ends: matching opens the slot again when it hears of it."""
    case, agreement = found_agreement(person, command.agreement_id)
    must_be(agreement, Stage.DRAFTED, Stage.CONCLUDED)
    if command.reason not in ANNULLED_BY_HAND:
        raise Refused("reason_not_allowed", ["/reason"], status=422)
    if command.reason == AnnulReason.OTHER and command.note is None:
        raise Refused("note_missing", ["/note"], status=422)
    annulled = AgreementAnnulled(
        **ids_of(case),
        agreement_id=agreement.agreement_id,
        annulled_on=command.today,
        reason=command.reason,
        sealed=None if command.note is None else {"note": command.note},
    )
    return [annulled, *complete_all(case, command.today)]
