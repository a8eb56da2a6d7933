"""How often a client may call."""

from __future__ import annotations

import pytest

from chassis import ratelimit
from chassis.ratelimit import Buckets


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_client_that_keeps_to_its_calls_per_window_is_never_refused() -> None:
    time = Time()
    buckets = Buckets(30, 10, time)
    for window in range(5):
        time.at = window * 10.0
        assert [buckets.take("a") for _ in range(30)] == [0.0] * 30


def test_one_call_too_many_waits_for_the_next_token_and_another_client_does_not() -> None:
    time = Time()
    buckets = Buckets(2, 10, time)
    assert [buckets.take("a"), buckets.take("a"), buckets.take("b")] == [0.0, 0.0, 0.0]
    assert buckets.take("a") == pytest.approx(5)
    time.at = 4.0
    assert buckets.take("a") == pytest.approx(1)
    time.at = 5.0
    assert buckets.take("a") == 0


def test_what_is_kept_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "CLIENTS", 3)
    buckets = Buckets(1, 10, Time())
    for number in range(10):
        assert buckets.take(str(number)) == 0
    assert len(buckets._left) == 3


@pytest.mark.parametrize(("calls", "seconds"), [(0, 10), (1, 0)])
def test_a_limit_that_lets_nobody_through_is_refused(calls: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="at least one call"):
        Buckets(calls, seconds)
