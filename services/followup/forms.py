"""The forms of the pages: who is offered which, and what a form says as the API would be told it.

Invariant: pure; a form is offered where the next step allows it, and refused by the same rules as the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from chassis.requests import StrictModel
from contracts.vocabulary import CloseReason, Measure, Outcome, Party, Progress
from services.followup import requests as bodies
from services.followup.steps import Case, Status, live_agreement, status, trial_of, waiting_for


@dataclass(frozen=True)
class Input:
    """One field. `words` is the part of the catalogue that names the options."""

    name: str
    kind: Literal["date", "number", "note", "choice"]
    required: bool = True
    words: str = ""
    options: tuple[str, ...] = ()
    hint: str | None = None
    step: str = "1"
    most: int | None = None


@dataclass(frozen=True)
class Action:
    """One thing that somebody can do in a case, with its form. `of` says whose version it changes."""

    name: str
    model: type[StrictModel]
    of: Literal["case", "agreement", "trial"]
    scopes: tuple[str, ...]
    inputs: tuple[Input, ...]
    fixed: Callable[[Party], Mapping[str, Any]] = field(default=lambda _: {})


_APPROVALS = ("agreements:approve", "agreements:decide")
_TRIALS = ("trials:write",)
_PERCENT = Input("wage_subsidy_percent", "number", False, hint="wage_subsidy_percent", most=100)
_NOTE = Input("note", "note", False)


def _values(listed: type[Measure | Outcome | CloseReason | Progress]) -> tuple[str, ...]:
    return tuple(each.value for each in listed)


_ALL = (
    Action(
        "draft",
        bodies.NewAgreement,
        "case",
        ("agreements:write",),
        (
            Input("measure", "choice", words="measure", options=_values(Measure)),
            Input("start_on", "date"),
            Input("end_on", "date"),
            Input("hours_per_week", "number", step="0.5", most=40),
            _PERCENT,
            Input("late_registration", "choice", False, "input", ("yes",), "late_registration"),
        ),
    ),
    Action("approve", bodies.Approval, "agreement", _APPROVALS, (), lambda party: {"party": party.value}),
    Action(
        "approve-for",
        bodies.Approval,
        "agreement",
        _APPROVALS,
        (
            Input("party", "choice", words="party", options=(Party.EMPLOYER.value, Party.PARTICIPANT.value)),
            Input("reason", "note"),
        ),
    ),
    Action("start", bodies.Start, "agreement", _TRIALS, (Input("on", "date"),)),
    Action("no-show", bodies.NoShow, "agreement", _TRIALS, (Input("on", "date"),)),
    Action(
        "check-in",
        bodies.NewCheckIn,
        "trial",
        _TRIALS,
        (Input("held_on", "date"), Input("progress", "choice", words="progress", options=_values(Progress)), _NOTE),
    ),
    Action(
        "extend", bodies.Extension, "trial", ("trials:write", "agreements:decide"), (Input("end_on", "date"), _PERCENT)
    ),
    Action(
        "close",
        bodies.Closing,
        "trial",
        _TRIALS,
        (
            Input("on", "date"),
            Input("outcome", "choice", words="outcome", options=_values(Outcome)),
            Input("reason", "choice", words="close_reason", options=_values(CloseReason)),
            Input("note", "note", False, hint="note_close"),
        ),
    ),
)
ACTIONS: Mapping[str, Action] = {action.name: action for action in _ALL}


def offered(case: Case, party: Party | None, scopes: frozenset[str], today: date) -> list[str]:
    """The actions that this party can take now, the next step first."""
    where = status(case)
    counsellor = party == Party.COUNSELLOR
    if where == Status.AWAITING_AGREEMENT:
        return ["draft"] if counsellor and "agreements:write" in scopes else []
    if where == Status.AWAITING_APPROVAL:
        live = live_agreement(case)
        waiting = waiting_for(live[1]) if live is not None else ()
        mine = ["approve"] if party in waiting else []
        silent = {Party.EMPLOYER, Party.PARTICIPANT} & set(waiting)
        return mine + (["approve-for"] if counsellor and silent else [])
    if where == Status.AWAITING_START and party in (Party.EMPLOYER, Party.COUNSELLOR):
        live = live_agreement(case)
        # Nobody can have come, or stayed away, before the first day.
        begun = live is not None and date.fromisoformat(live[1]["start_on"]) <= today
        return ["start", "no-show"] if begun else []
    if where == Status.IN_TRIAL:
        return _in_trial(case, party)
    return []


def _in_trial(case: Case, party: Party | None) -> list[str]:
    trial = trial_of(case)
    live = live_agreement(case)
    if trial is None or live is None:
        return []
    decided = live[1]["decision_maker_needed"]
    extends = ["extend"] if party == (Party.DECISION_MAKER if decided else Party.COUNSELLOR) else []
    return ["check-in", *extends, "close"] if party == Party.COUNSELLOR else extends


def body_of(action: Action, typed: Mapping[str, str], party: Party) -> dict[str, Any]:
    """What the API would be sent; empty fields are left out, and what cannot be read is passed on as it was typed."""
    body: dict[str, Any] = dict(action.fixed(party))
    for each in action.inputs:
        if not (text := typed.get(each.name, "").strip()):
            continue
        if each.name == "late_registration":
            body[each.name] = text == "yes"
        else:
            body[each.name] = _number(text) if each.kind == "number" else text
    return body


def _number(text: str) -> float | str:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
