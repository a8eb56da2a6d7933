"""The best overall plan, against trying everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.columns import Columns
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.plan import OpenSlot, Outlook, plan
from services.matching.domain.ranking import guards, reasons, total
from tests.unit.matching.matching_facts import NEED, TODAY, WEIGHTS, candidate
from tests.unit.matching.test_matching_columns import NEEDS, PEOPLE, columns_of

FEW = st.lists(PEOPLE, max_size=4, unique_by=lambda each: each.candidate_id)


def slots_of(needs: list[NeedFacts]) -> list[OpenSlot]:
    return [OpenSlot(slot_id, need) for need in needs for slot_id in need.slot_ids]


def named(needs: list[NeedFacts]) -> list[NeedFacts]:
    """Needs of their own, the later ones with later promise dates, of one or two slots."""
    return [
        replace(
            need,
            need_id=f"N{number}",
            slot_ids=tuple(f"S{number}{slot}" for slot in range(1 + number % 2)),
            promise_date=need.promise_date + timedelta(days=number),
        )
        for number, need in enumerate(needs)
    ]


def every_choice(slots: list[OpenSlot], people: list[CandidateFacts]) -> Iterator[tuple[int, int]]:
    """Places filled and sum of scores, of every way to fill some of the slots."""
    if not slots:
        yield 0, 0
        return
    first, rest = slots[0], slots[1:]
    yield from every_choice(rest, people)
    for each in people:
        if not guards(first.need, each, TODAY):
            score = total(reasons(first.need, each, WEIGHTS))
            others = [other for other in people if other is not each]
            yield from ((filled + 1, more + score) for filled, more in every_choice(rest, others))


@settings(max_examples=150, deadline=None)
@given(st.lists(NEEDS, max_size=3).map(named), FEW)
def test_no_other_plan_fills_more_places_or_has_a_higher_sum(
    needs: list[NeedFacts], people: list[CandidateFacts]
) -> None:
    slots = slots_of(needs)
    found = plan(slots, columns_of(people), WEIGHTS, TODAY)
    assert (found.best.filled, found.best.score) == max(every_choice(slots, people))
    assert len({line.candidate_id for line in found.lines}) == len(found.lines)
    assert len({line.slot.slot_id for line in found.lines} | {slot.slot_id for slot in found.unfilled}) == len(slots)
    by_id = {each.candidate_id: each for each in people}
    for line in found.lines:
        assert not guards(line.slot.need, by_id[line.candidate_id], TODAY)
        assert line.score == total(reasons(line.slot.need, by_id[line.candidate_id], WEIGHTS))
    assert (found.greedy.filled, found.greedy.score) <= (found.best.filled, found.best.score)


def test_two_places_are_filled_where_choosing_one_by_one_fills_one() -> None:
    """Only one of the two may drive; taken for the first place, nobody is left for the one that needs a driver.

    Filling both comes before points: the driver alone, in the first place, would have more than the two together.
    """
    first = replace(NEED, need_id="N1", slot_ids=("S1",))
    driving = replace(first, need_id="N2", slot_ids=("S2",), licences=("B",), occupation="8322", municipality="0301")
    driver = candidate("C1", licences=("B",))
    other = replace(driver, candidate_id="C2", licences=(), municipality="0301", wished_occupations=(), experience=())
    found = plan(slots_of([first, driving]), columns_of([driver, other]), WEIGHTS, TODAY)
    assert [(line.slot.slot_id, line.candidate_id) for line in found.lines] == [("S1", "C2"), ("S2", "C1")]
    assert (found.best.filled, found.greedy.filled) == (2, 1)
    assert found.best.score < found.greedy.score, "the sum of points alone would leave a place empty"


def test_whoever_was_tried_for_a_place_is_not_proposed_for_it_again() -> None:
    one, other = slots_of([NEED])
    tried = replace(one, tried=frozenset({"C1", "somebody who has left"}))
    found = plan([tried, other], columns_of([candidate("C1")]), WEIGHTS, TODAY)
    assert [(line.slot.slot_id, line.candidate_id) for line in found.lines] == [("S2", "C1")]
    alone = plan([tried], columns_of([candidate("C1")]), WEIGHTS, TODAY)
    assert (alone.lines, alone.greedy.filled) == ((), 0)


def test_a_plan_without_places_or_people_is_empty() -> None:
    nothing = Outlook(0, 0)
    assert plan([], columns_of([candidate()]), WEIGHTS, TODAY).best == nothing
    alone = plan(slots_of([NEED]), Columns(), WEIGHTS, TODAY)
    assert (alone.best, [slot.slot_id for slot in alone.unfilled]) == (nothing, ["S1", "S2"])
    unready = plan(slots_of([NEED]), columns_of([candidate(ready=False)]), WEIGHTS, TODAY)
    assert (unready.best, unready.greedy, len(unready.unfilled)) == (nothing, nothing, 2)


def test_the_plan_is_the_same_in_whatever_order_people_and_places_come() -> None:
    needs = named([NEED, NEED, NEED])
    people = [candidate(f"C{number}") for number in range(6)]
    one = plan(slots_of(needs), columns_of(people), WEIGHTS, TODAY)
    everybody = columns_of(people[::-1])
    other = plan(slots_of(needs)[::-1], everybody.only(everybody.having()), WEIGHTS, TODAY)
    assert other == one


@settings(max_examples=100, deadline=None)
@given(
    st.lists(NEEDS, min_size=1, max_size=3).map(named),
    st.lists(PEOPLE, max_size=12, unique_by=lambda each: each.candidate_id),
)
def test_place_by_place_each_takes_the_first_of_the_best_who_are_left(
    needs: list[NeedFacts], people: list[CandidateFacts]
) -> None:
    left, filled, score = list(people), 0, 0
    slots = slots_of(needs)
    for slot in sorted(slots, key=lambda each: each.urgency):
        fit = [each for each in left if not guards(slot.need, each, TODAY)]
        if fit:
            best = max(fit, key=lambda each: total(reasons(slot.need, each, WEIGHTS)))
            filled, score = filled + 1, score + total(reasons(slot.need, best, WEIGHTS))
            left.remove(best)
    assert plan(slots, columns_of(people), WEIGHTS, TODAY).greedy == Outlook(filled, score)


def test_of_many_people_the_plan_looks_at_the_best_alone_and_finds_the_same() -> None:
    """More people than `plan` looks at for two places: the best two for each stand among the worst of all rows."""
    slots = slots_of([NEED])
    crowd = [candidate(f"C{number:03}", wished_occupations=(), experience=()) for number in range(100)]
    best = [candidate("C998"), candidate("C999")]
    found = plan(slots, columns_of([*crowd, *best]), WEIGHTS, TODAY)
    assert sorted(line.candidate_id for line in found.lines) == ["C998", "C999"]
    assert found == plan(slots, columns_of(best), WEIGHTS, TODAY)
