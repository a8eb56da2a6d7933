"""The columns that a process keeps follow the view, whatever comes between two looks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.projection import Document, Record, fold_one, visible
from contracts import followup, intake, matching
from contracts.event import Event
from contracts.intake import CandidateErased, CandidateMerged, ConsentWithdrawn
from services.matching.domain.columns import Columns
from services.matching.domain.ranking import reasons, total
from services.matching.domain.scoring import Scorer
from services.matching.pool import Pool
from services.matching.snapshots import absorbed_in, candidate_facts, is_known
from services.matching.views import POOL
from tests.gwt import records
from tests.unit.matching.matching_facts import NEED, TODAY, WEIGHTS, closed, confirmed, proposed, started, told
from tests.unit.matching.test_matching_views import person


class HeldView:
    """A view in memory: as much of `chassis.projector.View` as the pool asks for."""

    def __init__(self) -> None:
        self.sources = frozenset({intake.SOURCE, matching.SOURCE, followup.SOURCE})
        self.progress = object()
        self.states: dict[str, Document] = {}
        self._folded: dict[str, set[int]] = {source: set() for source in self.sources}
        self.asked: list[int] = []

    def fold(self, record: Record) -> None:
        for key in POOL.keys(record):
            self.states[key] = fold_one(POOL, key, self.states.get(key), record)
        self._folded[record.source].add(record.position)

    async def complete_to(self, source: str) -> int:
        position = 0
        while position + 1 in self._folded[source]:
            position += 1
        return position

    async def find(self, where: Mapping[str, Any] | None = None, *, limit: int = 0) -> list[Document]:
        found = [{"_id": name, **visible(state)} for name, state in sorted(self.states.items())]
        chosen = [each for each in found if _fits(each, where or {})]
        self.asked.append(len(chosen))
        return chosen[:limit] if limit else chosen


def _fits(document: Document, where: Mapping[str, Any]) -> bool:
    for name, asked in where.items():
        if name == "$or":
            if not any(_fits(document, each) for each in asked):
                return False
            continue
        value: Any = document
        for part in name.split("."):
            value = value.get(part, None) if isinstance(value, dict) else None
        if "$gt" in asked and not (value is not None and value > asked["$gt"]):
            return False
        if "$in" in asked and value not in asked["$in"]:
            return False
    return True


HEARD: list[Event] = [
    *person("C1"),
    *person("C2"),
    *person("C3"),
    ConsentWithdrawn(candidate_id="C2", scope="matching", withdrawn_on=TODAY),
    CandidateMerged(candidate_id="C1", merged_into="C2", merged_on=TODAY),
    CandidateMerged(candidate_id="C2", merged_into="C3", merged_on=TODAY),
    CandidateErased(candidate_id="C2", erased_on=TODAY),
]
ALL: Sequence[Record] = [
    *records(intake.SOURCE, HEARD),
    *records(matching.SOURCE, told(confirmed("M1", "S1", "C1"), proposed("M2", "S2", "C3"))),
    *records(followup.SOURCE, [started(), closed()]),
]


async def _rows(view: Any, columns: Columns) -> dict[str, tuple[int, int, bool]]:
    """Score, flags and freedom of everybody in the columns."""
    scored = Scorer(columns, WEIGHTS, TODAY).of(NEED)
    flags, listed = columns.of("flags"), columns.having()
    return {
        name: (int(scored.scores[row]), int(flags[row]), bool(scored.free[row]))
        for row, name in enumerate(columns.ids)
        if listed[row]
    }


@settings(deadline=None)
@given(st.permutations(range(len(ALL))), st.sets(st.integers(0, len(ALL) - 1), max_size=6))
def test_the_columns_say_what_the_view_says_however_events_came_and_whenever_they_were_looked_at(
    order: list[int], looks: set[int]
) -> None:
    async def scenario() -> None:
        view: Any = HeldView()
        pool = Pool(view)
        for turn, index in enumerate(_in_subject_order(order)):
            view.fold(ALL[index])
            if turn in looks:
                await pool.refresh()
        kept = await _rows(view, await pool.refresh())
        assert kept == await _rows(view, await Pool(view).refresh())
        for document in await view.find():
            name = document["_id"]
            assert (name in kept) == is_known(document)
            if name in kept:
                facts = candidate_facts(name, document, await absorbed_in(view, document))
                assert kept[name][0] == total(reasons(NEED, facts, WEIGHTS))

    asyncio.run(scenario())


def _in_subject_order(order: Sequence[int]) -> list[int]:
    """The permutation, with the events of each subject in their own order."""
    waiting: dict[str, list[int]] = {}
    for index in range(len(ALL)):
        waiting.setdefault(ALL[index].subject, []).append(index)
    return [waiting[ALL[index].subject].pop(0) for index in order]


def test_only_what_has_changed_is_read_again() -> None:
    async def scenario() -> None:
        view: Any = HeldView()
        people = [event for number in range(30) for event in person(f"C{number:02d}")]
        heard = records(intake.SOURCE, people)
        for record in heard:
            view.fold(record)
        pool = Pool(view)
        assert len(await pool.refresh()) == 30
        view.asked.clear()
        await pool.refresh()
        assert view.asked == [0]
        (more,) = records(
            intake.SOURCE,
            [ConsentWithdrawn(candidate_id="C07", scope="matching", withdrawn_on=TODAY + timedelta(days=1))],
            first=len(heard) + 1,
        )
        view.fold(more)
        view.asked.clear()
        columns = await pool.refresh()
        assert max(view.asked) == 1
        assert int(columns.listed_for("nav").sum()) == 29

    asyncio.run(scenario())
