"""An employer registers a need and may take it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from contracts import nationalids
from contracts.days import add_months
from contracts.event import Event
from contracts.intake import LanguageLevels, NeedExpired, NeedRegistered, NeedRevised, NeedWithdrawn
from contracts.vocabulary import Intermediary, Measure, WithdrawReason
from services.intake.domain.content import Contact, Content, FreeText
from services.intake.domain.need_commands import ExpireNeed, NeedCommand, RegisterNeed, ReviseNeed, WithdrawNeed
from services.intake.domain.needs import decide, due, evolve
from tests.gwt import given

NATIONAL_ID = nationalids.synthetic(date(1994, 5, 17), 0)
MONDAY = datetime(2025, 1, 13, 9, 0, tzinfo=UTC)
LIER = RegisterNeed(
    need_id="N1",
    slot_ids=("S1",),
    org_number="310000019",
    municipality="3312",
    content=Content(occupation="5223"),
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
    expires_on=date(2025, 7, 13),
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
    content = Content(
        occupation="5223",
        measure=Measure.WORK_TRAINING,
        hours_per_week=20,
        start_from=date(2025, 2, 1),
        start_to=date(2025, 3, 1),
        language=levels,
        licences=("B", "BE"),
        certificates=("food_hygiene",),
        adaptations=("lift", "mentor"),
        free=FreeText("Blomster", "Binde buketter", Contact("Kari Kontakt", "22 22 22 22")),
    )
    command = replace(LIER, slot_ids=("S1", "S2"), intermediary=Intermediary.NAV, content=content)
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
                "start_to": date(2025, 3, 1),
                "certificates": ("food_hygiene",),
                "adaptations": ("lift", "mentor"),
                "adaptations_version": "2025-01-01",
                "expires_on": date(2025, 3, 1),
                "sealed": {
                    "title": "Blomster",
                    "description": "Binde buketter",
                    "contact": {"name": "Kari Kontakt", "phone": "22 22 22 22", "email": None},
                },
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
    told = {"registered_on": registered_on, "promise_date": promised, "expires_on": add_months(registered_on, 6)}
    expected = REGISTERED.model_copy(update=told)
    given(evolve, None).when(decide, replace(LIER, at=at)).then(expected)


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"org_number": "310000018"}, "org_number_invalid", ["/org_number"]),
        ({"org_number": "31000000"}, "org_number_invalid", ["/org_number"]),
        ({"synthetic": False}, "org_number_invalid", ["/org_number"]),
        ({"municipality": "9999"}, "municipality_unknown", ["/municipality"]),
        ({"municipality": "0626"}, "municipality_changed", ["/municipality"]),
        ({"slot_ids": ()}, "slots_out_of_range", ["/slots"]),
        ({"slot_ids": tuple(f"S{n}" for n in range(21))}, "slots_out_of_range", ["/slots"]),
    ],
)
def test_a_wrong_field_of_a_registration_is_named(change: dict[str, object], code: str, fields: list[str]) -> None:
    given(evolve, None).when(decide, replace(LIER, **change)).then_refused(code, fields, status=422)  # type: ignore[arg-type]


BAD_CONTENT: list[tuple[dict[str, object], str, list[str]]] = [
    ({"occupation": "5299"}, "occupation_unknown", ["/occupation"]),
    ({"occupation": "522"}, "occupation_unknown", ["/occupation"]),
    ({"hours_per_week": 0}, "hours_per_week_out_of_range", ["/hours_per_week"]),
    ({"hours_per_week": 40.5}, "hours_per_week_out_of_range", ["/hours_per_week"]),
    ({"licences": ("B", "B")}, "named_twice", ["/licences"]),
    ({"certificates": ("food_hygiene", "magic")}, "certificate_unknown", ["/certificates/1"]),
    ({"adaptations": ("sauna",)}, "adaptation_unknown", ["/adaptations/0"]),
    ({"start_from": date(2025, 1, 12)}, "start_in_past", ["/start_from"]),
    ({"start_from": date(2027, 1, 14)}, "start_too_far_ahead", ["/start_from"]),
    ({"start_to": date(2025, 1, 12)}, "start_in_past", ["/start_to"]),
    ({"start_to": date(2027, 1, 14)}, "start_too_far_ahead", ["/start_to"]),
    (
        {"start_from": date(2025, 2, 2), "start_to": date(2025, 2, 1)},
        "dates_out_of_order",
        ["/start_from", "/start_to"],
    ),
    ({"expires_on": date(2025, 1, 12)}, "expires_too_early", ["/expires_on"]),
    ({"start_from": date(2025, 2, 2), "expires_on": date(2025, 2, 1)}, "expires_too_early", ["/expires_on"]),
    ({"expires_on": date(2028, 1, 14)}, "expires_too_late", ["/expires_on"]),
    ({"free": FreeText("Butikk", f"Spør {NATIONAL_ID}")}, "national_id_in_text", ["/description"]),
    ({"free": FreeText("Lønnstilskudd i butikk")}, "warnings_unseen", ["/title"]),
]


@pytest.mark.parametrize(("change", "code", "fields"), BAD_CONTENT)
def test_a_wrong_field_of_the_content_is_named(change: dict[str, object], code: str, fields: list[str]) -> None:
    content = replace(LIER.content, **change)  # type: ignore[arg-type]
    given(evolve, None).when(decide, replace(LIER, content=content)).then_refused(code, fields, status=422)
    revised = ReviseNeed(content, MONDAY)
    given(evolve, None, [REGISTERED]).when(decide, revised).then_refused(code, fields, status=422)


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
    given(evolve, None, [REGISTERED, WITHDRAWN]).when(decide, command).then_refused("need_closed", status=409)


def test_a_need_that_is_not_there_cannot_be_taken_back() -> None:
    given(evolve, None).when(decide, WithdrawNeed(WithdrawReason.OTHER, MONDAY)).then_refused("need_unknown")


def test_a_withdrawal_closes_its_slots_and_cannot_make_a_need() -> None:
    need = given(evolve, None, [REGISTERED, WITHDRAWN]).state
    assert need is not None
    assert (need.closed, need.open_slots) == (frozenset({"S1"}), ())
    assert given(evolve, None, [WITHDRAWN]).state is None


TWO = REGISTERED.model_copy(update={"slot_ids": ("S1", "S2")})


def test_one_place_is_taken_back_and_the_other_stays() -> None:
    one = WithdrawNeed(WithdrawReason.FILLED_OTHERWISE, MONDAY, ("S1",))
    given(evolve, None, [TWO]).when(decide, one).then(WITHDRAWN)
    rest = WithdrawNeed(WithdrawReason.FILLED_OTHERWISE, MONDAY)
    expected = WITHDRAWN.model_copy(update={"slot_ids": ("S2",)})
    given(evolve, None, [TWO, WITHDRAWN]).when(decide, rest).then(expected)
    given(evolve, None, [TWO, WITHDRAWN]).when(decide, one).then_refused("slot_closed")


def test_a_place_of_another_need_is_named() -> None:
    command = WithdrawNeed(WithdrawReason.OTHER, MONDAY, ("S1", "S9"))
    given(evolve, None, [TWO]).when(decide, command).then_refused("slot_unknown", ["/slot_ids/1"], status=422)


def test_a_place_on_which_somebody_has_begun_stays() -> None:
    begun = frozenset({"S1"})
    named = WithdrawNeed(WithdrawReason.OTHER, MONDAY, ("S1",), begun)
    given(evolve, None, [TWO]).when(decide, named).then_refused("slot_filled")
    rest = WithdrawNeed(WithdrawReason.OTHER, MONDAY, None, begun)
    expected = WITHDRAWN.model_copy(update={"slot_ids": ("S2",), "reason": "other"})
    given(evolve, None, [TWO]).when(decide, rest).then(expected)
    given(evolve, None, [REGISTERED]).when(decide, rest).then_refused("slot_filled")


REVISED = NeedRevised(
    need_id="N1",
    org_number="310000019",
    revised_on=date(2025, 1, 13),
    occupation="5223",
    hours_per_week=30.0,
    expires_on=date(2025, 7, 13),
)


def test_a_revision_carries_the_whole_new_content_and_leaves_the_clock() -> None:
    command = ReviseNeed(replace(LIER.content, hours_per_week=30.0), MONDAY)
    given(evolve, None, [REGISTERED]).when(decide, command).then(REVISED)
    need = given(evolve, None, [REGISTERED, REVISED]).state
    assert need is not None
    assert need.registered.promise_date == date(2025, 2, 10)
    assert need.last == REVISED


def test_a_revision_that_changes_nothing_is_refused() -> None:
    same = ReviseNeed(LIER.content, MONDAY)
    given(evolve, None, [REGISTERED]).when(decide, same).then_refused("nothing_changed", status=409)
    text_only = ReviseNeed(replace(LIER.content, free=FreeText("Blomster")), MONDAY)
    assert given(evolve, None, [REGISTERED]).when(decide, text_only).refusal is None


def test_a_first_day_that_has_passed_may_stand_in_a_revision() -> None:
    started = REGISTERED.model_copy(update={"start_from": date(2025, 1, 14)})
    content = replace(LIER.content, start_from=date(2025, 1, 14), hours_per_week=30.0)
    later = datetime(2025, 1, 20, 9, tzinfo=UTC)
    outcome = given(evolve, None, [started]).when(decide, ReviseNeed(content, later))
    assert outcome.refusal is None


def test_a_closed_need_is_not_revised() -> None:
    command = ReviseNeed(replace(LIER.content, hours_per_week=30.0), MONDAY)
    given(evolve, None, [REGISTERED, WITHDRAWN]).when(decide, command).then_refused("need_closed", status=409)


def expired(day: date, *slots: str) -> NeedExpired:
    return NeedExpired(need_id="N1", org_number="310000019", slot_ids=slots, expired_on=day)


def test_unfilled_places_expire_on_the_day_after_the_last_open_one() -> None:
    on_the_day = ExpireNeed(datetime(2025, 7, 13, 21, 59, tzinfo=UTC))
    given(evolve, None, [TWO]).when(decide, on_the_day).then()
    after = ExpireNeed(datetime(2025, 7, 13, 22, 0, tzinfo=UTC))
    given(evolve, None, [TWO]).when(decide, after).then(expired(date(2025, 7, 14), "S1", "S2"))


def test_a_place_that_somebody_has_does_not_expire() -> None:
    after = ExpireNeed(datetime(2025, 8, 1, 9, tzinfo=UTC), frozenset({"S1"}))
    given(evolve, None, [TWO]).when(decide, after).then(expired(date(2025, 8, 1), "S2"))
    given(evolve, None, [REGISTERED]).when(decide, after).then()


def test_a_need_of_the_first_version_without_a_last_open_day_never_expires() -> None:
    old = REGISTERED.model_copy(update={"expires_on": None})
    given(evolve, None, [old]).when(decide, ExpireNeed(datetime(2035, 1, 1, tzinfo=UTC))).then()


def test_a_warning_that_was_seen_is_no_hindrance() -> None:
    content = replace(LIER.content, free=FreeText("Lønnstilskudd i butikk"))
    seen = replace(LIER, content=content, accepted_warnings=frozenset({"subsidy_in_text"}))
    assert given(evolve, None).when(decide, seen).refusal is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("withdraw"), st.sets(st.integers(0, 3), min_size=1), st.sets(st.integers(0, 3))),
        st.tuples(st.just("withdraw_all"), st.just(set()), st.sets(st.integers(0, 3))),
        st.tuples(st.just("expire"), st.just(set()), st.sets(st.integers(0, 3))),
        st.tuples(st.just("revise"), st.just(set()), st.just(set())),
    ),
    max_size=8,
)


@examples(STEPS)
def test_each_place_is_closed_once_and_the_clock_never_moves(steps: list[tuple[str, set[int], set[int]]]) -> None:
    slots = tuple(f"S{n}" for n in range(4))
    events: list[Event] = [REGISTERED.model_copy(update={"slot_ids": slots})]
    closed: list[str] = []
    for number, (what, named, taken) in enumerate(steps):
        at = datetime(2025, 8, 1 + number, 9, tzinfo=UTC)
        held = frozenset(slots[n] for n in taken)
        chosen = None if what == "withdraw_all" else tuple(slots[n] for n in sorted(named))
        choices: dict[str, NeedCommand] = {
            "withdraw": WithdrawNeed(WithdrawReason.OTHER, at, chosen, held),
            "withdraw_all": WithdrawNeed(WithdrawReason.OTHER, at, None, held),
            "expire": ExpireNeed(at, held),
            "revise": ReviseNeed(Content("5223", hours_per_week=10.0 + number), at),
        }
        outcome = given(evolve, None, events).when(decide, choices[what])
        for event in outcome.events:
            if isinstance(event, NeedWithdrawn | NeedExpired):
                assert not held.intersection(event.slot_ids)
                closed += event.slot_ids
        events += outcome.events
    assert len(closed) == len(set(closed))
    need = given(evolve, None, events).state
    assert need is not None
    assert need.closed == set(closed)
    assert need.registered.promise_date == date(2025, 2, 10)
    assert set(due(need, date(2030, 1, 1))) == set(slots) - set(closed)
