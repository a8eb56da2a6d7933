"""Background as it stood at the start, and starts and hires by it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from chassis.declared import instant_text
from chassis.projection import fold_all
from contracts import intake as it
from contracts.refused import Refused
from services.reporting.domain.background import declaration_at
from services.reporting.domain.diversity import CHARACTERISTICS
from services.reporting.domain.facts import Slot, Trial
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Period
from services.reporting.views import persons
from tests.gwt import records
from tests.overviews import mangfold


def declared(ciphertext: str, day: int) -> it.BackgroundDeclared:
    at = datetime(2025, 1, day, 9, tzinfo=UTC)
    return it.BackgroundDeclared(candidate_id="C1", declared_on=at.date(), ciphertext=ciphertext, occurred=at)


def withdrawn(day: int) -> it.BackgroundWithdrawn:
    at = datetime(2025, 1, day, 9, tzinfo=UTC)
    return it.BackgroundWithdrawn(candidate_id="C1", withdrawn_on=at.date(), occurred=at)


def at_start(recorded: datetime, *events: it.BackgroundDeclared | it.BackgroundWithdrawn) -> str | None:
    documents = fold_all(persons, records(it.BACKGROUND_SOURCE, events))
    return declaration_at(documents["C1"]["declarations"], instant_text(recorded))


def test_the_last_declaration_recorded_at_the_start_or_before_it_holds() -> None:
    told = (declared("first", 2), declared("second", 10), declared("third", 20))
    assert at_start(datetime(2025, 1, 19, tzinfo=UTC), *told) == "second"
    assert at_start(datetime(2025, 1, 20, 9, tzinfo=UTC), *told) == "third"
    assert at_start(datetime(2025, 1, 1, tzinfo=UTC), *told) is None


def test_a_declaration_taken_back_before_the_start_is_unknown_and_after_it_holds() -> None:
    told = (declared("first", 2), withdrawn(10))
    assert at_start(datetime(2025, 1, 9, tzinfo=UTC), *told) == "first"
    assert at_start(datetime(2025, 1, 11, tzinfo=UTC), *told) is None


def slot(trial_id: str, started: date, hired: date | None = None) -> Slot:
    trial = Trial(
        trial_id=trial_id,
        measure="work_training",
        started_on=started,
        recorded="2025-01-01T00:00:00.000+00:00",
        closed_on=hired,
        outcome=None if hired is None else "hired",
    )
    return Slot(
        slot_id=f"S{trial_id}",
        need_id="N1",
        org_number="315486890",
        region="3312",
        intermediary="nav",
        wished_measure=None,
        measure="work_training",
        registered_on=date(2025, 1, 1),
        promise_date=date(2025, 1, 29),
        start_from=None,
        withdrawn=False,
        matches=(),
        agreed_on=None,
        trials=(trial,),
    )


SLOTS = [slot("1", date(2025, 1, 20), date(2025, 4, 20)), slot("2", date(2025, 2, 1)), slot("3", date(2025, 2, 1))]
DECLARED: dict[str, dict[str, Any]] = {
    "1": {"immigrant_background": "immigrant", "country_of_birth": "SY", "cv_gap": "yes"},
    "2": {"immigrant_background": "other", "country_of_birth": "SE", "reduced_functional_ability": "no"},
}


def rows(by: str, chosen: Filter | None = None) -> dict[str, tuple[Any, Any]]:
    table = mangfold(SLOTS, chosen or Filter(), by, DECLARED)
    return {str(row[by]): (row["starts"], row["hires"]) for row in table.rows}


def test_starts_and_hires_are_counted_by_what_was_declared_and_the_rest_is_unknown() -> None:
    assert rows("immigrant_background") == {
        "immigrant": (1, 1),
        "norwegian_born_to_immigrant_parents": (0, 0),
        "other": (1, 0),
        "unknown": (1, 0),
        "total": (3, 1),
    }
    assert rows("country_group") == {"1": (1, 0), "2": (1, 1), "unknown": (1, 0), "total": (3, 1)}
    assert rows("cv_gap") == {"yes": (1, 1), "no": (0, 0), "unknown": (2, 0), "total": (3, 1)}


def test_a_start_belongs_to_its_own_period_and_a_hire_to_that_of_the_closing() -> None:
    assert rows("cv_gap", Filter(period=Period(2025, 1)))["total"] == (1, 0)
    assert rows("cv_gap", Filter(period=Period(2025, 4)))["total"] == (0, 1)


def test_a_code_that_is_newer_than_the_reader_is_unknown_to_it() -> None:
    table = mangfold(SLOTS[:1], Filter(), "cv_gap", {"1": {"cv_gap": "perhaps"}})
    assert {row["cv_gap"]: row["starts"] for row in table.rows}["unknown"] == 1


def test_an_unknown_characteristic_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        mangfold(SLOTS, Filter(), "religion", {})
    assert (refusal.value.code, refusal.value.fields) == ("unknown_characteristic", ("/by",))
    assert "religion" not in CHARACTERISTICS
