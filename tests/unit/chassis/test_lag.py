"""Lag: in events and in seconds, of what took effect."""

from __future__ import annotations

from aiokafka import TopicPartition

from chassis.lag import MOST_HEADS, Lag

ONE, TWO = TopicPartition("t", 1), TopicPartition("t", 2)


def test_what_was_fetched_and_not_done_is_behind() -> None:
    lag = Lag()
    lag.begin(ONE, 3)
    lag.look(100.0, {ONE: 10})
    assert (lag.events(), lag.seconds(107.0)) == (7, 7.0)
    lag.done({ONE: 10})
    assert (lag.events(), lag.seconds(107.0)) == (0, 0.0)


def test_the_age_is_that_of_the_oldest_end_not_yet_reached() -> None:
    lag = Lag()
    lag.begin(ONE, 0)
    for now, end in ((100.0, 10), (110.0, 20), (120.0, 20), (130.0, 30)):
        lag.look(now, {ONE: end})
    lag.done({ONE: 15})
    assert (lag.events(), lag.seconds(130.0)) == (15, 20.0)
    lag.done({ONE: 20})
    assert (lag.events(), lag.seconds(130.0)) == (10, 0.0)


def test_a_reader_that_keeps_up_with_a_steady_stream_is_not_stale() -> None:
    lag = Lag()
    lag.begin(ONE, 0)
    for second in range(1, 100):
        lag.done({ONE: second * 10 - 5})
        lag.look(float(second), {ONE: second * 10})
        assert (lag.events(), lag.seconds(float(second))) == (5, 0.0)


def test_the_slowest_partition_counts_and_events_add_up() -> None:
    lag = Lag()
    lag.begin(ONE, 0)
    lag.begin(TWO, 0)
    lag.look(100.0, {ONE: 5})
    lag.look(110.0, {ONE: 5, TWO: 2})
    assert (lag.events(), lag.seconds(110.0)) == (7, 10.0)


def test_a_partition_that_went_to_another_member_no_longer_counts() -> None:
    lag = Lag()
    lag.begin(ONE, 0)
    lag.look(100.0, {ONE: 5})
    lag.forget()
    assert lag.events() == 0
    lag.begin(TWO, 4)
    lag.look(110.0, {TWO: 4})
    assert (lag.events(), lag.seconds(120.0)) == (0, 0.0)


def test_a_topic_made_anew_begins_anew() -> None:
    lag = Lag()
    lag.begin(ONE, 100)
    lag.look(100.0, {ONE: 120})
    lag.look(110.0, {ONE: 3})
    lag.done({ONE: 2})
    assert (lag.events(), lag.seconds(115.0)) == (1, 5.0)


def test_a_partition_that_stands_still_for_days_costs_no_memory_and_keeps_its_age() -> None:
    lag = Lag()
    lag.begin(ONE, 0)
    for look in range(10 * MOST_HEADS):
        lag.look(float(look), {ONE: look + 1})
    assert (lag.events(), lag.seconds(float(10 * MOST_HEADS))) == (10 * MOST_HEADS, float(10 * MOST_HEADS))
    assert len(lag._heads[ONE]) == MOST_HEADS
    lag.done({ONE: 10 * MOST_HEADS})
    assert lag.seconds(1e9) == 0.0
