"""`mangfold`: starts and hires by one declared characteristic.

Invariant: the background is the last one recorded when the start was; what was not declared, withdrawn or erased is
unknown, and nothing is derived from anything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from contracts.codelists import COUNTRY_GROUP_VERSION, country_group
from contracts.refused import Refused
from contracts.vocabulary import Background
from services.reporting.domain import definitions as d
from services.reporting.domain.facts import Slot, Trial
from services.reporting.domain.filters import Filter
from services.reporting.domain.table import Cell, Column, Kind, Note, Table

UNKNOWN = "unknown"
_GROUP_VERSION = Note("mangfold_group_version", {"version": date.fromisoformat(COUNTRY_GROUP_VERSION)})
CODES: Mapping[str, tuple[str, ...]] = {
    "immigrant_background": tuple(code.value for code in Background),
    "country_group": ("1", "2", UNKNOWN),
    "reduced_functional_ability": ("yes", "no", UNKNOWN),
    "cv_gap": ("yes", "no", UNKNOWN),
}
"""The characteristics, one per table, and their codes."""

Declared = Mapping[str, Any]
"""What a person declared, opened."""


def declaration_at(declarations: Sequence[Mapping[str, Any]], recorded: str) -> str | None:
    """The ciphertext that held when a start was recorded; None where nothing had been declared or it was taken back."""
    before = [declared for declared in declarations if declared["recorded"] <= recorded]
    last = max(before, key=lambda declared: int(declared["position"]), default=None)
    return None if last is None else last["ciphertext"]


def counted_trials(slots: Iterable[Slot], chosen: Filter) -> list[Trial]:
    """The trials whose person's background the table needs."""
    return [
        trial for slot in chosen.slots(slots) for trial, day in _facts(slot) if trial is not None and chosen.covers(day)
    ]


def _facts(slot: Slot) -> tuple[tuple[Trial | None, Any], tuple[Trial | None, Any]]:
    start, hire = slot.start, slot.hire
    return (start, None if start is None else start.started_on), (hire, None if hire is None else hire.closed_on)


def check_characteristic(by: str) -> str:
    """Raises Refused `unknown_characteristic`."""
    if by not in CODES:
        raise Refused("unknown_characteristic", ["/by"], status=422)
    return by


def mangfold(slots: Iterable[Slot], chosen: Filter, by: str, declared: Mapping[str, Declared]) -> Table:
    """`declared` holds what is known of the person of each trial, by the trial's id."""
    check_characteristic(by)
    starts: Counter[str] = Counter()
    hires: Counter[str] = Counter()
    for slot in chosen.slots(slots):
        for counter, (trial, day) in zip((starts, hires), _facts(slot), strict=True):
            if trial is not None and chosen.covers(day):
                counter[_code(by, declared.get(trial.trial_id, {}))] += 1
    rows: list[Mapping[str, Cell]] = [{by: code, "starts": starts[code], "hires": hires[code]} for code in CODES[by]]
    rows.append({by: "total", "starts": starts.total(), "hires": hires.total()})
    about = {"immigrant_background": (d.IMMIGRANT_BACKGROUND,), "country_group": (d.COUNTRY_GROUP,)}.get(by, ())
    return Table(
        id="mangfold",
        definitions=(d.STARTED, d.HIRED, d.BACKGROUND_AT_START, *about),
        columns=(Column(by, Kind.CATEGORY), Column("starts", Kind.COUNT), Column("hires", Kind.COUNT)),
        rows=rows,
        notes=(Note("mangfold_period"), *((_GROUP_VERSION,) if by == "country_group" else ())),
        filters={**chosen.as_text(), "by": by},
    )


def _code(by: str, declared: Declared) -> str:
    if by == "country_group":
        group = country_group(str(declared.get("country_of_birth")))
        return UNKNOWN if group is None else str(group)
    code = declared.get(by)
    # A code that is newer than this reader is unknown to it.
    return code if code in CODES[by] else UNKNOWN
