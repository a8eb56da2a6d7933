"""A process that stood still takes what arrives for late, and nothing else."""

from __future__ import annotations

import pytest

from chassis import pulse
from chassis.pulse import BEAT_SECONDS, STILL_SECONDS, WAKING_SECONDS, Pulse


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(pulse, "monotonic", time)
    return time


async def test_a_process_that_runs_takes_nothing_for_late(time: Time) -> None:
    beat = Pulse()
    async with beat.beating():
        for _ in range(40):
            time.now += BEAT_SECONDS
            assert not beat.just_woke()


async def test_a_busy_moment_is_not_taken_for_standing_still(time: Time) -> None:
    beat = Pulse()
    async with beat.beating():
        time.now += STILL_SECONDS
        assert not beat.just_woke()


async def test_what_comes_out_of_the_buffers_after_a_pause_is_late_before_the_first_beat_and_for_a_while(
    time: Time,
) -> None:
    beat = Pulse()
    async with beat.beating():
        time.now += STILL_SECONDS + 0.1
        assert beat.just_woke()
        time.now += WAKING_SECONDS - 0.1
        assert beat.just_woke()
        time.now += 0.2
        assert not beat.just_woke()


async def test_without_a_pulse_nothing_is_late(time: Time) -> None:
    beat = Pulse()
    time.now += 1000
    assert not beat.just_woke()
    async with beat.beating():
        assert not beat.just_woke()
    time.now += 1000
    assert not beat.just_woke()
