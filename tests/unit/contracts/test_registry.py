"""Events, sources and topics belong together one to one."""

from __future__ import annotations

import pytest

from contracts.event import TYPE_PATTERN, Event
from contracts.intake import NeedRegistered
from contracts.registry import BY_TYPE, SOURCES, TOPICS, class_of, source_of, topic_of


def leaves(event: type[Event]) -> set[type[Event]]:
    below = event.__subclasses__()
    return {event} if not below else set().union(*(leaves(sub) for sub in below))


def test_every_event_class_is_published_by_exactly_one_source() -> None:
    listed = [event for events in SOURCES.values() for event in events]
    assert len(listed) == len(set(listed)) == len(BY_TYPE)
    assert set(listed) == {event for event in leaves(Event) if event.__module__.startswith("contracts.")}


def test_every_log_has_a_topic_of_its_own() -> None:
    assert TOPICS == ("dugnad.intake.v1", "dugnad.background.v1", "dugnad.matching.v1", "dugnad.followup.v1")
    assert len({topic_of(source) for source in SOURCES}) == len(SOURCES)


def test_background_facts_are_on_no_topic_that_others_read() -> None:
    background = {event.__name__ for event in SOURCES["dugnad/background"]}
    assert background == {"BackgroundDeclared", "BackgroundWithdrawn"}
    assert topic_of("dugnad/background") == "dugnad.background.v1"


def test_a_continued_log_stays_on_its_topic() -> None:
    assert topic_of("dugnad/intake~2") == "dugnad.intake.v1"
    with pytest.raises(KeyError):
        topic_of("dugnad/unheard-of")


def test_a_type_leads_to_its_class_and_a_class_to_its_source() -> None:
    assert class_of("dugnad.NeedRegistered.v2") is NeedRegistered
    assert class_of("dugnad.NeedRegistered.v7") is NeedRegistered
    assert class_of("dugnad.MoonLanded.v1") is None
    assert class_of("no type at all") is None
    assert source_of(NeedRegistered) == "dugnad/intake"
    with pytest.raises(KeyError):
        source_of(Event)


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=BY_TYPE)
def test_every_event_names_its_subject_its_case_and_its_type(event: type[Event]) -> None:
    fields = dict.fromkeys(event.model_fields, "x")
    assert event.SUBJECT.format_map(fields).endswith("x")
    assert event.PARTITION_KEY.format_map(fields).partition(":")[0] in {"need", "candidate", "employer"}
    assert event.PERSON is None or event.PERSON in event.model_fields
    assert TYPE_PATTERN.match(event.type_name())
