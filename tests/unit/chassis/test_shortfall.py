"""What a topic lacks of what was handled, told from its last records."""

from __future__ import annotations

import pytest

from chassis.shortfall import Short, short

INTAKE, AGAIN = "dugnad/intake", "dugnad/intake~2"


@pytest.mark.parametrize(
    ("done", "heads", "lacking"),
    [
        ({}, {}, {}),
        ({INTAKE: 7}, {INTAKE: 7}, {}),
        ({INTAKE: 7}, {INTAKE: 9, "dugnad/matching": 2}, {}),
        ({INTAKE: 7}, {}, {INTAKE: (0, 7)}),
        ({INTAKE: 7}, {INTAKE: 3}, {INTAKE: (3, 7)}),
        # Of an earlier source the last records may tell nothing any more.
        ({INTAKE: 7, AGAIN: 2}, {INTAKE: 3, AGAIN: 2}, {}),
        ({INTAKE: 7}, {AGAIN: 1}, {}),
        ({INTAKE: 7, AGAIN: 2}, {INTAKE: 7}, {AGAIN: (0, 2)}),
    ],
    ids=["nothing", "the same", "behind", "emptied", "cut off", "continued", "not heard of it", "continued, cut off"],
)
def test_only_the_newest_source_of_a_log_tells(done: dict[str, int], heads: dict[str, int], lacking: Short) -> None:
    assert short(done, heads) == lacking
