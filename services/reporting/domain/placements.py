"""The tables of placements: `ventetid`, `trakt`, `utfall`.

Invariant: each fact is counted once, in the period of its own day; so months add up to the year and no fact is in two
classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

from contracts.days import PROMISE_DAYS
from contracts.vocabulary import Outcome
from services.reporting.domain import definitions as d
from services.reporting.domain.facts import Slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.rounding import median, one_decimal, share
from services.reporting.domain.table import Column, Figure, Kind, Note, Table, counted_rows

WAITING_CLASSES = (("0_7", 7), ("8_14", 14), ("15_28", 28), ("29_56", 56))
"""Code and last day of each class; what is longer is `57_`."""
WAITING_CODES = (*(code for code, _ in WAITING_CLASSES), "57_", "not_started", "withdrawn")
STAGES = ("needs", "slots", "proposed", "asked", "presented", "interview", "agreed", "started", "hired")


def waiting_class(slot: Slot) -> str:
    """The one class that a slot is in. A start is a fact, also where the need was withdrawn later."""
    if slot.days is None:
        return "withdrawn" if slot.withdrawn else "not_started"
    for code, last in WAITING_CLASSES:
        if slot.days <= last:
            return code
    return "57_"


def ventetid(slots: Iterable[Slot], chosen: Filter, today: date) -> Table:
    """Slots by time from need to confirmed start, in the period in which the need was registered."""
    counted = [slot for slot in chosen.slots(slots) if chosen.covers(slot.registered_on)]
    classes = Counter(waiting_class(slot) for slot in counted)
    due = [slot for slot in counted if _due(slot, today)]
    kept = [slot for slot in due if slot.days is not None and slot.days <= PROMISE_DAYS]
    own_time = [slot for slot in due if not slot.late_window]
    kept_own_time = [slot for slot in kept if not slot.late_window]
    return Table(
        id="ventetid",
        definitions=(d.WAITING_TIME, d.WITHIN_PROMISE, d.MEDIAN_WAIT, d.LATE_WINDOW, d.WITHDRAWN),
        columns=(Column("waiting", Kind.CATEGORY), Column("slots", Kind.COUNT)),
        rows=counted_rows("waiting", "slots", {code: classes[code] for code in WAITING_CODES}),
        figures=(
            Figure("within_promise", Kind.COUNT, len(kept)),
            Figure("due", Kind.COUNT, len(due)),
            Figure("within_promise_share", Kind.PER_CENT, one_decimal(share(len(kept), len(due)))),
            Figure("median", Kind.DAYS, one_decimal(median([slot.days for slot in counted if slot.days is not None]))),
            Figure("late_window", Kind.COUNT, len(due) - len(own_time)),
            Figure(
                "within_promise_share_without_late_window",
                Kind.PER_CENT,
                one_decimal(share(len(kept_own_time), len(own_time))),
            ),
        ),
        notes=(Note("ventetid_period"),),
        filters=chosen.as_text(),
    )


def _due(slot: Slot, today: date) -> bool:
    # Only the started ones would leave out those who waited too long and in vain.
    return not slot.withdrawn and (slot.start is not None or today > slot.promise_date)


def trakt(slots: Iterable[Slot], chosen: Filter) -> Table:
    """The funnel: each stage in the period of its own day."""
    counted = chosen.slots(slots)
    reached = Counter(stage for slot in counted for stage, day in _stages(slot) if chosen.covers(day))
    reached["needs"] = len({slot.need_id for slot in counted if chosen.covers(slot.registered_on)})
    return Table(
        id="trakt",
        definitions=(d.FUNNEL, d.PRESENTED, d.STARTED, d.HIRED),
        columns=(Column("stage", Kind.CATEGORY), Column("number", Kind.COUNT)),
        rows=[{"stage": stage, "number": reached[stage]} for stage in STAGES],
        notes=(Note("trakt_period"),),
        filters=chosen.as_text(),
    )


def _stages(slot: Slot) -> Iterator[tuple[str, date | None]]:
    yield "slots", slot.registered_on
    for match in slot.matches:
        yield "proposed", match.proposed_on
        yield "asked", match.asked_on
        yield "presented", match.presented_on
        yield "interview", match.interview_on
    yield "agreed", slot.agreed_on
    yield "started", None if slot.start is None else slot.start.started_on
    yield "hired", None if slot.hire is None else slot.hire.closed_on


def utfall(slots: Iterable[Slot], chosen: Filter) -> Table:
    """Closed trials by outcome, in the period in which they were closed."""
    counted = chosen.slots(slots)
    trials = [trial for slot in counted for trial in slot.trials]
    closed = Counter(trial.outcome for trial in trials if chosen.covers(trial.closed_on))
    # An outcome that is newer than this reader is counted, not lost.
    known = Counter({code: closed[code] for code in Outcome})
    known[Outcome.OTHER] += sum(closed.values()) - sum(known.values())
    hired = [slot.hire for slot in counted if slot.hire is not None and chosen.covers(slot.hire.closed_on)]
    running = [trial for trial in trials if trial.closed_on is None and chosen.covers(trial.started_on)]
    return Table(
        id="utfall",
        definitions=(d.OUTCOME, d.HIRED),
        columns=(Column("outcome", Kind.CATEGORY), Column("trials", Kind.COUNT)),
        rows=counted_rows("outcome", "trials", {code.value: known[code] for code in Outcome}),
        figures=(Figure("hired", Kind.COUNT, len(hired)), Figure("running", Kind.COUNT, len(running))),
        notes=(Note("utfall_period"),),
        filters=chosen.as_text(),
    )
