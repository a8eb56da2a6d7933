"""The tables of slots: `ventetid` and `trakt`.

Invariant: each fact is counted once, in the period of its own day; so months add up to the year and no fact is in two
classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import partial

from contracts.days import PROMISE_DAYS
from services.reporting.domain import definitions as d
from services.reporting.domain.counting import DAYS, Cells, Coordinates, Counted, Derived, Spec, Together
from services.reporting.domain.cube import Content, Number
from services.reporting.domain.facts import Slot
from services.reporting.domain.periods import Frequency
from services.reporting.domain.rounding import median, one_decimal, share
from services.reporting.domain.table import Kind, Note
from services.reporting.domain.variables import INTERMEDIARY, MEASURE, REGION, intermediary_of, measure_of

WAITING_CLASSES = (("0_7", 7), ("8_14", 14), ("15_28", 28), ("29_56", 56))
"""Code and last day of each class; what is longer is `57_`."""
WAITING_CODES = (*(code for code, _ in WAITING_CLASSES), "57_", "not_started", "withdrawn")
WEEKS = ("0_7", "8_14", "15_21", "22_28", "29_35", "36_42", "43_49", "50_56", "57_")
"""The same in weeks, which the classes consist of; the first one has the day of the need, too."""
STAGES = ("needs", "slots", "proposed", "asked", "presented", "interview", "agreed", "started", "hired")


def waiting_class(slot: Slot) -> str:
    """The one class that a slot is in. A start is a fact, also where the need was withdrawn later."""
    if slot.days is None:
        return "withdrawn" if slot.withdrawn else "not_started"
    for code, last in WAITING_CLASSES:
        if slot.days <= last:
            return code
    return "57_"


def week_of(days: int) -> str:
    """The week of a start, so many days after the need."""
    return WEEKS[min(max(0, days - 1) // 7, len(WEEKS) - 1)]


def _due(slot: Slot, today: date) -> bool:
    # Only the started ones would leave out those who waited too long and in vain.
    return not slot.withdrawn and (slot.start is not None or today > slot.promise_date)


def waiting(slots: Iterable[Slot], today: date, frequency: Frequency = Frequency.MONTH) -> Iterator[Counted]:
    """Slots by time from need to confirmed start, in the period in which the need was registered."""
    for slot in slots:
        at = _at(slot, slot.measure, frequency.code(slot.registered_on))
        contents = ["slots", waiting_class(slot)]
        if slot.days is not None:
            contents.append(f"{DAYS}{slot.days}")
        if _due(slot, today):
            kept = slot.days is not None and slot.days <= PROMISE_DAYS
            contents.append("due")
            contents += ["within_promise"] * kept
            contents += ["late_window"] * slot.late_window
            contents += ["within_promise_late_window"] * (kept and slot.late_window)
            contents += ["employer_delay"] * slot.employer_delay
            contents += ["within_promise_employer_delay"] * (kept and slot.employer_delay)
        yield from (Counted(content, at, "slot", slot.slot_id) for content in contents)


def _at(slot: Slot, measure: str | None, period: str) -> Coordinates:
    return (slot.region, measure_of(measure), intermediary_of(slot.intermediary), period)


def _kept_share(without: str | None, cells: Cells | Together, at: Coordinates) -> Number | None:
    kept, due = cells.number("within_promise", at), cells.number("due", at)
    if without is not None:
        kept -= cells.number(f"within_promise_{without}", at)
        due -= cells.number(without, at)
    return one_decimal(share(kept, due))


def _median(cells: Cells | Together, at: Coordinates) -> Number | None:
    return one_decimal(median(cells.days(at)))


_WAITING_DERIVED: dict[str, Derived] = {
    "within_promise_share": partial(_kept_share, None),
    "median": _median,
    "within_promise_share_without_late_window": partial(_kept_share, "late_window"),
    "within_promise_share_without_employer_delay": partial(_kept_share, "employer_delay"),
}
VENTETID = Spec(
    id="ventetid",
    version=1,
    variables=(REGION, MEASURE, INTERMEDIARY),
    contents=(
        Content("slots", Kind.COUNT, (d.WAITING_TIME,)),
        *(Content(code, Kind.COUNT, (d.WAITING_TIME,)) for code in WAITING_CODES[:-1]),
        Content("withdrawn", Kind.COUNT, (d.WITHDRAWN,)),
        Content("within_promise", Kind.COUNT, (d.WITHIN_PROMISE,)),
        Content("due", Kind.COUNT, (d.WITHIN_PROMISE,)),
        Content("within_promise_share", Kind.PER_CENT, (d.WITHIN_PROMISE,)),
        Content("median", Kind.DAYS, (d.MEDIAN_WAIT,)),
        Content("late_window", Kind.COUNT, (d.LATE_WINDOW,)),
        Content("within_promise_share_without_late_window", Kind.PER_CENT, (d.WITHIN_PROMISE, d.LATE_WINDOW)),
        Content("employer_delay", Kind.COUNT, (d.EMPLOYER_DELAY,)),
        Content("within_promise_share_without_employer_delay", Kind.PER_CENT, (d.WITHIN_PROMISE, d.EMPLOYER_DELAY)),
    ),
    derived=_WAITING_DERIVED,
    notes=(Note("ventetid_period"),),
)


def funnel(slots: Iterable[Slot], frequency: Frequency = Frequency.MONTH) -> Iterator[Counted]:
    """Each stage in the period of its own day. A need counts under the measure that the employer had in mind."""
    needs: set[str] = set()
    for slot in slots:
        if slot.need_id not in needs:
            needs.add(slot.need_id)
            at = _at(slot, slot.wished_measure, frequency.code(slot.registered_on))
            yield Counted("needs", at, "need", slot.need_id)
        for content, day, unit, unit_id in _stages(slot):
            if day is not None:
                yield Counted(content, _at(slot, slot.measure, frequency.code(day)), unit, unit_id)


def _stages(slot: Slot) -> Iterator[tuple[str, date | None, str, str]]:
    yield "slots", slot.registered_on, "slot", slot.slot_id
    for match in slot.matches:
        yield "proposed", match.proposed_on, "match", match.match_id
        yield "asked", match.asked_on, "match", match.match_id
        yield "presented", match.presented_on, "match", match.match_id
        yield "interview", match.interview_on, "match", match.match_id
    yield "agreed", slot.agreed_on, "slot", slot.slot_id
    yield "started", None if slot.start is None else slot.start.started_on, "slot", slot.slot_id
    yield "hired", None if slot.hire is None else slot.hire.closed_on, "slot", slot.slot_id


_OF_STAGE = {
    **dict.fromkeys(("needs", "slots", "agreed"), (d.FUNNEL,)),
    **dict.fromkeys(("proposed", "asked", "presented", "interview"), (d.PRESENTED,)),
    "started": (d.STARTED,),
    "hired": (d.HIRED,),
}
TRAKT = Spec(
    id="trakt",
    version=1,
    variables=(REGION, MEASURE, INTERMEDIARY),
    contents=tuple(Content(stage, Kind.COUNT, _OF_STAGE[stage]) for stage in STAGES),
    notes=(Note("trakt_period"),),
)
