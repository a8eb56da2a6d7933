"""Old versions are brought up to date wherever they are read."""

from __future__ import annotations

from contracts.envelope import decode
from contracts.intake import NeedRegistered
from contracts.registry import class_of
from contracts.schemas import published
from contracts.upcasters import UPCASTERS, upcast
from tests.unit.contracts.examples import EXAMPLES, GOLDEN, golden_record

FIRST = "dugnad.NeedRegistered.v1"


def test_a_need_of_the_first_version_gets_the_county_of_its_municipality() -> None:
    event = decode(*golden_record(GOLDEN / "NeedRegistered.v1.json")).event
    assert isinstance(event, NeedRegistered)
    assert (event.municipality, event.county) == ("3312", "33")


def test_an_event_of_the_newest_version_is_left_as_it_is() -> None:
    data = EXAMPLES["dugnad.NeedRegistered.v2"].data()
    assert upcast("dugnad.NeedRegistered.v2", {**data, "county": "99"})["county"] == "99"


def test_every_upcaster_begins_at_a_version_that_was_published_and_leads_to_one() -> None:
    for name, version in UPCASTERS:
        assert f"dugnad.{name}.v{version}" in published()
        assert f"dugnad.{name}.v{version + 1}" in published()


def test_an_upcaster_does_not_change_what_it_is_given() -> None:
    data = {"municipality": "0301"}
    assert upcast(FIRST, data) == {"municipality": "0301", "county": "03"}
    assert data == {"municipality": "0301"}


def test_every_version_ever_published_has_a_class_that_reads_it() -> None:
    assert all(class_of(name) is not None for name in published())
