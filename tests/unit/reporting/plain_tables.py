"""The cells again, from the events alone, by plain loops: no projection, no facts, no code of the service.

Invariant: nothing here is shared with what it checks; what is known of places is written down by hand.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from chassis.projection import Record

PLACES = {
    "0301": ("0301", "03", "0"),
    "3301": ("3301", "33", "0"),
    "3312": ("3312", "33", "0"),
    "5501": ("5501", "55", "0"),
    # Lier's numbers before 2020 and before 2024.
    "0626": ("3312", "33", "0"),
    "3049": ("3312", "33", "0"),
    # Ålesund was divided into two of the same county.
    "1507": ("15", "0"),
    # Tysfjord was divided into two of the same county.
    "1850": ("18", "0"),
}
MEASURES = (
    "work_training",
    "temporary_wage_subsidy",
    "permanent_wage_subsidy",
    "summer_job",
    "mentor_grant",
    "inclusion_grant",
    "permanent_adapted_work",
)
GROUPS = {"SY": "2", "PL": "1", "US": "1"}


@dataclass
class Plain:
    """Cells that are not 0, by table, content and the codes of the variables, the period last; and waiting days."""

    cells: dict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))
    waits: dict[tuple[str, ...], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, content: str, ways: list[tuple[str, ...]], period: str) -> None:
        paths: list[tuple[str, ...]] = [()]
        for codes in ways:
            paths = [(*path, code) for path in paths for code in codes]
        for path in paths:
            self.cells[(table, content, *path, period)] += 1


def both(code: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    return (code if code in known else "unknown", "total")


def plain_tables(
    records: Iterable[Record],
    today: date,
    period: Callable[[date], str],
    wanted: Callable[[Any], bool] = lambda _need: True,
) -> Plain:
    """`wanted` chooses needs; `period` names the period of a day."""
    told = sorted(records, key=lambda record: (record.source, record.position))
    found = Plain()

    def all_of(kind: str) -> list[Any]:
        return [record.event for record in told if type(record.event).__name__ == kind]

    assigned = {event.need_id: event.intermediary for event in all_of("NeedAssigned")}
    withdrawn = {slot for event in all_of("NeedWithdrawn") for slot in event.slot_ids}
    mistakes = {e.match_id for e in all_of("MatchCancelled") if e.reason == "registered_by_mistake"}
    annulled = {event.agreement_id for event in all_of("AgreementAnnulled")}
    waiting_for_employer = {e.slot_id for e in all_of("DelayReported") if e.caused_by == "employer"}
    declared: dict[str, list[tuple[datetime, str | None]]] = defaultdict(list)
    by_slot: dict[str, list[Record]] = defaultdict(list)
    for record in told:
        if record.source == "dugnad/background":
            event: Any = record.event
            declared[event.candidate_id].append((record.recorded, getattr(event, "ciphertext", None)))
        elif hasattr(record.event, "match_id"):
            about: Any = record.event
            by_slot[about.slot_id].append(record)

    def person(candidate: str, at: datetime) -> dict[str, Any]:
        last = None
        for recorded, text in declared[candidate]:
            if recorded <= at:
                last = text
        return {} if last is None else json.loads(last)

    for need in filter(wanted, all_of("NeedRegistered")):
        where = PLACES[need.municipality]
        who = both(assigned.get(need.need_id) or need.intermediary, ("nav", "refugee_service", "adult_education"))
        registered = period(need.registered_on)
        found.add("trakt", "needs", [where, both(need.measure, MEASURES), who], registered)

        for slot in need.slot_ids:
            story = [record for record in by_slot[slot] if record.event.match_id not in mistakes]
            stages: list[tuple[str, date]] = []
            presented: dict[str, date] = {}
            concluded: dict[str, tuple[date, str]] = {}
            trials: dict[str, dict[str, Any]] = {}
            for record in story:
                e: Any = record.event
                kind = type(e).__name__
                if kind == "CandidateMatched":
                    stages.append(("proposed", e.matched_on))
                if kind == "CandidateAsked":
                    stages.append(("asked", e.asked_on))
                if kind == "InterviewHeld":
                    stages.append(("interview", e.held_on))
                if kind == "CandidatePresented":
                    presented[e.match_id] = e.presented_on
                if kind == "PresentationReversed":
                    presented.pop(e.match_id, None)
                if getattr(e, "agreement_id", None) in annulled:
                    continue
                if kind == "AgreementConcluded":
                    concluded[e.agreement_id] = (e.concluded_on, e.measure)
                if kind == "AgreementChanged":
                    concluded.pop(e.agreement_id, None)
                if kind == "TrialStarted":
                    trials[e.trial_id] = {
                        "on": e.on,
                        "id": e.trial_id,
                        "agreement": e.agreement_id,
                        "measure": e.measure,
                        "facts": person(e.candidate_id, record.recorded),
                        "end": None,
                        "held": [],
                        "missed": [],
                        "longer": [],
                        "shorter": [],
                        "after": {},
                    }
                if kind == "NoShowReported":
                    trials = {key: t for key, t in trials.items() if t["agreement"] != e.agreement_id}
                trial = trials.get(getattr(e, "trial_id", ""))
                if trial is None:
                    continue
                if kind == "TrialClosed":
                    trial["end"] = (e.on, e.outcome)
                if kind == "OutcomeReversed":
                    trial["end"] = None
                if kind == "CheckInHeld":
                    trial["held"].append(e.held_on)
                if kind == "CheckInMissed":
                    trial["missed"].append(e.due_on)
                if kind == "TrialExtended":
                    trial["longer"].append(e.extended_on)
                if kind == "TrialShortened":
                    trial["shorter"].append((e.shortened_on, e.reason))
                if kind == "EmploymentConfirmed":
                    trial["after"][e.after_months] = e.employed

            in_order = sorted(trials.values(), key=lambda t: (t["on"], t["id"]))
            agreed = [concluded[key] for key in sorted(concluded)]
            agreed.sort(key=lambda each: each[0])
            measure = in_order[0]["measure"] if in_order else agreed[0][1] if agreed else need.measure
            ways = [where, both(measure, MEASURES), who]
            hires = [t for t in in_order if t["end"] is not None and t["end"][1] == "hired"]
            hires.sort(key=lambda t: (t["end"][0], t["id"]))

            stages += [("slots", need.registered_on), *(("presented", day) for day in presented.values())]
            stages += [("agreed", agreed[0][0])] if agreed else []
            stages += [("started", in_order[0]["on"])] if in_order else []
            stages += [("hired", hires[0]["end"][0])] if hires else []
            for stage, day in stages:
                found.add("trakt", stage, ways, period(day))

            promise = need.registered_on + timedelta(days=28)
            late = need.start_from is not None and need.start_from > promise
            contents = ["slots"]
            days = (in_order[0]["on"] - need.registered_on).days if in_order else None
            if days is None:
                contents.append("withdrawn" if slot in withdrawn else "not_started")
            else:
                bounds = ((7, "0_7"), (14, "8_14"), (28, "15_28"), (56, "29_56"), (10**9, "57_"))
                contents.append(next(code for last, code in bounds if days <= last))
                for region in where:
                    for m in ways[1]:
                        for w in who:
                            found.waits[region, m, w, registered].append(days)
            if days is not None or (slot not in withdrawn and today > promise):
                marks = [""]
                marks += ["late_window"] if late else []
                marks += ["employer_delay"] if slot in waiting_for_employer else []
                for mark in marks:
                    contents.append(mark or "due")
                    if days is not None and days < 29:
                        contents.append(f"within_promise_{mark}" if mark else "within_promise")
            for content in contents:
                found.add("ventetid", content, ways, registered)

            for content, chosen, day_of in (
                ("starts", in_order[:1], _started),
                ("hires", hires[:1], _ended),
            ):
                for t in chosen:
                    facts = t["facts"]
                    background = both(facts.get("immigrant_background"), BACKGROUNDS)[0]
                    codes = [
                        "total",
                        f"immigrant_background_{background}",
                        f"country_group_{GROUPS.get(facts.get('country_of_birth'), 'unknown')}",
                        f"reduced_functional_ability_{facts.get('reduced_functional_ability', 'unknown')}",
                        f"cv_gap_{facts.get('cv_gap', 'unknown')}",
                    ]
                    of = [where, both(t["measure"], MEASURES), tuple(codes)]
                    found.add("mangfold", content, of, period(day_of(t)))

            for t in in_order:
                _of_trial(found, t, period, where, who, first_hire=bool(hires) and hires[0] is t)
    return found


def _started(trial: dict[str, Any]) -> date:
    day: date = trial["on"]
    return day


def _ended(trial: dict[str, Any]) -> date:
    day: date = trial["end"][0]
    return day


BACKGROUNDS = ("immigrant", "norwegian_born_to_immigrant_parents", "other", "unknown")
OUTCOMES = ("hired", "employed_elsewhere", "education", "new_measure", "no_offer", "dropped_out", "other")
REASONS = ("employer_request", "participant_request", "circumstances_changed", "other")


def _of_trial(
    found: Plain,
    t: dict[str, Any],
    period: Callable[[date], str],
    where: tuple[str, ...],
    who: tuple[str, ...],
    *,
    first_hire: bool,
) -> None:
    facts, measure = t["facts"], both(t["measure"], MEASURES)
    born = facts.get("year_of_birth")
    years = None if born is None else t["on"].year - born
    age = "unknown" if years is None else "under_30" if years < 30 else "30_49" if years < 50 else "50_"
    of = [
        measure,
        both(facts.get("immigrant_background"), BACKGROUNDS),
        both(facts.get("gender"), ("female", "male", "other")),
        (age, "total"),
    ]
    if t["end"] is None:
        found.add("utfall", "running", of, period(t["on"]))
    else:
        ended, outcome = t["end"]
        contents = ["closed", outcome, *(["slots_hired"] if first_hire else [])]
        if outcome == "hired":
            for months, employed in t["after"].items():
                contents += [f"confirmed_{months}", *([f"employed_{months}"] if employed else [])]
        for content in contents:
            found.add("utfall", content, of, period(ended))

    ways = [where, measure, who]
    for day in t["held"]:
        found.add("oppfolging", "held", ways, period(day))
    for day in sorted(set(t["missed"])):
        found.add("oppfolging", "missed", ways, period(day))
        if t["end"] is None and not any(held >= day for held in t["held"]):
            found.add("oppfolging", "overdue", ways, period(day))
    for day in t["longer"]:
        found.add("oppfolging", "extended", ways, period(day))
    for day, reason in t["shorter"]:
        found.add("oppfolging", "shortened", ways, period(day))
        found.add("oppfolging", f"shortened_{reason if reason in REASONS else 'unknown'}", ways, period(day))
