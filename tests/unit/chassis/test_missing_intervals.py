"""Which positions are missing, against a plain count of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import progress as module
from chassis.progress import Progress

SMALL_BLOCK = 8


class _Blocks:
    """Stored progress of one source, without an engine."""

    def __init__(self, handled: set[int]) -> None:
        self._bits: dict[int, int] = {}
        for position in handled:
            block, offset = divmod(position - 1, SMALL_BLOCK)
            self._bits[block] = self._bits.get(block, 0) | 1 << offset

    def __getitem__(self, _: str) -> _Blocks:
        return self

    async def find_one(self, _: Mapping[str, Any]) -> None:
        return None

    async def find(self, _: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        for block, bits in self._bits.items():
            yield {"block": block, "bits": bits.to_bytes((bits.bit_length() + 7) // 8, "little")}


def _plainly(handled: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for position in range(1, max(handled, default=0) + 1):
        if position in handled:
            continue
        if found and found[-1][1] == position - 1:
            found[-1] = (found[-1][0], position)
        else:
            found.append((position, position))
    return found


@pytest.fixture(scope="module", autouse=True)
def _small_blocks() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", SMALL_BLOCK)
        patch.setattr(module, "FULL", (1 << SMALL_BLOCK) - 1)
        yield


@given(st.sets(st.integers(1, 50)), st.integers(1, 6))
async def test_the_missing_intervals_are_the_first_ones_of_those_that_a_plain_count_finds(
    handled: set[int], most: int
) -> None:
    progress = Progress(_Blocks(handled), "p")  # type: ignore[arg-type]  # as far as it is asked
    assert await progress.missing_intervals("s", most) == _plainly(handled)[:most]
