"""The figures again, from the events alone, by plain loops: no projection, no facts, no code of the service.

Invariant: nothing here is shared with what it checks.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from chassis.projection import Record


@dataclass
class Recomputed:
    """What plain loops find."""

    classes: dict[str, int]
    kept: int
    due: int
    median: float | None
    funnel: dict[str, int]
    outcomes: dict[str, int]
    hired: int


def recompute(records: Iterable[Record], *, period: str = "", region: str = "", today: date) -> Recomputed:
    """`period` is the beginning of an ISO date (`2024`, `2024-03`), `region` that of a municipality number."""
    events: list[Any] = [
        record.event for record in sorted(records, key=lambda record: (record.source, record.position))
    ]

    by_kind: dict[str, list[Any]] = {}
    by_slot: dict[str, list[Any]] = {}
    for event in events:
        by_kind.setdefault(type(event).__name__, []).append(event)
        by_slot.setdefault(getattr(event, "slot_id", ""), []).append(event)

    def of(kind: str, wanted: Callable[[Any], bool] = lambda _: True) -> list[Any]:
        return [event for event in by_kind.get(kind, []) if wanted(event)]

    def within(day: date | None) -> bool:
        return day is not None and day.isoformat().startswith(period)

    classes = dict.fromkeys(("0_7", "8_14", "15_28", "29_56", "57_", "not_started", "withdrawn"), 0)
    funnel = dict.fromkeys(
        ("needs", "slots", "proposed", "asked", "presented", "interview", "agreed", "started", "hired"), 0
    )
    outcomes: dict[str, int] = {}
    kept = due = 0
    waits: list[int] = []

    mistakes = {event.match_id for event in of("MatchCancelled", lambda e: e.reason == "registered_by_mistake")}
    withdrawn = {slot_id for event in of("NeedWithdrawn") for slot_id in event.slot_ids}
    annulled = {event.agreement_id for event in of("AgreementAnnulled")}

    for need in of("NeedRegistered", lambda e: e.municipality.startswith(region)):
        funnel["needs"] += within(need.registered_on)
        for slot_id in need.slot_ids:
            mine = [event for event in by_slot.get(slot_id, []) if event.match_id not in mistakes]

            funnel["slots"] += within(need.registered_on)
            presented: dict[str, date] = {}
            for event in mine:
                kind = type(event).__name__
                if kind == "CandidateMatched":
                    funnel["proposed"] += within(event.matched_on)
                elif kind == "CandidateAsked":
                    funnel["asked"] += within(event.asked_on)
                elif kind == "InterviewHeld":
                    funnel["interview"] += within(event.held_on)
                elif kind == "CandidatePresented":
                    presented[event.match_id] = event.presented_on
                elif kind == "PresentationReversed":
                    presented.pop(event.match_id, None)
            funnel["presented"] += sum(within(day) for day in presented.values())

            agreed: list[date] = []
            started: dict[str, Any] = {}
            closed: dict[str, Any] = {}
            for event in mine:
                kind = type(event).__name__
                if getattr(event, "agreement_id", None) in annulled:
                    continue
                if kind == "AgreementConcluded":
                    agreed.append(event.concluded_on)
                elif kind == "TrialStarted":
                    started[event.trial_id] = event
                elif kind == "TrialClosed":
                    closed[event.trial_id] = event
                elif kind == "NoShowReported":
                    # Recorded after the start of the same agreement: there was no start after all.
                    started = {k: v for k, v in started.items() if v.agreement_id != event.agreement_id}
            closed = {key: value for key, value in closed.items() if key in started}

            funnel["agreed"] += bool(agreed) and within(min(agreed))
            start = min((event.on for event in started.values()), default=None)
            funnel["started"] += within(start)
            hires = [event.on for event in closed.values() if event.outcome == "hired"]
            funnel["hired"] += bool(hires) and within(min(hires))
            for event in closed.values():
                if within(event.on):
                    outcomes[event.outcome] = outcomes.get(event.outcome, 0) + 1

            if not within(need.registered_on):
                continue
            taken_back = slot_id in withdrawn
            if start is None:
                classes["withdrawn" if taken_back else "not_started"] += 1
                due += not taken_back and today > need.registered_on + timedelta(days=28)
                continue
            wait = (start - need.registered_on).days
            waits.append(wait)
            due += 1
            kept += wait < 29
            bounds = ((8, "0_7"), (15, "8_14"), (29, "15_28"), (57, "29_56"), (10**6, "57_"))
            classes[next(code for bound, code in bounds if wait < bound)] += 1

    return Recomputed(
        classes=classes,
        kept=kept,
        due=due,
        median=statistics.median(waits) if waits else None,
        funnel=funnel,
        outcomes=outcomes,
        hired=funnel["hired"],
    )
