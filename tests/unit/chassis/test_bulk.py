"""What a rebuild may fold in bulk."""

from __future__ import annotations

import gc
from importlib import import_module

import pytest

from chassis.bulk import few_collections
from chassis.projection import Folding, Projection
from deploy.cli.arguments import SERVICES

PROJECTIONS = [each for service in SERVICES for each in import_module(f"services.{service}.views").PROJECTIONS]


@pytest.mark.parametrize("projection", [each for each in PROJECTIONS if each.by_case], ids=lambda each: each.name)
def test_documents_that_are_folded_side_by_side_are_made_of_one_case_each(projection: Projection) -> None:
    # The key of a document of `journey` is the partition key itself.
    assert projection.name == "journey" or len({event.PARTITION_KEY for event in projection.reads}) == 1


def test_the_facts_of_placements_may_be_folded_side_by_side_and_those_of_persons_may_not() -> None:
    found = {each.name: each.by_case for each in import_module("services.reporting.views").PROJECTIONS}
    assert (found["placement"], found["persons"]) == (True, False)


def test_the_garbage_collector_is_as_it_was_afterwards() -> None:
    before = gc.get_threshold()
    with few_collections():
        assert gc.get_threshold()[0] > before[0]
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_a_document_that_was_looked_up_and_not_changed_is_not_written() -> None:
    stored = {"_id": "a", "rev": 3, "at": {"dugnad/intake need:1": 7}, "field": 1}
    folding = Folding.of(stored)
    assert (folding.changed, folding.rev, folding.document) == (False, 3, {"field": 1})
    folding.at["dugnad/intake need:2"] = 8
    assert stored["at"] == {"dugnad/intake need:1": 7}
