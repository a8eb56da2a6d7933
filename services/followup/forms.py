"""The forms of the pages: who is offered which, and what a form says as the API would be told it.

Invariant: pure; a form is offered where the next step allows it, and refused by the same rules as the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Literal

from chassis.requests import StrictModel
from contracts.rulepacks import RulePack
from contracts.vocabulary import (
    CheckInReversalReason,
    CloseReason,
    Measure,
    Outcome,
    Party,
    Progress,
    ReversalReason,
    ShortenReason,
    StartReversalReason,
)
from services.followup import requests as bodies
from services.followup.domain.aftermath import EMPLOYMENT_MONTHS
from services.followup.domain.agreement import ANNULLED_BY_HAND
from services.followup.steps import (
    Case,
    Status,
    Step,
    answers_change,
    live_agreement,
    next_step,
    start_is_disputed,
    status,
    trial_of,
    waiting_change,
    waiting_for,
)


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


def _values(
    listed: type[StrEnum],
) -> tuple[str, ...]:
    return tuple(each.value for each in listed)


_CONTENT = (
    Input("measure", "choice", words="measure", options=_values(Measure)),
    Input("start_on", "date"),
    Input("end_on", "date"),
    Input("hours_per_week", "number", step="0.5", most=40),
    _PERCENT,
    Input("wage.monthly_wage_nok", "number", False, hint="monthly_wage_nok", most=1_000_000),
    # A part-time job whose share nobody asks for is paid for as a whole one.
    Input("wage.position_percent", "number", False, hint="position_percent", step="0.1", most=100),
    Input("late_registration", "choice", False, "input", ("yes",), "late_registration"),
)
_CHANGES = ("agreements:approve",)


_ALL = (
    Action(
        "draft",
        bodies.NewAgreement,
        "case",
        ("agreements:write",),
        _CONTENT,
    ),
    Action("change", bodies.NewAgreement, "agreement", ("agreements:write",), _CONTENT),
    Action("take", bodies.CaseTake, "case", ("agreements:write",), ()),
    Action(
        "settle",
        bodies.StartSettled,
        "case",
        ("agreements:write",),
        (
            Input("on", "date"),
            Input("reason", "choice", False, "start_reversal_reason", _values(StartReversalReason), "settle_reason"),
            Input("note", "note", False, hint="note_close"),
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
    Action("revoke", bodies.Revocation, "agreement", _APPROVALS, (_NOTE,), lambda party: {"party": party.value}),
    Action(
        "annul",
        bodies.Annulment,
        "agreement",
        ("agreements:write",),
        (
            Input("reason", "choice", words="annul_reason", options=tuple(each.value for each in ANNULLED_BY_HAND)),
            Input("note", "note", False, hint="note_close"),
        ),
    ),
    Action("start", bodies.Start, "agreement", _TRIALS, (Input("on", "date"),)),
    # The same, where another day has been confirmed: the counsellor is asked which one it was.
    Action("wrong-start", bodies.Start, "agreement", _TRIALS, (Input("on", "date", hint="wrong_start"),)),
    Action("no-show", bodies.NoShow, "agreement", _TRIALS, (Input("on", "date"),)),
    Action(
        "check-in",
        bodies.NewCheckIn,
        "trial",
        _TRIALS,
        (
            Input("held_on", "date"),
            Input("progress", "choice", words="progress", options=_values(Progress)),
            _NOTE,
            Input("agreed", "note", False),
        ),
    ),
    Action(
        "reverse-check-in",
        bodies.CheckInReversedByDay,
        "trial",
        _TRIALS,
        (
            Input("held_on", "date", hint="wrong_check_in"),
            Input("reason", "choice", words="check_in_reversal_reason", options=_values(CheckInReversalReason)),
            Input("note", "note", False, hint="note_close"),
        ),
    ),
    Action(
        "propose-change",
        bodies.NewChange,
        "trial",
        _CHANGES,
        (Input("effective_on", "date"), Input("hours_per_week", "number", step="0.5", most=40), _NOTE),
    ),
    Action("accept-change", bodies.ChangeAnswer, "trial", _CHANGES, (), lambda _: {"accepted": True}),
    Action("decline-change", bodies.ChangeAnswer, "trial", _CHANGES, (_NOTE,), lambda _: {"accepted": False}),
    Action(
        "shorten",
        bodies.Shortening,
        "trial",
        ("trials:write", "agreements:decide"),
        (
            Input("end_on", "date"),
            Input("reason", "choice", words="shorten_reason", options=_values(ShortenReason)),
            Input("note", "note", False, hint="note_close"),
        ),
    ),
    Action("closing-talk", bodies.ClosingTalk, "trial", _TRIALS, (Input("held_on", "date"), _NOTE)),
    Action(
        "reverse",
        bodies.Reversal,
        "trial",
        _TRIALS,
        (
            Input("outcome", "choice", words="outcome", options=_values(Outcome)),
            Input("reason", "choice", words="reversal_reason", options=_values(ReversalReason)),
            Input("note", "note", False, hint="note_close"),
        ),
    ),
    Action("certificate", bodies.NewCertificate, "trial", _TRIALS, ()),
    Action(
        "employment",
        bodies.Employment,
        "trial",
        _TRIALS,
        (
            Input("after_months", "choice", words="months", options=tuple(map(str, EMPLOYMENT_MONTHS))),
            Input("employed", "choice", words="answer", options=("yes", "no")),
            Input("on", "date"),
        ),
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


def offered(
    case: Case, party: Party | None, scopes: frozenset[str], today: date, counsellor_id: str | None = None
) -> list[str]:
    """The actions that this party can take now, the next step first. `counsellor_id`: the reader's own."""
    where = status(case)
    counsellor = party == Party.COUNSELLOR and "agreements:write" in scopes
    found: list[str] = []
    if where == Status.AWAITING_AGREEMENT and counsellor:
        found = ["draft"]
    elif where == Status.AWAITING_APPROVAL:
        live = live_agreement(case)
        waiting = waiting_for(live[1]) if live is not None else ()
        silent = {Party.EMPLOYER, Party.PARTICIPANT} & set(waiting)
        found = ["approve"] if party in waiting else []
        found += (["approve-for"] if silent else []) + ["change", "annul"] if counsellor else []
        given = {each["party"] for each in live[1]["approvals"]} if live is not None else set()
        found += ["revoke"] if party in given else []
    elif where == Status.AWAITING_START and party in (Party.EMPLOYER, Party.COUNSELLOR):
        live = live_agreement(case)
        # Nobody can have come, or stayed away, before the first day.
        begun = live is not None and date.fromisoformat(live[1]["start_on"]) <= today
        found = (["start", "no-show"] if begun else []) + (["change", "annul"] if counsellor else [])
    elif where == Status.IN_TRIAL:
        found = _in_trial(case, party)
    elif where == Status.CLOSED and counsellor:
        found = _closed(case, today)
    elif where == Status.CLOSED and party == Party.EMPLOYER:
        found = _disputes(case)
    not_mine = (
        counsellor and where != Status.ENDED and (counsellor_id is None or case.get("counsellor_id") != counsellor_id)
    )
    return [*found, "take"] if not_mine else found


def _in_trial(case: Case, party: Party | None) -> list[str]:
    trial = trial_of(case)
    live = live_agreement(case)
    if trial is None or live is None:
        return []
    # By the measure, as it is decided: an agreement that was registered late has needed a decision maker, once.
    after = date.fromisoformat(trial[1]["end_on"]) + timedelta(days=1)
    decided = RulePack.at(after).decision_maker_needed(Measure(trial[1]["measure"]))
    extends = ["extend"] if party == (Party.DECISION_MAKER if decided else Party.COUNSELLOR) else []
    if party in (Party.EMPLOYER, Party.PARTICIPANT):
        voice = ["voice"] if party == Party.PARTICIPANT else []
        return [*_changes(trial[1], party), *voice, *(_disputes(case) if party == Party.EMPLOYER else [])]
    if party == Party.DECISION_MAKER:
        return [*extends, "shorten"]
    if party != Party.COUNSELLOR:
        return []
    talk = [] if "closing_talk_on" in trial[1] else ["closing-talk"]
    return [
        *(["settle"] if start_is_disputed(case) else []),
        "check-in",
        *_taken_back(trial[1]),
        *extends,
        "shorten",
        *talk,
        "close",
        *_disputes(case),
    ]


def _taken_back(trial: Mapping[str, Any]) -> list[str]:
    """A check-in that was recorded wrongly is taken back, as long as there is one."""
    return ["reverse-check-in"] if trial.get("check_ins") else []


def _disputes(case: Case) -> list[str]:
    """Whoever sees that the day of the start is wrong can say so, as long as nobody has."""
    return [] if start_is_disputed(case) else ["wrong-start"]


def _changes(trial: Mapping[str, Any], party: Party) -> list[str]:
    waits = waiting_change(trial)
    if waits is None:
        return ["propose-change"]
    return ["accept-change", "decline-change"] if answers_change(waits) == party else ["decline-change"]


def _closed(case: Case, today: date) -> list[str]:
    trial = trial_of(case)
    if trial is None:
        return []
    step = next_step(case, today, Party.COUNSELLOR)
    employment = ["employment"] if step is not None and step.step == Step.CONFIRM_EMPLOYMENT else []
    talk = [] if "closing_talk_on" in trial[1] else ["closing-talk"]
    certificate = [] if "certificate" in trial[1] else ["certificate"]
    settle = ["settle"] if start_is_disputed(case) else []
    return [*settle, *employment, *talk, *certificate, "reverse", *_taken_back(trial[1]), *_disputes(case)]


def body_of(action: Action, typed: Mapping[str, str], party: Party) -> dict[str, Any]:
    """What the API would be sent; empty fields are left out, and what cannot be read is passed on as it was typed."""
    body: dict[str, Any] = dict(action.fixed(party))
    for each in action.inputs:
        if not (text := typed.get(each.name, "").strip()):
            continue
        part, _, name = each.name.rpartition(".")
        within = body.setdefault(part, {}) if part else body
        if each.name in ("late_registration", "employed"):
            within[name] = text == "yes"
        elif each.kind == "number" or each.name == "after_months":
            within[name] = _number(text)
        else:
            within[name] = text
    return body


def _number(text: str) -> float | str:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
