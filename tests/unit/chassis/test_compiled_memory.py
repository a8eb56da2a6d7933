"""What a compiled fold takes of memory and time, and that it gives it back."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import pytest

from chassis.compiled import Compiled
from contracts import intake as it
from services.reporting.views import placement
from tests.unit.chassis.batches import same, sent
from tests.unit.chassis.test_compiled import NEED, batches_of, simulated
from tests.unit.contracts.examples import EXAMPLES


def test_what_made_and_dropped_folds_take_is_given_back() -> None:
    batches, size = batches_of(simulated(20), 50), 0
    for number in range(300):
        fold = Compiled(placement, {it.SOURCE: number} if number % 3 else None)
        assert {fold.fold(each) for each in batches} == {None}
        for _ in fold.documents(500):
            pass
        assert fold.size > 0
        del fold
        if number == 100:
            gc.collect()
            size = resident()
    assert resident() - size < 10_000_000, "bytes"


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_how_much_memory_a_fold_takes_counts_positions_too() -> None:
    fold, before = Compiled(placement, None), Compiled(placement, None).size
    noted = [sent(EXAMPLES["dugnad.CandidateErased.v1"], position) for position in range(1, 2_001)]
    assert {fold.fold(each) for each in batches_of(noted, 500)} == {None}
    assert fold.size - before >= 2_000 * 8


def test_very_many_sources_are_told_apart() -> None:
    records = [sent(NEED, 1, source=f"dugnad/intake~{random.Random(each).getrandbits(60)}") for each in range(3_000)]
    found, refused = same(batches_of(records, 1_000))
    assert (refused, len(found.positions), found.counts) == (None, 3_000, (3_000, 0, 0))


def test_nothing_is_folded_once_documents_have_been_given() -> None:
    fold, (batch, again) = Compiled(placement, None), batches_of([sent(NEED, 1), sent(NEED, 2)], 1)
    fold.fold(batch)
    assert [len(some) for some in fold.documents(500)] == [1]
    with pytest.raises(AssertionError, match="given"):
        fold.fold(again)
