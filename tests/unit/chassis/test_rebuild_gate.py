"""What stands between a rebuild's consumer and its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.generations import Generation
from chassis.handled import Handled
from chassis.mongo import PyMongoError
from chassis.rebuild import Broken, Gate

GENERATION = Generation("needs", 2, 1)


class Reader:
    """Notes what it is handed."""

    def __init__(self) -> None:
        self.handled: list[Any] = []

    async def handle(self, raws: Sequence[Any]) -> Handled:
        self.handled += raws
        return Handled()

    async def release(self, _: object) -> int:
        return 3


def record(source: str, position: int) -> Any:
    return SimpleNamespace(headers=[("ce_source", source.encode()), ("ce_sequence", f"{position:020d}".encode())])


async def test_behind_a_batch_that_failed_for_good_nothing_is_handled_nor_released() -> None:
    reader = Reader()
    gate = Gate(reader, None)  # type: ignore[arg-type]  # as far as it is asked
    await gate.handle([record("dugnad/intake", 1)])
    gate.check(GENERATION)
    gate.shut(RuntimeError("planted"))
    behind = asyncio.create_task(gate.handle([record("dugnad/intake", 2)]))
    done, _ = await asyncio.wait({behind}, timeout=0.1)
    # Had it come back, its offsets would have been committed past what failed.
    assert not done
    behind.cancel()
    assert len(reader.handled) == 1
    assert await gate.release([]) == 0
    with pytest.raises(Broken) as broken:
        gate.check(GENERATION)
    assert broken.value.generation == GENERATION
    assert isinstance(broken.value.__cause__, RuntimeError)


async def test_an_engine_that_is_away_is_told_as_such_and_the_first_failure_counts() -> None:
    gate = Gate(Reader(), None)  # type: ignore[arg-type]  # as far as it is asked
    gate.shut(PyMongoError("away"))
    gate.shut(RuntimeError("planted"))
    with pytest.raises(PyMongoError, match="away"):
        gate.check(GENERATION)


async def test_what_lies_behind_the_end_does_not_belong_to_the_generation() -> None:
    reader = Reader()
    gate = Gate(reader, {"dugnad/intake": 2, "dugnad/intake~2": 1})  # type: ignore[arg-type]  # as far as it is asked
    sent = [record("dugnad/intake", 2), record("dugnad/intake", 3), record("dugnad/intake~2", 1)]
    strange = SimpleNamespace(headers=[])
    await gate.handle([*sent, record("dugnad/matching", 1), strange])
    # What is no event is handed on: the reader parks it.
    assert reader.handled == [sent[0], sent[2], strange]
