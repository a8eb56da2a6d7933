"""How many processes fold, and which partitions each of them is given."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chassis import native
from deploy.cli.arguments import parse
from deploy.cli.building import slower
from deploy.cli.workers import EVENTS_WORTH_A_WORKER, cores, shares, worth
from services.reporting.views import persons, placement


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_is_none_is_wrong_usage(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["rebuild", "intake/needs", f"--workers={number}"])
    assert ended.value.code == 2
    assert f"{number} is no number of processes: give 1 or more" in capsys.readouterr().err
    assert parse(["rebuild", "intake/needs", "--workers", "3"]).workers == 3
    assert parse(["rebuild", "intake/needs"]).workers is None


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, [[0, 1, 2, 3, 4, 5]]),
        (2, [[0, 2, 4], [1, 3, 5]]),
        (4, [[0, 4], [1, 5], [2], [3]]),
        (9, [[n] for n in range(6)]),
    ],
)
def test_each_partition_is_given_to_one_worker(workers: int, expected: Sequence[Sequence[int]]) -> None:
    assert shares(range(6), workers) == expected


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1


@pytest.mark.parametrize(("events", "expected"), [(0, 1), (1, 1), (2, 2), (3, 3), (100, 4)])
def test_without_a_number_there_are_as_many_workers_as_events_make_worth_while_and_no_more_than_cores(
    events: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.cli.workers.cores", lambda: 4)
    assert worth(events * EVENTS_WORTH_A_WORKER) == expected


def test_the_plan_of_a_rebuild_says_where_the_compiled_fold_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert slower(placement) == []
    monkeypatch.setattr(native, "library", lambda: None)
    (line,) = slower(placement)
    assert "make install" in line
    assert slower(persons) == [], "that is code, and folded in Python anyway"
