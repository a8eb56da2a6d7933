"""When a steady benchmark says that a command's effect was to be seen."""

from __future__ import annotations

from typing import cast

import pytest

from benchmarks.steady import Watch
from chassis.projector import View


def test_a_position_shows_at_the_first_look_that_was_so_far_or_further() -> None:
    watch = Watch(cast(View, None))
    watch.seen = [(1.0, 2), (2.0, 5), (3.0, 9)]
    assert [watch.shown_at(position) for position in (1, 2, 3, 5, 6, 9)] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    with pytest.raises(IndexError):
        watch.shown_at(10)
