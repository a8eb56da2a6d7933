"""An employer registers a need and may take it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from contracts.intake import LanguageLevels, NeedRegistered, NeedWithdrawn
from contracts.vocabulary import Intermediary, Measure, WithdrawReason
from services.intake.domain.needs import Need, RegisterNeed, WithdrawNeed, decide, evolve
from tests.gwt import given

MONDAY = datetime(2025, 1, 13, 9, 0, tzinfo=UTC)
LIER = RegisterNeed(
    need_id="N1",
    slot_ids=("S1",),
    org_number="310000019",
    municipality="3312",
    occupation="5223",
    at=MONDAY,
    intermediary=Intermediary.REFUGEE_SERVICE,
    synthetic=True,
)
REGISTERED = NeedRegistered(
    need_id="N1",
    org_number="310000019",
    municipality="3312",
    county="33",
    occupation="5223",
    slot_ids=("S1",),
    intermediary="refugee_service",
    hours_per_week=37.5,
    registered_on=date(2025, 1, 13),
    promise_date=date(2025, 2, 10),
)
WITHDRAWN = NeedWithdrawn(
    need_id="N1",
    org_number="310000019",
    slot_ids=("S1",),
    reason="filled_otherwise",
    withdrawn_on=date(2025, 1, 13),
)


def test_a_need_of_two_fields_gets_its_promise_date() -> None:
    given(evolve, None).when(decide, LIER).then(REGISTERED)


def test_everything_an_employer_may_add_is_kept() -> None:
    levels = LanguageLevels(speaking="B1", listening="B1")
    command = replace(
        LIER,
        slot_ids=("S1", "S2"),
        intermediary=Intermediary.NAV,
        measure=Measure.WORK_TRAINING,
        hours_per_week=20,
        start_from=date(2025, 2, 1),
        language=levels,
        licences=("B", "BE"),
    )
    given(evolve, None).when(decide, command).then(
        REGISTERED.model_copy(
            update={
                "slot_ids": ("S1", "S2"),
                "intermediary": "nav",
                "measure": "work_training",
                "hours_per_week": 20.0,
                "start_from": date(2025, 2, 1),
                "language": levels,
                "licences": ("B", "BE"),
            }
        )
    )


@pytest.mark.parametrize(
    ("at", "registered_on", "promised"),
    [
        (datetime(2026, 3, 1, 11, tzinfo=UTC), date(2026, 3, 1), date(2026, 3, 29)),
        (datetime(2026, 3, 1, 23, 30, tzinfo=UTC), date(2026, 3, 2), date(2026, 3, 30)),
    ],
)
def test_the_clock_begins_on_the_oslo_day(at: datetime, registered_on: date, promised: date) -> None:
    expected = REGISTERED.model_copy(update={"registered_on": registered_on, "promise_date": promised})
    given(evolve, None).when(decide, replace(LIER, at=at)).then(expected)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"org_number": "310000018"}, "org_number_invalid", "/org_number"),
        ({"org_number": "31000000"}, "org_number_invalid", "/org_number"),
        ({"synthetic": False}, "org_number_invalid", "/org_number"),
        ({"occupation": "5299"}, "occupation_unknown", "/occupation"),
        ({"occupation": "522"}, "occupation_unknown", "/occupation"),
        ({"municipality": "9999"}, "municipality_unknown", "/municipality"),
        ({"municipality": "0626"}, "municipality_changed", "/municipality"),
        ({"hours_per_week": 0}, "hours_per_week_out_of_range", "/hours_per_week"),
        ({"hours_per_week": 40.5}, "hours_per_week_out_of_range", "/hours_per_week"),
        ({"licences": ("B", "B")}, "named_twice", "/licences"),
        ({"slot_ids": ()}, "slots_out_of_range", "/slots"),
        ({"slot_ids": tuple(f"S{n}" for n in range(21))}, "slots_out_of_range", "/slots"),
        ({"start_from": date(2025, 1, 12)}, "start_in_past", "/start_from"),
        ({"start_from": date(2027, 1, 14)}, "start_too_far_ahead", "/start_from"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], code: str, field: str) -> None:
    given(evolve, None).when(decide, replace(LIER, **change)).then_refused(code, [field], status=422)  # type: ignore[arg-type]


def test_an_old_municipality_number_is_refused_with_the_one_of_today() -> None:
    outcome = given(evolve, None).when(decide, replace(LIER, municipality="0626"))
    assert outcome.refusal is not None
    assert outcome.refusal.params == {"given": "0626", "current": "3312 Lier"}


def test_a_number_of_a_divided_municipality_is_refused_with_all_its_parts() -> None:
    outcome = given(evolve, None).when(decide, replace(LIER, municipality="1507"))
    assert outcome.refusal is not None
    assert outcome.refusal.params["current"] == "1508 Ålesund, 1580 Haram"


@pytest.mark.parametrize("slots", [1, 20])
def test_a_need_has_one_to_twenty_places(slots: int) -> None:
    slot_ids = tuple(f"S{n}" for n in range(slots))
    expected = REGISTERED.model_copy(update={"slot_ids": slot_ids})
    given(evolve, None).when(decide, replace(LIER, slot_ids=slot_ids)).then(expected)


def test_a_need_is_registered_once() -> None:
    given(evolve, None, [REGISTERED]).when(decide, LIER).then_refused("need_already_registered", status=409)


def test_an_employer_takes_a_need_back_with_a_reason() -> None:
    command = WithdrawNeed(WithdrawReason.FILLED_OTHERWISE, MONDAY)
    given(evolve, None, [REGISTERED]).when(decide, command).then(WITHDRAWN)


def test_a_need_is_taken_back_once() -> None:
    command = WithdrawNeed(WithdrawReason.OTHER, MONDAY)
    given(evolve, None, [REGISTERED, WITHDRAWN]).when(decide, command).then_refused("need_withdrawn", status=409)


def test_a_need_that_is_not_there_cannot_be_taken_back() -> None:
    given(evolve, None).when(decide, WithdrawNeed(WithdrawReason.OTHER, MONDAY)).then_refused("need_unknown")


def test_a_withdrawal_marks_the_need_and_cannot_make_one() -> None:
    need = Need("N1", "310000019", ("S1",), withdrawn=True)
    assert given(evolve, None, [REGISTERED, WITHDRAWN]).state == need
    assert given(evolve, None, [WITHDRAWN]).state is None
