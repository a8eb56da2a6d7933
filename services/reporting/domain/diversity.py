"""`mangfold`: starts and hires by one declared characteristic at a time.

Invariant: the characteristics stand side by side in one variable and are never crossed; each adds up to the same total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from contracts.codelists import COUNTRY_GROUP_VERSION
from contracts.refused import Refused
from services.reporting.domain import definitions as d
from services.reporting.domain.background import CODES, Declared, code_of
from services.reporting.domain.counting import Counted, Spec, Variable
from services.reporting.domain.cube import Codelist, Content, Dimension, Role
from services.reporting.domain.facts import Slot, Trial
from services.reporting.domain.periods import Frequency
from services.reporting.domain.table import Kind, Note
from services.reporting.domain.variables import MEASURE, REGION, measure_of

CHARACTERISTICS = ("immigrant_background", "country_group", "reduced_functional_ability", "cv_gap")
COUNTRY_GROUP_DAY = date.fromisoformat(COUNTRY_GROUP_VERSION)
GROUP_VERSION = Note("mangfold_group_version", {"version": COUNTRY_GROUP_DAY})
TOTAL = "total"


def joined(characteristic: str, code: str) -> str:
    """The code of `Kjennetegn`: `country_group_2`."""
    return f"{characteristic}_{code}"


def check_characteristic(by: str) -> str:
    """Raises Refused `unknown_characteristic`."""
    if by not in CHARACTERISTICS:
        raise Refused("unknown_characteristic", ["/by"], status=422)
    return by


def _parents(code: str) -> tuple[str, ...]:
    # All four say of the same people what they are; only one of them may make up the total.
    return (code, TOTAL) if code.startswith("immigrant_background_") else (code,)


def counted_trials(slots: Iterable[Slot]) -> Iterator[tuple[str, Slot, Trial, date]]:
    """What is counted, and the trial whose participant it is about: `starts` and `hires`, once per slot each."""
    for slot in slots:
        if slot.start is not None:
            yield "starts", slot, slot.start, slot.start.started_on
        if slot.hire is not None and slot.hire.closed_on is not None:
            yield "hires", slot, slot.hire, slot.hire.closed_on


def diversity(
    slots: Iterable[Slot], declared: Mapping[str, Declared], frequency: Frequency = Frequency.MONTH
) -> Iterator[Counted]:
    """`declared` holds what is known of the person of each trial, by the trial's id."""
    for content, slot, trial, day in counted_trials(slots):
        facts = declared.get(trial.trial_id, {})
        for characteristic in CHARACTERISTICS:
            code = joined(characteristic, code_of(characteristic, facts))
            at = (slot.region, measure_of(trial.measure), code, frequency.code(day))
            yield Counted(content, at, "slot", slot.slot_id)


_CODES = {each: tuple(joined(each, code) for code in CODES[each]) for each in CHARACTERISTICS}
_ABOUT = (d.BACKGROUND_AT_START, d.IMMIGRANT_BACKGROUND, d.COUNTRY_GROUP)
CHARACTERISTIC = Variable(
    Dimension(
        id="Kjennetegn",
        role=Role.CLASSIFICATION,
        codes=(TOTAL, *(code for codes in _CODES.values() for code in codes)),
        total=TOTAL,
        codelists=tuple(Codelist(f"vs_{each}", codes) for each, codes in _CODES.items()),
        labels="characteristic_code",
    ),
    _parents,
)
MANGFOLD = Spec(
    id="mangfold",
    version=1,
    variables=(REGION, MEASURE, CHARACTERISTIC),
    contents=(
        Content("starts", Kind.COUNT, (d.STARTED, *_ABOUT)),
        Content("hires", Kind.COUNT, (d.HIRED, *_ABOUT)),
    ),
    notes=(Note("mangfold_period"), GROUP_VERSION),
)
