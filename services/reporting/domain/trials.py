"""The tables of trials: `utfall` (how they ended) and `oppfolging` (how they were followed up).

Invariant: a trial is counted by its own measure; what came of it belongs to the period in which it was closed, each
check-in and change to the period of its own day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial

from contracts.vocabulary import Outcome, ShortenReason
from services.reporting.domain import definitions as d
from services.reporting.domain.background import AGES, BACKGROUNDS, GENDERS, Declared, age_at, code_of
from services.reporting.domain.counting import Cells, Coordinates, Counted, Derived, Spec, Together, listed
from services.reporting.domain.cube import Content, Number
from services.reporting.domain.facts import Slot, Trial
from services.reporting.domain.periods import Frequency
from services.reporting.domain.rounding import one_decimal, share
from services.reporting.domain.table import Kind, Note
from services.reporting.domain.variables import INTERMEDIARY, MEASURE, REGION, intermediary_of, known, measure_of

OUTCOMES = tuple(code.value for code in Outcome)
AFTER_MONTHS = (3, 6, 12)
_REASONS = tuple(code.value for code in ShortenReason)


def _outcome(code: str | None) -> str:
    # An outcome that is newer than this reader is counted, not lost.
    return code if code in OUTCOMES else Outcome.OTHER.value


_shorten_reason = known(_REASONS)


def outcomes(
    slots: Iterable[Slot], declared: Mapping[str, Declared], frequency: Frequency = Frequency.MONTH
) -> Iterator[Counted]:
    """Closed trials by how they ended, by what the participant had declared (by the trial's id)."""
    for slot in slots:
        for trial in slot.trials:
            facts = declared.get(trial.trial_id, {})
            who = (
                measure_of(trial.measure),
                code_of("immigrant_background", facts),
                code_of("gender", facts),
                age_at(trial.started_on, facts),
            )
            if trial.closed_on is None:
                at = (*who, frequency.code(trial.started_on))
                yield Counted("running", at, "trial", trial.trial_id)
                continue
            at = (*who, frequency.code(trial.closed_on))
            contents = ["closed", _outcome(trial.outcome)]
            contents += ["slots_hired"] * (slot.hire is trial)
            contents += _afterwards(trial)
            yield from (Counted(content, at, "trial", trial.trial_id) for content in contents)


def _afterwards(trial: Trial) -> Iterator[str]:
    # Taken back with the outcome: who was not hired is not asked whether they still are employed.
    if trial.outcome != Outcome.HIRED:
        return
    for months in AFTER_MONTHS:
        employed = trial.still_employed.get(months)
        if employed is not None:
            yield f"confirmed_{months}"
            if employed:
                yield f"employed_{months}"


def _employed_share(months: int, cells: Cells | Together, at: Coordinates) -> Number | None:
    return one_decimal(share(cells.number(f"employed_{months}", at), cells.number(f"confirmed_{months}", at)))


_EMPLOYED_DERIVED: dict[str, Derived] = {
    f"employed_share_{months}": partial(_employed_share, months) for months in AFTER_MONTHS
}
UTFALL = Spec(
    id="utfall",
    version=1,
    variables=(
        MEASURE,
        listed("Bakgrunn", BACKGROUNDS, labels="immigrant_background"),
        listed("Kjonn", GENDERS, labels="gender"),
        listed("Alder", AGES, labels="age"),
    ),
    contents=(
        Content("closed", Kind.COUNT, (d.OUTCOME,)),
        *(Content(code, Kind.COUNT, (d.OUTCOME,)) for code in OUTCOMES),
        Content("slots_hired", Kind.COUNT, (d.HIRED,)),
        Content("running", Kind.COUNT, (d.STARTED,)),
        *(Content(f"employed_{months}", Kind.COUNT, (d.STILL_EMPLOYED,)) for months in AFTER_MONTHS),
        *(Content(f"confirmed_{months}", Kind.COUNT, (d.STILL_EMPLOYED,)) for months in AFTER_MONTHS),
        *(Content(f"employed_share_{months}", Kind.PER_CENT, (d.STILL_EMPLOYED,)) for months in AFTER_MONTHS),
    ),
    derived=_EMPLOYED_DERIVED,
    notes=(Note("utfall_period"), Note("utfall_person"), Note("most_classifications")),
)


def follow_up(slots: Iterable[Slot], frequency: Frequency = Frequency.MONTH) -> Iterator[Counted]:
    """Check-ins, extensions and cuts of trials, each in the period of its own day (missed ones: of the day due)."""
    for slot in slots:
        for trial in slot.trials:
            where = (slot.region, measure_of(trial.measure), intermediary_of(slot.intermediary))
            for content, unit, days in (
                ("held", "check_in_held", trial.held),
                ("missed", "check_in_missed", trial.missed),
                ("overdue", "check_in_missed", trial.overdue),
                ("extended", "extension", trial.extended),
            ):
                for day, number in _numbered(days):
                    yield Counted(content, (*where, frequency.code(day)), unit, f"{trial.trial_id}/{day}/{number}")
            numbered = _numbered(day for day, _ in trial.shortened)
            for (day, number), (_, reason) in zip(numbered, trial.shortened, strict=True):
                at, unit_id = (*where, frequency.code(day)), f"{trial.trial_id}/{day}/{number}"
                yield Counted("shortened", at, "shortening", unit_id)
                yield Counted(f"shortened_{_shorten_reason(reason)}", at, "shortening", unit_id)


def _numbered(days: Iterable[date]) -> Iterator[tuple[date, int]]:
    # Within the day: one of another day that is heard of late must not make all others new records.
    seen: Counter[date] = Counter()
    for day in days:
        yield day, seen[day]
        seen[day] += 1


OPPFOLGING = Spec(
    id="oppfolging",
    version=1,
    variables=(REGION, MEASURE, INTERMEDIARY),
    contents=(
        Content("held", Kind.COUNT, (d.CHECK_IN,)),
        Content("missed", Kind.COUNT, (d.CHECK_IN,)),
        Content("overdue", Kind.COUNT, (d.OVERDUE,)),
        Content("extended", Kind.COUNT, (d.CHANGED_PERIOD,)),
        Content("shortened", Kind.COUNT, (d.CHANGED_PERIOD,)),
        *(Content(f"shortened_{code}", Kind.COUNT, (d.CHANGED_PERIOD,)) for code in (*_REASONS, "unknown")),
    ),
    notes=(Note("oppfolging_period"),),
)
