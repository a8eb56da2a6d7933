"""Commands and events of followup's tests, with what is usual filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from contracts.days import OSLO
from contracts.followup import CaseEvent
from contracts.vocabulary import AnnulReason, CheckInReversalReason, CloseReason, Measure, Outcome, Party, Progress
from services.followup.domain.commands import (
    Annul,
    Approve,
    Close,
    Command,
    ConfirmStart,
    Draft,
    Eligibility,
    EndCases,
    Extend,
    HoldCheckIn,
    OpenCase,
    ReportNoShow,
    ReverseCheckIn,
    RevokeApproval,
)
from services.followup.domain.decide import decide
from services.followup.domain.state import NOBODY, Person, evolve
from tests.gwt import Given, given

REGISTERED = date(2025, 1, 13)
ORG, OTHER_ORG = "315486892", "310000006"
FIT = Eligibility(
    answers={"old_enough": True, "young_enough": True}, reduced_work_capacity=False, rule_version="2024-01-01"
)
REDUCED = Eligibility(answers={"old_enough": True}, reduced_work_capacity=True, rule_version="2024-01-01")


def noon(day: date) -> datetime:
    """Noon in Oslo of a day, in UTC."""
    return datetime.combine(day, time(12), OSLO).astimezone(UTC)


def opened(match_id: str = "M1", **but: Any) -> OpenCase:
    usual: dict[str, Any] = {
        "match_id": match_id,
        "need_id": "N1",
        "slot_id": f"slot-of-{match_id}",
        "candidate_id": "K1",
        "org_number": ORG,
        "registered_on": REGISTERED,
        "task_id": f"{match_id}-draft",
        "at": noon(date(2025, 1, 20)),
    }
    return OpenCase(**{**usual, **but})


def drafting(match_id: str = "M1", agreement_id: str = "A1", **but: Any) -> Draft:
    usual: dict[str, Any] = {
        "match_id": match_id,
        "agreement_id": agreement_id,
        "task_id": f"{agreement_id}-approve",
        "intermediary": "refugee_service",
        "registered_on": REGISTERED,
        "measure": Measure.WORK_TRAINING,
        "start_on": date(2025, 2, 3),
        "end_on": date(2025, 5, 2),
        "hours_per_week": 37.5,
        "wage_subsidy_percent": None,
        "late_registration": False,
        "eligibility": FIT,
        "at": noon(date(2025, 1, 22)),
    }
    return Draft(**{**usual, **but})


def approving(party: Party, agreement_id: str = "A1", **but: Any) -> Approve:
    usual: dict[str, Any] = {
        "agreement_id": agreement_id,
        "acting": party,
        "actor": f"the {party.value}",
        "party": party,
        "reason": None,
        "task_id": f"{agreement_id}-start",
        "at": noon(date(2025, 1, 24)),
    }
    return Approve(**{**usual, **but})


def approvals(agreement_id: str = "A1", *, decided: bool = False, **but: Any) -> list[Approve]:
    """All that an agreement needs, in order."""
    parties = [Party.EMPLOYER, Party.PARTICIPANT, Party.COUNSELLOR, *([Party.DECISION_MAKER] if decided else [])]
    return [approving(party, agreement_id, **but) for party in parties]


def revoking(party: Party, agreement_id: str = "A1", **but: Any) -> RevokeApproval:
    usual: dict[str, Any] = {
        "agreement_id": agreement_id,
        "acting": party,
        "actor": f"the {party.value}",
        "party": party,
        "note": None,
        "at": noon(date(2025, 1, 25)),
    }
    return RevokeApproval(**{**usual, **but})


def annulling(agreement_id: str = "A1", **but: Any) -> Annul:
    usual: dict[str, Any] = {
        "agreement_id": agreement_id,
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "reason": AnnulReason.REGISTERED_BY_MISTAKE,
        "note": None,
        "at": noon(date(2025, 1, 28)),
    }
    return Annul(**{**usual, **but})


def starting(agreement_id: str = "A1", **but: Any) -> ConfirmStart:
    usual: dict[str, Any] = {
        "agreement_id": agreement_id,
        "trial_id": f"trial-{agreement_id}",
        "acting": Party.EMPLOYER,
        "actor": "the employer",
        "on": date(2025, 2, 3),
        "registered_on": REGISTERED,
        "task_id": f"{agreement_id}-settle",
        "at": noon(date(2025, 2, 3)),
    }
    return ConfirmStart(**{**usual, **but})


def not_showing(agreement_id: str = "A1", **but: Any) -> ReportNoShow:
    usual: dict[str, Any] = {
        "agreement_id": agreement_id,
        "acting": Party.EMPLOYER,
        "actor": "the employer",
        "on": date(2025, 2, 3),
        "at": noon(date(2025, 2, 3)),
    }
    return ReportNoShow(**{**usual, **but})


def checking_in(trial_id: str = "trial-A1", **but: Any) -> HoldCheckIn:
    usual: dict[str, Any] = {
        "trial_id": trial_id,
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "check_in_id": "C1",
        "held_on": date(2025, 3, 3),
        "progress": Progress.AS_PLANNED,
        "note": None,
        "at": noon(date(2025, 3, 3)),
    }
    return HoldCheckIn(**{**usual, **but})


def taking_back(trial_id: str = "trial-A1", **but: Any) -> ReverseCheckIn:
    usual: dict[str, Any] = {
        "trial_id": trial_id,
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "check_in_id": "C1",
        "reason": CheckInReversalReason.NOT_HELD,
        "note": None,
        "task_id": "C1-again",
        "at": noon(date(2025, 3, 6)),
    }
    return ReverseCheckIn(**{**usual, **but})


def extending(trial_id: str = "trial-A1", **but: Any) -> Extend:
    usual: dict[str, Any] = {
        "trial_id": trial_id,
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "end_on": date(2025, 8, 2),
        "wage_subsidy_percent": None,
        "eligibility": FIT,
        "at": noon(date(2025, 4, 25)),
    }
    return Extend(**{**usual, **but})


def closing(trial_id: str = "trial-A1", **but: Any) -> Close:
    usual: dict[str, Any] = {
        "trial_id": trial_id,
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "on": date(2025, 5, 2),
        "outcome": Outcome.HIRED,
        "reason": CloseReason.PERIOD_COMPLETED,
        "note": None,
        "at": noon(date(2025, 5, 2)),
    }
    return Close(**{**usual, **but})


def ending(
    *match_ids: str, reason: AnnulReason = AnnulReason.MATCH_CANCELLED, on: date = date(2025, 1, 29)
) -> EndCases:
    return EndCases(match_ids=match_ids, reason=reason, at=noon(on))


def played(*commands: Command | Sequence[Command]) -> list[CaseEvent]:
    """What happened when these commands were decided one after the other."""
    person, events = NOBODY, list[CaseEvent]()
    for command in _flat(commands):
        for event in decide(command, person):
            person = evolve(person, event)
            events.append(event)
    return events


def after(*commands: Command | Sequence[Command]) -> Given[Person]:
    """The state that these commands lead to."""
    return given(evolve, NOBODY, played(*commands))


def _flat(commands: Iterable[Command | Sequence[Command]]) -> Iterable[Command]:
    for each in commands:
        if isinstance(each, Sequence):
            yield from each
        else:
            yield each


IDS: dict[str, str] = {
    "match_id": "M1",
    "need_id": "N1",
    "slot_id": "slot-of-M1",
    "candidate_id": "K1",
    "org_number": ORG,
}
CONCLUDED: list[Command] = [opened(), drafting(), *approvals()]
STARTED: list[Command] = [*CONCLUDED, starting()]
CARED_FOR: list[Command] = [*STARTED, checking_in(held_on=date(2025, 4, 7), at=noon(date(2025, 4, 7)))]
"""No check-in is owed when `extending` is decided."""
