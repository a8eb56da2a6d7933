"""The traps that reporting of this kind fell into, each with the smallest story that shows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chassis.projection import Record, fold_all
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.days import oslo_day, promise_date
from contracts.event import Event
from contracts.plans import DelayReported
from contracts.refused import Refused
from services.reporting.domain.facts import Slot, slot
from services.reporting.domain.filters import Filter
from services.reporting.domain.periods import Period
from services.reporting.domain.table import Table
from services.reporting.views import placement
from tests.gwt import records
from tests.overviews import trakt, utfall, ventetid

NEED, SLOT, ORG = "N1", "S1", "315486892"
CASE = {"match_id": "M1", "need_id": NEED, "slot_id": SLOT, "candidate_id": "C1", "org_number": ORG}
AGREEMENT = {**CASE, "agreement_id": "A1"}
TRIAL = {**AGREEMENT, "trial_id": "T1"}
TODAY = date(2027, 1, 1)


def registered(day: date, *slots: str, start_from: date | None = None) -> it.NeedRegistered:
    return it.NeedRegistered(
        need_id=NEED,
        org_number=ORG,
        municipality="3312",
        occupation="5223",
        slot_ids=slots or (SLOT,),
        intermediary="refugee_service",
        hours_per_week=37.5,
        start_from=start_from,
        registered_on=day,
        promise_date=promise_date(day),
    )


def presented(day: date, **case: str) -> ma.CandidatePresented:
    return ma.CandidatePresented(**{**CASE, **case}, presented_on=day)


def concluded(day: date) -> fo.AgreementConcluded:
    return fo.AgreementConcluded(**AGREEMENT, concluded_on=day, measure="work_training", start_on=day, end_on=day)


def started(day: date, *, recorded: datetime | None = None) -> fo.TrialStarted:
    return fo.TrialStarted(
        **TRIAL,
        on=day,
        confirmed_by="employer",
        measure="work_training",
        end_on=day + timedelta(days=60),
        days_from_need=0,
        within_promise=True,
        rule_version="1",
        occurred=recorded,
    )


def closed(day: date, outcome: str = "hired") -> fo.TrialClosed:
    return fo.TrialClosed(**TRIAL, on=day, outcome=outcome, reason="period_completed")


def happened(*events: Event) -> list[Record]:
    sources = {"intake": it.SOURCE, "matching": ma.SOURCE, "followup": fo.SOURCE, "plans": fo.SOURCE}
    by_source: dict[str, list[Event]] = {source: [] for source in sources.values()}
    for event in events:
        by_source[sources[type(event).__module__.removeprefix("contracts.")]].append(event)
    return [record for source, told in by_source.items() for record in records(source, told)]


def slots(*events: Event) -> list[Slot]:
    facts = (slot(key, document) for key, document in fold_all(placement, happened(*events)).items())
    return [fact for fact in facts if fact is not None]


def stage(table: Table, name: str) -> Any:
    return next(row["number"] for row in table.rows if row["stage"] == name)


def waiting(table: Table) -> dict[str, Any]:
    return {str(row["waiting"]): row["slots"] for row in table.rows if row["slots"] and row["waiting"] != "total"}


def figures(table: Table) -> dict[str, Any]:
    return {figure.id: figure.value for figure in table.figures}


def test_somebody_presented_in_january_and_hired_in_february_is_one_in_each_stage_of_the_year() -> None:
    told = slots(
        registered(date(2025, 1, 2)),
        presented(date(2025, 1, 20)),
        started(date(2025, 1, 27)),
        closed(date(2025, 2, 14)),
    )
    january, february, year = (
        trakt(told, Filter(period=Period.parse(text))) for text in ("2025M01", "2025M02", "2025")
    )
    assert [stage(table, "presented") for table in (january, february, year)] == [1, 0, 1]
    assert [stage(table, "hired") for table in (january, february, year)] == [0, 1, 1]


def test_a_reversed_presentation_is_not_counted_in_the_month_it_was_made_in() -> None:
    told = [registered(date(2025, 1, 2)), presented(date(2025, 1, 20))]
    taken_back = ma.PresentationReversed(**CASE, reversed_on=date(2025, 2, 3))
    assert stage(trakt(slots(*told), Filter(period=Period(2025, 1))), "presented") == 1
    assert stage(trakt(slots(*told, taken_back), Filter(period=Period(2025, 1))), "presented") == 0
    again = slots(*told, taken_back, presented(date(2025, 2, 4)))
    assert stage(trakt(again, Filter(period=Period(2025, 1))), "presented") == 0
    assert stage(trakt(again, Filter(period=Period(2025))), "presented") == 1


def test_an_annulled_agreement_is_honoured_by_every_table() -> None:
    annulled = fo.AgreementAnnulled(**AGREEMENT, annulled_on=date(2025, 3, 3), reason="registered_by_mistake")
    told = slots(
        registered(date(2025, 1, 2)),
        concluded(date(2025, 1, 10)),
        started(date(2025, 1, 13)),
        closed(date(2025, 2, 14)),
        annulled,
    )
    funnel = trakt(told, Filter())
    assert [stage(funnel, name) for name in ("agreed", "started", "hired")] == [0, 0, 0]
    assert waiting(ventetid(told, Filter(), TODAY)) == {"not_started": 1}
    assert set(figures(utfall(told, Filter())).values()) == {0}


def test_a_no_show_after_the_start_undoes_it_and_a_start_after_a_no_show_counts() -> None:
    no_show = fo.NoShowReported(**AGREEMENT, on=date(2025, 1, 13), reported_by="employer")
    begin = registered(date(2025, 1, 2))
    assert waiting(ventetid(slots(begin, started(date(2025, 1, 13)), no_show), Filter(), TODAY)) == {"not_started": 1}
    assert waiting(ventetid(slots(begin, no_show, started(date(2025, 1, 14))), Filter(), TODAY)) == {"8_14": 1}


def test_a_match_made_by_mistake_never_happened_and_another_cancelled_one_was_presented_all_the_same() -> None:
    told = [registered(date(2025, 1, 2)), presented(date(2025, 1, 20))]

    def cancelled(reason: str) -> ma.MatchCancelled:
        return ma.MatchCancelled(**CASE, cancelled_on=date(2025, 1, 30), reason=reason)

    chosen = slots(*told, cancelled("other_candidate_chosen"))
    assert stage(trakt(chosen, Filter()), "presented") == 1
    assert stage(trakt(slots(*told, cancelled("registered_by_mistake")), Filter()), "presented") == 0


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (0, "0_7"),
        (7, "0_7"),
        (8, "8_14"),
        (14, "8_14"),
        (15, "15_28"),
        (28, "15_28"),
        (29, "29_56"),
        (56, "29_56"),
        (57, "57_"),
        (400, "57_"),
    ],
)
def test_each_number_of_days_lies_in_one_class(days: int, code: str) -> None:
    table = ventetid(slots(registered(date(2025, 1, 2)), started(date(2025, 1, 2) + timedelta(days))), Filter(), TODAY)
    assert waiting(table) == {code: 1}
    assert figures(table)["within_promise"] == (1 if days <= 28 else 0)


def test_day_28_over_daylight_saving_keeps_the_promise_and_day_29_misses_it() -> None:
    begin = registered(oslo_day(datetime(2026, 3, 1, 12, tzinfo=UTC)))
    assert figures(ventetid(slots(begin, started(date(2026, 3, 29))), Filter(), TODAY))["within_promise"] == 1
    assert figures(ventetid(slots(begin, started(date(2026, 3, 30))), Filter(), TODAY))["within_promise"] == 0


def test_a_need_registered_late_in_the_evening_utc_belongs_to_the_next_day_and_month_in_oslo() -> None:
    begin = registered(oslo_day(datetime(2026, 2, 28, 23, 30, tzinfo=UTC)))
    table = ventetid(slots(begin, started(date(2026, 3, 29))), Filter(period=Period(2026, 3)), TODAY)
    assert (waiting(table), figures(table)["median"]) == ({"15_28": 1}, Decimal("28.0"))


def test_a_start_counts_on_the_day_the_candidate_showed_up_whenever_it_was_typed() -> None:
    typed_later = started(date(2025, 1, 31), recorded=datetime(2025, 2, 7, 9, tzinfo=UTC))
    funnel = trakt(slots(registered(date(2025, 1, 6)), typed_later), Filter(period=Period(2025, 1)))
    assert stage(funnel, "started") == 1


def test_days_from_december_to_february_are_counted_over_the_turn_of_the_year() -> None:
    table = ventetid(slots(registered(date(2024, 12, 31)), started(date(2025, 2, 1))), Filter(), TODAY)
    assert (waiting(table), figures(table)["median"]) == ({"29_56": 1}, Decimal("32.0"))


def test_events_that_come_twice_count_once() -> None:
    told = happened(registered(date(2025, 1, 2)), presented(date(2025, 1, 20)), started(date(2025, 1, 27)))
    assert fold_all(placement, [*told, *told, *reversed(told)]) == fold_all(placement, told)


def test_a_withdrawn_slot_is_a_class_of_its_own_and_not_due() -> None:
    taken_back = it.NeedWithdrawn(
        need_id=NEED, org_number=ORG, slot_ids=("S1", "S2"), reason="no_longer_needed", withdrawn_on=date(2025, 2, 20)
    )
    told = slots(registered(date(2025, 1, 2), "S1", "S2"), started(date(2025, 1, 20)), taken_back)
    table = ventetid(told, Filter(), TODAY)
    assert waiting(table) == {"15_28": 1, "withdrawn": 1}
    assert (figures(table)["within_promise"], figures(table)["due"]) == (1, 1)


def test_a_slot_not_started_counts_against_the_promise_from_the_day_after_the_promise_date() -> None:
    told = slots(registered(date(2025, 1, 2)))
    assert figures(ventetid(told, Filter(), date(2025, 1, 30)))["due"] == 0
    late = figures(ventetid(told, Filter(), date(2025, 1, 31)))
    assert (late["due"], late["within_promise"], late["within_promise_share"]) == (1, 0, Decimal("0.0"))


def test_a_start_window_after_day_28_stays_in_the_figure_and_is_shown_apart() -> None:
    begin = registered(date(2025, 1, 2), start_from=date(2025, 1, 31))
    late = figures(ventetid(slots(begin, started(date(2025, 1, 31))), Filter(), TODAY))
    assert (late["due"], late["within_promise_share"], late["late_window"]) == (1, Decimal("0.0"), 1)
    assert late["within_promise_share_without_late_window"] is None


def test_a_slot_is_hired_once_however_many_trials_ended_so() -> None:
    second = {**TRIAL, "trial_id": "T2", "agreement_id": "A2"}
    again = started(date(2025, 5, 5)).model_copy(update=second)
    told = slots(
        registered(date(2025, 1, 2)),
        started(date(2025, 1, 27)),
        closed(date(2025, 3, 1)),
        again,
        closed(date(2025, 8, 1)).model_copy(update=second),
    )
    assert stage(trakt(told, Filter()), "hired") == 1
    assert stage(trakt(told, Filter()), "started") == 1


def test_wanting_to_hire_is_not_hired() -> None:
    answer = ma.EmployerResponded(**CASE, responded_on=date(2025, 1, 22), response="wants_to_hire")
    told = slots(registered(date(2025, 1, 2)), presented(date(2025, 1, 20)), answer)
    assert stage(trakt(told, Filter()), "hired") == 0


@pytest.mark.parametrize("text", ["2025M13", "2025M1", "25", "2025-01", "2025M01\n", ""])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        Period.parse(text)
    assert (refusal.value.code, refusal.value.fields) == ("bad_period", ("/period",))


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ({"region": "331"}, "bad_region"),
        ({"measure": "holiday"}, "unknown_measure"),
        ({"intermediary": "bank"}, "unknown_intermediary"),
    ],
)
def test_a_filter_that_nothing_can_match_is_refused(filters: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        Filter(**filters)  # type: ignore[arg-type]
    assert refusal.value.code == code


def test_a_reversed_outcome_restates_the_period_that_it_belonged_to() -> None:
    begin = [registered(date(2025, 1, 2)), started(date(2025, 1, 13)), closed(date(2025, 3, 31))]
    taken_back = fo.OutcomeReversed(
        **TRIAL, reversed_on=date(2025, 4, 9), outcome="hired", reason="registered_by_mistake"
    )
    right = closed(date(2025, 3, 31), "education")
    march = Filter(period=Period(2025, 3))
    before, after = slots(*begin), slots(*begin, taken_back, right)
    assert stage(trakt(before, march), "hired") == 1
    assert stage(trakt(after, march), "hired") == 0
    ended = {row["outcome"]: row["trials"] for row in utfall(after, march).rows}
    assert (ended["hired"], ended["education"], ended["total"]) == (0, 1, 1)


def test_who_was_hired_by_mistake_is_not_counted_as_still_employed() -> None:
    still = fo.EmploymentConfirmed(
        **TRIAL, after_months=3, employed=True, on=date(2025, 6, 30), confirmed_by="employer"
    )
    begin = [registered(date(2025, 1, 2)), started(date(2025, 1, 13)), closed(date(2025, 3, 31)), still]
    told = figures(utfall(slots(*begin), Filter()))
    # After six months nobody has said anything: that nobody is employed is not told.
    assert [told[f"{part}_{months}"] for months in (3, 6) for part in ("employed", "confirmed")] == [1, 1, 0, 0]
    # Counted with those who were hired when, not when somebody answered.
    assert figures(utfall(slots(*begin), Filter(period=Period(2025, 3))))["employed_3"] == 1
    taken_back = fo.OutcomeReversed(**TRIAL, reversed_on=date(2025, 7, 1), outcome="hired", reason="other")
    assert (
        figures(utfall(slots(*begin, taken_back, closed(date(2025, 3, 31), "no_offer")), Filter()))["employed_3"] == 0
    )


def test_an_agreement_that_is_changed_counts_as_agreed_when_all_have_approved_again() -> None:
    changed = fo.AgreementChanged(
        **AGREEMENT,
        content_version=2,
        changed_on=date(2025, 1, 20),
        effective_on=date(2025, 2, 3),
        measure="work_training",
        start_on=date(2025, 2, 3),
        end_on=date(2025, 4, 30),
        hours_per_week=20.0,
        decision_maker_needed=False,
        rule_version="1",
    )
    begin = [registered(date(2025, 1, 2)), concluded(date(2025, 1, 10)), changed]
    assert stage(trakt(slots(*begin), Filter()), "agreed") == 0
    again = slots(*begin, concluded(date(2025, 2, 1)))
    assert [stage(trakt(again, Filter(period=Period(2025, month))), "agreed") for month in (1, 2)] == [0, 1]


def test_a_delay_caused_by_the_employer_stays_in_the_figure_and_is_shown_apart() -> None:
    delay = DelayReported(
        need_id=NEED,
        slot_id=SLOT,
        org_number=ORG,
        caused_by="employer",
        reason="no_answer",
        from_on=date(2025, 1, 10),
        reported_on=date(2025, 1, 20),
    )
    late = figures(ventetid(slots(registered(date(2025, 1, 2)), delay, started(date(2025, 2, 10))), Filter(), TODAY))
    assert (late["due"], late["within_promise_share"], late["employer_delay"]) == (1, Decimal("0.0"), 1)
    assert late["within_promise_share_without_employer_delay"] is None
    own = delay.model_copy(update={"caused_by": "participant"})
    assert figures(ventetid(slots(registered(date(2025, 1, 2)), own), Filter(), TODAY))["employer_delay"] == 0


def test_a_need_of_an_ended_municipality_counts_in_the_one_that_it_is_today() -> None:
    old = registered(date(2023, 5, 2)).model_copy(update={"municipality": "3049"})
    for region in ("3312", "3049", "0626", "33"):
        assert stage(trakt(slots(old), Filter(region=region)), "needs") == 1
    assert stage(trakt(slots(old), Filter(region="3301")), "needs") == 0


def test_a_need_of_a_divided_municipality_counts_in_its_county_alone() -> None:
    divided = registered(date(2023, 5, 2)).model_copy(update={"municipality": "1507"})
    assert stage(trakt(slots(divided), Filter(region="15")), "needs") == 1
    assert [stage(trakt(slots(divided), Filter(region=part)), "needs") for part in ("1508", "1580")] == [0, 0]
