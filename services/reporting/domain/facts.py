"""Facts of one slot, derived from what its subjects said.

Invariant: every table asks here what counts, so a reversal that one figure honours is honoured by all. What is annulled
or was registered by mistake never happened; a start after a no-show counts, a no-show after a start undoes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from contracts.vocabulary import CancelReason, Outcome, Party
from services.reporting.domain.regions import finest

Doc = Mapping[str, Any]


def _day(doc: Doc, name: str) -> date | None:
    text = doc.get(name)
    return None if text is None else date.fromisoformat(text)


def _days(doc: Doc, name: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(text) for text in doc.get(name, ()))


def _held(trial: Doc) -> list[date]:
    """The days of check-ins, without those that were taken back."""
    held = list(_days(trial, "held"))
    for day in _days(trial, "held_reversed"):
        held.remove(day)
    return held


@dataclass(frozen=True, slots=True)
class Match:
    """One candidate on one slot, as far as they came."""

    match_id: str
    proposed_on: date | None
    asked_on: date | None
    presented_on: date | None
    interview_on: date | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that counts."""

    trial_id: str
    measure: str
    started_on: date
    recorded: str
    """When the start was recorded: the person's background is the last one recorded by then."""
    closed_on: date | None
    outcome: str | None
    held: tuple[date, ...] = ()
    """When each check-in was held."""
    missed: tuple[date, ...] = ()
    """When each check-in that was missed had been due."""
    extended: tuple[date, ...] = ()
    """When each extension was decided."""
    shortened: tuple[tuple[date, str], ...] = ()
    """When and why."""
    still_employed: Mapping[int, bool] = field(default_factory=dict)
    """Whether somebody who was hired was employed so many months after, where that has been confirmed."""

    @property
    def overdue(self) -> tuple[date, ...]:
        """The missed check-ins after which none has been held, as long as the trial runs."""
        if self.closed_on is not None:
            return ()
        last = max(self.held, default=date.min)
        return tuple(due for due in self.missed if due > last)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place with its clock. All dates are Oslo days."""

    slot_id: str
    need_id: str
    org_number: str
    region: str
    """The finest region of today's division that the municipality is known to lie in."""
    intermediary: str
    """Whom the employer turned to first, until somebody was assigned (`assigned`)."""
    wished_measure: str | None
    """What the employer had in mind."""
    measure: str | None
    """Of the trial, else of the agreement, else what the employer had in mind."""
    registered_on: date
    promise_date: date
    start_from: date | None
    withdrawn: bool
    matches: tuple[Match, ...]
    agreed_on: date | None
    trials: tuple[Trial, ...]
    """In the order in which they started."""
    employer_delay: bool = False
    """Somebody reported that the slot waited for the employer."""

    @property
    def start(self) -> Trial | None:
        """The trial that stopped the clock."""
        return self.trials[0] if self.trials else None

    @property
    def days(self) -> int | None:
        """Calendar days from the need to the start."""
        return None if self.start is None else (self.start.started_on - self.registered_on).days

    @property
    def hire(self) -> Trial | None:
        """The first trial that ended in employment here: a slot is filled once."""
        closed = [trial for trial in self.trials if trial.outcome == Outcome.HIRED and trial.closed_on is not None]
        return min(closed, key=lambda trial: (str(trial.closed_on), trial.trial_id), default=None)

    @property
    def late_window(self) -> bool:
        """The employer asked for a start after day 28."""
        return self.start_from is not None and self.start_from > self.promise_date


def slot(slot_id: str, doc: Doc) -> Slot | None:
    """The facts of a slot; None as long as its need has not been heard of."""
    need: Doc | None = doc.get("need")
    if need is None:
        return None
    matches: Mapping[str, Doc] = doc.get("matches", {})
    mistaken = {
        key for key, match in matches.items() if match.get("cancel_reason") == CancelReason.REGISTERED_BY_MISTAKE
    }
    agreements = {
        key: agreement
        for key, agreement in sorted(doc.get("agreements", {}).items())
        if agreement.get("annulled_on") is None and agreement.get("match_id") not in mistaken
    }
    concluded = [agreement for agreement in agreements.values() if agreement.get("concluded_on") is not None]
    agreed = min(concluded, key=lambda agreement: str(agreement["concluded_on"]), default=None)
    trials = tuple(_trials(doc, mistaken))
    measure = trials[0].measure if trials else agreed["measure"] if agreed else need.get("measure")
    registered_on, promise = _day(need, "registered_on"), _day(need, "promise_date")
    assert registered_on is not None
    assert promise is not None
    return Slot(
        slot_id=slot_id,
        need_id=need["need_id"],
        org_number=need["org_number"],
        region=finest(need["municipality"]),
        intermediary=need["intermediary"],
        wished_measure=need.get("measure"),
        measure=measure,
        registered_on=registered_on,
        promise_date=promise,
        start_from=_day(need, "start_from"),
        withdrawn=doc.get("withdrawn") is not None and not trials,
        matches=tuple(_match(key, match) for key, match in sorted(matches.items()) if key not in mistaken),
        agreed_on=None if agreed is None else _day(agreed, "concluded_on"),
        trials=trials,
        employer_delay=any(each["caused_by"] == Party.EMPLOYER for each in doc.get("delays", ())),
    )


def assigned(fact: Slot, intermediary: str | None) -> Slot:
    """The facts of a slot whose need was assigned to somebody; None: to nobody."""
    # The same one where nothing is new: who counts on it need not look any further.
    return fact if intermediary in (None, fact.intermediary) else replace(fact, intermediary=intermediary)


def _match(match_id: str, doc: Doc) -> Match:
    return Match(
        match_id=match_id,
        proposed_on=_day(doc, "proposed_on"),
        asked_on=_day(doc, "asked_on"),
        presented_on=_day(doc, "presented_on"),
        interview_on=_day(doc, "interview_on"),
    )


def _trials(doc: Doc, mistaken: Iterable[str]) -> list[Trial]:
    agreements: Mapping[str, Doc] = doc.get("agreements", {})
    counted = []
    for trial_id, trial in doc.get("trials", {}).items():
        started_on = _day(trial, "started_on")
        agreement: Doc = agreements.get(trial["agreement_id"], {})
        # The start and the no-show are facts of two subjects: the one recorded last says what happened.
        undone = agreement.get("no_show_position", 0) > trial.get("started_position", 0)
        if started_on is None or agreement.get("annulled_on") or undone or trial["match_id"] in mistaken:
            continue
        counted.append(
            Trial(
                trial_id=trial_id,
                measure=trial["measure"],
                started_on=started_on,
                recorded=trial["starts_recorded"][0],
                closed_on=_day(trial, "closed_on"),
                outcome=trial.get("outcome"),
                # A talk before the right day of a start that was put right is none of the trial's.
                held=tuple(day for day in _held(trial) if day >= started_on),
                missed=tuple(date.fromisoformat(due) for due, missed in trial.get("missed", {}).items() if missed),
                extended=_days(trial, "extended"),
                shortened=tuple(
                    (date.fromisoformat(each["on"]), each["reason"]) for each in trial.get("shortened", ())
                ),
                still_employed={int(months): still for months, still in trial.get("still_employed", {}).items()},
            )
        )
    return sorted(counted, key=lambda trial: (trial.started_on, trial.trial_id))
