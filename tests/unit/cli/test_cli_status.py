"""What `dugnad status` takes for a fault, and what it shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.cli.output import Output
from deploy.cli.status import all_faults, faults
from deploy.cli.status import status as status_verb


def of(**more: Any) -> dict[str, Any]:
    """A projection as a service tells of it, with nothing wrong."""
    source = {
        "source": "dugnad/intake",
        "complete_to": 9,
        "head": 12,
        "lag_events": 3,
        "lag_seconds": 0.5,
        "missing": [],
        "missing_seconds": 0.0,
    }
    parked = {"events": 0, "subjects": 0}
    generation = {"number": 2, "fold_version": 1, "created": None}
    found = {
        "name": "needs",
        "generation": generation,
        "serving": True,
        "documents": 7,
        "last_error": None,
        "short": [],
    }
    return {**found, "sources": [{**source, **more.pop("source", {})}], "parked": parked, "stopped": [], **more}


def test_a_lag_is_no_fault_but_what_does_not_mend_itself_is() -> None:
    assert faults("intake", of()) == []
    assert faults("intake", of(source={"missing": [[4, 4]], "missing_seconds": 59.0})) == []
    assert faults("intake", of(source={"missing": [[4, 4]], "missing_seconds": 61.0})) == [
        "positions of dugnad/intake are missing for 61 s, from 4"
    ]
    error = {"error": "ValueError in the fold", "at": "2025-01-13T09:00:00Z"}
    assert faults("intake", of(parked={"events": 2, "subjects": 1}, last_error=error)) == [
        "2 events are parked (`dugnad parked list intake/needs`), lastly: ValueError in the fold"
    ]
    assert faults("intake", of(parked={"events": 1, "subjects": 1}, last_error=None))[0].startswith("1 event is parked")
    assert faults("intake", of(serving=False)) == ["is being rebuilt, and answers no queries"]
    assert faults("intake", of(stopped=["intake.needs stopped at t/0 offset 3: too much"])) != []
    assert faults("intake", of(short=[{"source": "dugnad/background", "topic_ends": 3, "handled": 7}])) == [
        "the topic of dugnad/background ends at 3, and 7 were handled: records are lost, or on their way again "
        "(`dugnad republish intake`)"
    ]


NOTHING_PARKED: dict[str, Any] = {"parked": {"events": 0, "subjects": 0}, "last_error": None}
PARKED: dict[str, Any] = {
    "parked": {"events": 2, "subjects": 1},
    "last_error": {"error": "KeyError in reaction assign", "at": ""},
}


def answer(**more: Any) -> dict[str, Any]:
    """A service that answers, with nothing wrong."""
    reactions = [{"log": "matching", "stopped": [], **NOTHING_PARKED}]
    return {"service": "matching", "projections": [of()], "reactions": reactions, "faults": [], **more}


def test_what_keeps_a_service_from_its_work_beside_its_views_is_a_fault() -> None:
    assert all_faults(answer()) == []
    earlier = {"service": "matching", "projections": [{key: each for key, each in of().items() if key != "short"}]}
    assert all_faults(earlier) == []
    assert all_faults(answer(faults=["relay of dugnad/matching: Kafka lost records"])) == [
        "matching: relay of dugnad/matching: Kafka lost records"
    ]
    assert all_faults(answer(reactions=[{"log": "matching", "stopped": ["stopped at t/0"], **PARKED}])) == [
        "matching/reactions: stopped at t/0",
        "matching/reactions: 2 events are parked (`dugnad parked list matching/reactions`), lastly: "
        "KeyError in reaction assign",
    ]


@pytest.mark.parametrize(
    ("told", "code"),
    [(answer(), 0), (answer(projections=[of(serving=False)]), 1), (answer(faults=["timer due failed"]), 1)],
)
async def test_status_ends_with_one_where_something_is_wrong(
    told: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def ask(_: object, service: str, path: str) -> dict[str, Any]:
        assert path == "/projections"
        return {**told, "service": service}

    monkeypatch.setattr("deploy.cli.status.ask", ask)
    asked = SimpleNamespace(settings=None, output=Output(as_json=False))
    assert await status_verb(asked) == code  # type: ignore[arg-type]  # as far as it is asked
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "projection",
        "generation",
        "documents",
        "positions",
        "missing",
        "lag",
        "parked",
        "state",
    ]
    assert lines[1].split()[:3] == ["intake/needs", "2", "7"]
