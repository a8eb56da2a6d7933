"""One door to all decisions.

Invariant: every kind of command is decided in exactly one place; a new kind without one fails the type check.
"""

from __future__ import annotations

from typing import assert_never

from contracts.followup import FollowupEvent
from services.followup.domain import agreement, cases, trial
from services.followup.domain.commands import (
    Annul,
    Approve,
    Close,
    Command,
    ConfirmStart,
    Draft,
    EndCases,
    Extend,
    HoldCheckIn,
    OpenCase,
    ReportNoShow,
    RevokeApproval,
)
from services.followup.domain.state import Person


def decide(command: Command, person: Person) -> list[FollowupEvent]:
    """What follows from a command, given all that is known of the person. Raises Refused."""
    match command:
        case OpenCase():
            return cases.open_case(command, person)
        case EndCases():
            return cases.end_cases(command, person)
        case Draft():
            return agreement.draft(command, person)
        case Approve():
            return agreement.approve(command, person)
        case RevokeApproval():
            return agreement.revoke_approval(command, person)
        case Annul():
            return agreement.annul(command, person)
        case ConfirmStart():
            return trial.confirm_start(command, person)
        case ReportNoShow():
            return trial.report_no_show(command, person)
        case HoldCheckIn():
            return trial.hold_check_in(command, person)
        case Extend():
            return trial.extend(command, person)
        case Close():
            return trial.close(command, person)
        case _:
            assert_never(command)
