"""One door to all decisions.

Invariant: every kind of command is decided in exactly one place; a new kind without one fails the type check.
"""

from __future__ import annotations

from typing import assert_never

from contracts.followup import CaseEvent
from services.followup.domain import aftermath, agreement, cases, changes, start, trial
from services.followup.domain.commands import (
    Annul,
    AnswerChange,
    Approve,
    Change,
    Close,
    Command,
    ConfirmEmployment,
    ConfirmStart,
    Draft,
    EndCases,
    Extend,
    GiveVoice,
    HoldCheckIn,
    HoldClosingTalk,
    IssueCertificate,
    LookAtCheckIns,
    LookAtDraft,
    OpenCase,
    ProposeChange,
    ReportNoShow,
    ReverseCheckIn,
    ReverseOutcome,
    RevokeApproval,
    SettleStart,
    Shorten,
    TakeCase,
)
from services.followup.domain.state import Person


def decide(command: Command, person: Person) -> list[CaseEvent]:
    """What follows from a command, given all that is known of the person. Raises Refused."""
    match command:
        case OpenCase():
            return cases.open_case(command, person)
        case TakeCase():
            return cases.take_case(command, person)
        case EndCases():
            return cases.end_cases(command, person)
        case Draft():
            return agreement.draft(command, person)
        case Change():
            return agreement.change(command, person)
        case LookAtDraft():
            return agreement.look_at_draft(command, person)
        case Approve():
            return agreement.approve(command, person)
        case RevokeApproval():
            return agreement.revoke_approval(command, person)
        case Annul():
            return agreement.annul(command, person)
        case ConfirmStart():
            return start.confirm_start(command, person)
        case ReportNoShow():
            return start.report_no_show(command, person)
        case SettleStart():
            return start.settle_start(command, person)
        case HoldCheckIn():
            return trial.hold_check_in(command, person)
        case ReverseCheckIn():
            return trial.reverse_check_in(command, person)
        case LookAtCheckIns():
            return trial.look_at_check_ins(command, person)
        case GiveVoice():
            return changes.give_voice(command, person)
        case ProposeChange():
            return changes.propose_change(command, person)
        case AnswerChange():
            return changes.answer_change(command, person)
        case Extend():
            return changes.extend(command, person)
        case Shorten():
            return changes.shorten(command, person)
        case HoldClosingTalk():
            return aftermath.hold_closing_talk(command, person)
        case Close():
            return aftermath.close(command, person)
        case ReverseOutcome():
            return aftermath.reverse_outcome(command, person)
        case IssueCertificate():
            return aftermath.issue_certificate(command, person)
        case ConfirmEmployment():
            return aftermath.confirm_employment(command, person)
        case _:
            assert_never(command)
