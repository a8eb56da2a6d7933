"""What is folded from structs, as a rebuild reads them, is what is folded from events."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
import pytest

from chassis.projection import Projection, Record, fold_all, fold_one
from contracts.arrivals import arrived
from contracts.envelope import encode
from contracts.parsing import slim_parser_of
from contracts.registry import BY_TYPE
from services.reporting.views import PROJECTIONS
from tests.unit.contracts.examples import EXAMPLES
from tests.unit.reporting.simulation import simulate

SLIM = [each for each in PROJECTIONS if each.slim]


@cache
def simulated() -> list[Record]:
    return simulate(7, 200).records()


def as_structs(projection: Projection, records: Iterable[Record]) -> list[Record]:
    readers = {each: slim_parser_of(each) for each in projection.reads}
    found = []
    for record in records:
        sent = encode(
            record.event.model_copy(update={"occurred": record.occurred}), source=record.source,
            position=record.position, recorded=record.recorded, correlation=record.correlation, causation=None,
            traceparent=record.traceparent, schema_base_url="https://dugnad.example/schemas/",
        )  # fmt: skip
        read = arrived(sent.key, sent.value, sent.headers, readers)
        assert read is not None, "the long way had to look at it"
        found.append(read)
    return found


@pytest.mark.parametrize("projection", SLIM, ids=lambda each: each.name)
def test_a_slim_projection_shows_the_same_of_structs_as_of_events(projection: Projection) -> None:
    records = simulated()
    structs = as_structs(projection, records)
    read = [each for each in structs if each.event is not None]
    assert len(read) > len(SLIM)
    assert all(isinstance(each.event, msgspec.Struct) for each in read)
    assert fold_all(projection, structs) == fold_all(projection, records)


@pytest.mark.parametrize("projection", SLIM, ids=lambda each: each.name)
def test_each_event_that_a_slim_projection_reads_gives_the_same_document_as_a_struct(projection: Projection) -> None:
    # Simulated cases do not have every event there is.
    for type_name, event in EXAMPLES.items():
        if not isinstance(event, projection.reads):
            continue
        of_event = Record(
            event.model_copy(update={"sealed": None}), BY_TYPE[type_name], type_name, "dugnad/source", event.subject,
            event.partition_key, 43, "dugnad/source#43", *_instants(),
        )  # fmt: skip
        (of_struct,) = as_structs(projection, [of_event])
        (key,) = projection.keys(of_event)
        assert [*projection.keys(of_struct)] == [key]
        shown = fold_one(projection, key, None, of_event)
        assert shown["at"], "the event was folded"
        assert fold_one(projection, key, None, of_struct) == shown, type_name


def _instants() -> tuple[Any, Any]:
    first = simulated()[0]
    return first.occurred, first.recorded


def test_placement_is_slim_and_the_projections_that_ask_an_event_more_are_not() -> None:
    assert {each.name for each in SLIM} == {"placement", "needs", "journey"}
    assert {each.name for each in PROJECTIONS if not each.slim} == {"workforce", "persons"}
