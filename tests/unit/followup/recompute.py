"""The figures again, from the events alone, by plain loops: no fold, no state, no code of the service.

Invariant: nothing here is shared with what it checks, but the events themselves.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")
WEEKS_OF_A_DRAFT, FIRST_CHECK_IN, NEXT_CHECK_INS = 12, 28, 42


@dataclass
class Recomputed:
    """What plain loops find."""

    kept: int = 0
    late: int = 0
    running: int = 0
    overdue: int = 0
    withdrawn: int = 0
    delayed: int = 0
    median_days: float | None = None


def _named(records: Iterable[Any], *names: str) -> list[Any]:
    return [record for record in records if type(record.event).__name__ in names]


def recompute(records: list[Any], today: date, *, without_delayed: bool = False) -> Recomputed:
    """Each slot from the day of its registration to its first start, its withdrawal, or today."""
    # The last one of a trial holds: one before it was on a wrong day.
    trials = {record.event.trial_id: record.event for record in _named(records, "TrialStarted")}
    started: dict[str, date] = {}
    for trial in trials.values():
        started[trial.slot_id] = min(started.get(trial.slot_id, trial.on), trial.on)
    withdrawn = {slot_id for record in _named(records, "NeedWithdrawn") for slot_id in record.event.slot_ids}
    waited = {
        record.event.slot_id for record in _named(records, "DelayReported") if record.event.caused_by == "employer"
    }
    found, days = Recomputed(), []
    for record in _named(records, "NeedRegistered"):
        need, slot_id = record.event, record.event.slot_ids[0]
        last = need.registered_on + timedelta(days=28)
        delayed = slot_id in waited or (need.start_from is not None and need.start_from > last)
        if delayed and without_delayed:
            continue
        found.delayed += delayed
        if slot_id in started:
            taken = (started[slot_id] - need.registered_on).days
            days.append(taken)
            found.kept += taken <= 28
            found.late += taken > 28
        elif slot_id in withdrawn:
            found.withdrawn += 1
        else:
            found.running += today <= last
            found.overdue += today > last
    found.median_days = statistics.median(days) if days else None
    return found


def deadlines_are_right(records: list[Any]) -> int:
    """Each once, of the right day, before any start or end in the log; all four of a slot that was never filled."""
    registered = {r.event.slot_ids[0]: r.event.registered_on for r in _named(records, "NeedRegistered")}
    silenced: dict[str, int] = {}
    for record in _named(records, "TrialStarted", "PlanEnded"):
        silenced.setdefault(record.event.slot_id, record.position)
    # While a start on a wrong day was known nothing was said; by the right day the promise may have been missed.
    moved = {r.event.slot_id: r.position for r in _named(records, "StartReversed")}
    said: dict[str, list[int]] = {}
    for record in _named(records, "DeadlineApproaching", "DeadlineMissed"):
        event = record.event
        day = (event.on - registered[event.slot_id]).days
        assert day == getattr(event, "day", 29)
        assert record.occurred.astimezone(OSLO) == datetime(event.on.year, event.on.month, event.on.day, tzinfo=OSLO)
        assert record.recorded >= record.occurred
        late = type(event).__name__ == "DeadlineMissed" and record.position > moved.get(event.slot_id, record.position)
        assert late or record.position < silenced.get(event.slot_id, record.position + 1)
        said.setdefault(event.slot_id, []).append(day)
    for slot_id in registered:
        days = said.get(slot_id, [])
        assert len(days) == len(set(days))
        if slot_id not in silenced:
            assert sorted(days) == [14, 21, 28, 29], (slot_id, days)
    return sum(map(len, said.values()))


def drafts_expire_when_nobody_touches_them(records: list[Any]) -> int:
    """Expired: exactly so long after the last touch, warned of twice, and never a draft that went on."""
    touched: dict[str, date] = {}
    over: set[str] = set()
    warned: dict[str, set[date]] = {}
    expired = 0
    for record in records:
        event, kind = record.event, type(record.event).__name__
        if kind == "AgreementDrafted":
            touched[event.agreement_id] = event.drafted_on
        elif kind == "AgreementApproved":
            assert event.agreement_id not in over
            touched[event.agreement_id] = event.approved_on
        elif kind == "AgreementExpiring":
            warned.setdefault(event.agreement_id, set()).add(event.expires_on)
            assert event.expires_on == touched[event.agreement_id] + timedelta(weeks=WEEKS_OF_A_DRAFT)
        elif kind == "AgreementExpired":
            assert event.expired_on == touched[event.agreement_id] + timedelta(weeks=WEEKS_OF_A_DRAFT)
            assert event.expired_on in warned[event.agreement_id]
            over.add(event.agreement_id)
            expired += 1
    return expired


def missed_check_ins(records: list[Any], patience: int = 0) -> set[tuple[str, date]]:
    """Of work training: the due days by which nobody had held a check-in.

    With patience only those for which nobody did for so many days more, while the trial was still open.
    """
    trials = {r.event.trial_id: r.event for r in _named(records, "TrialStarted") if r.event.measure == "work_training"}
    closed = {r.event.trial_id: r.recorded.date() for r in _named(records, "TrialClosed")}
    ends = max(record.recorded.date() for record in records)
    missed = set()
    wrong = {r.event.check_in_id for r in _named(records, "CheckInReversed")}
    talks = [r.event for r in _named(records, "CheckInHeld") if r.event.check_in_id not in wrong]
    for trial_id, started in trials.items():
        held = sorted({talk.held_on for talk in talks if talk.trial_id == trial_id})
        due = started.on + timedelta(days=FIRST_CHECK_IN)
        while due <= started.end_on:
            in_time = [day for day in held if day <= due and day + timedelta(days=NEXT_CHECK_INS) > due]
            if in_time:
                due = max(in_time) + timedelta(days=NEXT_CHECK_INS)
                continue
            following = next((day for day in held if day > due), None)
            waited = due + timedelta(days=patience)
            open_still = waited < min(closed.get(trial_id, ends), ends)
            if not patience or (open_still and (following is None or following > waited)):
                missed.add((trial_id, due))
            if following is None:
                break
            due = following + timedelta(days=NEXT_CHECK_INS)
    return missed


def starts_that_were_moved(records: list[Any]) -> int:
    """Each reversal takes the day back that held, and the right one follows at once; the promise judges that one."""
    holds: dict[str, Any] = {}
    registered = {r.event.slot_ids[0]: r.event.registered_on for r in _named(records, "NeedRegistered")}
    missed = {r.event.slot_id for r in _named(records, "DeadlineMissed")}
    reversed_: dict[str, int] = {}
    moved = 0
    for record in records:
        event, kind = record.event, type(record.event).__name__
        if kind == "StartReversed":
            assert holds.pop(event.trial_id).on == event.on
            reversed_[event.trial_id] = record.position
        elif kind == "TrialStarted":
            assert event.trial_id not in holds
            holds[event.trial_id] = event
            taken = (event.on - registered[event.slot_id]).days
            assert (event.days_from_need, event.within_promise) == (taken, taken <= 28)
            if event.trial_id in reversed_:
                assert record.position == reversed_[event.trial_id] + 1
                assert event.within_promise or event.slot_id in missed
                moved += 1
    return moved


def approvals_are_in_order(records: list[Any]) -> int:
    """Of every concluded agreement: employer and participant, then counsellor, then decision maker, once each."""
    given: dict[str, list[str]] = {}
    needed = {r.event.agreement_id: r.event.decision_maker_needed for r in _named(records, "AgreementDrafted")}
    concluded = 0
    for record in records:
        event, kind = record.event, type(record.event).__name__
        if kind == "AgreementApproved":
            given.setdefault(event.agreement_id, []).append(event.party)
        elif kind == "AgreementConcluded":
            concluded += 1
            parties = given[event.agreement_id]
            rest = ["counsellor", *(["decision_maker"] if needed[event.agreement_id] else [])]
            assert sorted(parties[:2]) == ["employer", "participant"]
            assert parties[2:] == rest
    return concluded


EXCLUSIVE = ("work_training", "temporary_wage_subsidy")


def periods_that_overlap(records: list[Any]) -> list[tuple[str, str]]:
    """Pairs of trials of one person, both of measures that exclude one another, that share a day."""
    closed = {r.event.trial_id: r.event.on for r in _named(records, "TrialClosed")}
    periods: dict[str, list[tuple[date, date, str]]] = {}
    # Of a start that was put right only the right day is a day of the person's.
    trials = {record.event.trial_id: record.event for record in _named(records, "TrialStarted")}
    for event in trials.values():
        if event.measure in EXCLUSIVE:
            last = closed.get(event.trial_id, event.end_on)
            periods.setdefault(event.candidate_id, []).append((event.on, last, event.trial_id))
    return [
        (one[2], other[2])
        for taken in periods.values()
        for index, one in enumerate(taken)
        for other in taken[index + 1 :]
        if one[0] <= other[1] and other[0] <= one[1]
    ]
