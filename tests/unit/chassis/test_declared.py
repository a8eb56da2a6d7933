"""Projections that are rules: what each rule makes, in Python and compiled, and which rules are refused."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

import pytest
from pydantic import field_validator

from chassis.declared import (
    Also,
    Entry,
    Item,
    Of,
    Rule,
    Section,
    Under,
    UnderEach,
    declared,
)
from chassis.projection import Projection, Record, fold_all
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.arrivals import arrived
from contracts.event import Event
from contracts.parsing import parser_of, slim_parser_of
from contracts.plans import DelayReported
from tests.unit.chassis.batches import batch_of, same, sent, wrapped
from tests.unit.contracts.examples import EXAMPLES, SLOT

RECORDED = "2025-01-13T09:00:00.456+00:00"
DAY, LATER, LAST = "2025-01-13", "2025-02-03", "2025-05-02"


def example(known: type[Event], **changed: Any) -> Any:
    return EXAMPLES[known.type_name()].model_copy(update=changed)


def of_rule(known: type[Event], rule: Rule, key: str = "slot_id") -> Projection:
    return declared("of tests", (), {known: (key, rule)})


def shown(projection: Projection, *events: Event) -> dict[str, Any]:
    """The one document of these events, which both folds make alike."""
    (document,) = all_shown(projection, *events).values()
    return {name: value for name, value in document.items() if name not in ("_id", "at", "rev")}


def all_shown(projection: Projection, *events: Event) -> dict[str, dict[str, Any]]:
    records = [sent(event, position) for position, event in enumerate(events, 1)]
    found, refused = same(wrapped(batch_of(records)), projection)
    assert refused is None
    return {each["_id"]: each for each in found.shown}


STARTED = example(fo.TrialStarted)


def test_a_section_is_what_the_last_event_says() -> None:
    projection = of_rule(
        fo.TrialStarted,
        Section(
            "s", {"text": "measure", "day": "on", "whole": "days_from_need", "yes": "within_promise", "no": "end_on"}
        ),
    )
    before = example(fo.TrialStarted, measure="other", days_from_need=-5, within_promise=False)
    assert shown(projection, before, STARTED) == {
        "s": {"text": "temporary_wage_subsidy", "day": LATER, "whole": 21, "yes": True, "no": LAST}
    }


@pytest.mark.parametrize(("percent", "expected"), [(40, 40), (None, None)])
def test_a_field_may_say_nothing(percent: int | None, expected: int | None) -> None:
    projection = of_rule(fo.TrialStarted, Section("s", {"percent": "wage_subsidy_percent"}))
    assert shown(projection, example(fo.TrialStarted, wage_subsidy_percent=percent)) == {"s": {"percent": expected}}


def test_what_is_said_of_the_record_stands_where_its_name_is() -> None:
    says = {"r": Of.RECORDED, "p": Of.POSITION, "n": Of.NOTHING, "y": Of.YES, "f": Of.NO}
    expected = {"r": RECORDED, "p": 1, "n": None, "y": True, "f": False}
    assert shown(of_rule(fo.TrialStarted, Section("s", says)), STARTED) == {"s": expected}
    assert shown(of_rule(fo.TrialStarted, Item("s", says)), STARTED) == {"s": [expected]}
    # As text: names stay in the order in which the rule has them.
    assert str(shown(of_rule(fo.TrialStarted, Entry("s", "trial_id", says)), STARTED)["s"][STARTED.trial_id]) == str(
        expected
    )


def test_a_rule_may_say_nothing_at_all() -> None:
    assert shown(of_rule(fo.TrialStarted, Section("s", {})), STARTED) == {"s": {}}
    assert shown(of_rule(fo.TrialStarted, Item("s", {})), STARTED, STARTED) == {"s": [{}, {}]}
    assert shown(of_rule(fo.TrialStarted, Entry("s", "measure", {})), STARTED) == {"s": {"temporary_wage_subsidy": {}}}


@pytest.mark.parametrize(
    ("entry", "name"),
    [("trial_id", STARTED.trial_id), ("on", LATER), ("days_from_need", "21")],
    ids=["text", "day", "whole number"],
)
def test_an_entry_keeps_what_is_not_said_of_it_under_the_name_of_a_field(entry: str, name: str) -> None:
    rules: dict[type[Event], tuple[str, Rule]] = {
        fo.TrialStarted: ("slot_id", Entry("s", entry, {"a": Of.YES, "b": Of.POSITION})),
        fo.EmploymentConfirmed: ("slot_id", Entry("s", "trial_id", {"b": Of.NOTHING, "c": "after_months"})),
    }
    projection = declared("of tests", (), rules)
    found = shown(projection, STARTED, example(fo.EmploymentConfirmed), STARTED)
    entries = {name: {"a": True, "b": 3}}
    entries.setdefault(STARTED.trial_id, {}).update({"b": 3 if name == STARTED.trial_id else None, "c": 3})  # type: ignore[dict-item]
    assert found == {"s": entries}


def test_items_are_one_after_the_other() -> None:
    projection = of_rule(DelayReported, Item("delays", {"by": "caused_by", "on": "from_on", "at": Of.POSITION}))
    events = [example(DelayReported, caused_by=by) for by in ("a", "b", "æ😀")]
    assert shown(projection, *events) == {
        "delays": [{"by": by, "on": DAY, "at": number} for number, by in enumerate(("a", "b", "æ😀"), 1)]
    }


def test_a_list_gets_one_more_item_each_time() -> None:
    says = {
        "days": Also("shortened_on"),
        "both": Also({"on": "end_on", "at": Of.POSITION, "none": Of.NOTHING, "r": Of.RECORDED}),
    }
    found = shown(of_rule(fo.TrialShortened, Entry("s", "trial_id", says)), *[example(fo.TrialShortened)] * 3)
    both = [{"on": LAST, "at": number, "none": None, "r": RECORDED} for number in (1, 2, 3)]
    assert found["s"] == {STARTED.trial_id: {"days": [LATER] * 3, "both": both}}


def test_a_section_that_is_said_again_begins_its_lists_anew() -> None:
    found = shown(
        of_rule(fo.TrialShortened, Section("s", {"at": Also(Of.POSITION)})), *[example(fo.TrialShortened)] * 3
    )
    assert found == {"s": {"at": [3]}}


def test_what_stands_under_the_name_of_a_field_is_replaced_in_its_place() -> None:
    says = {
        "after": Under("after_months", "employed"),
        "days": Under("on", Of.POSITION),
        "by": Under("confirmed_by", Of.NOTHING),
    }
    events = [example(fo.EmploymentConfirmed, after_months=months) for months in (12, 3, 12)]
    events[2] = events[2].model_copy(update={"employed": False})
    entry = shown(of_rule(fo.EmploymentConfirmed, Entry("s", "trial_id", says)), *events)["s"][STARTED.trial_id]
    assert entry == {"after": {"12": False, "3": True}, "days": {LAST: 3}, "by": {"counsellor": None}}
    assert list(entry["after"]) == ["12", "3"]


def test_the_same_stands_under_each_day_of_a_list_and_nothing_where_it_is_empty() -> None:
    projection = of_rule(
        fo.StartReversed, Entry("s", "trial_id", {"days": UnderEach("check_ins_not_missed_on", Of.POSITION)})
    )
    days = [date(2025, 5, 2), date(2025, 1, 1), date(2025, 5, 2), date(1, 1, 1)]
    empty = example(fo.StartReversed, check_ins_not_missed_on=())
    assert shown(projection, empty) == {"s": {STARTED.trial_id: {}}}
    full = example(fo.StartReversed, check_ins_not_missed_on=tuple(days))
    found = shown(projection, full, empty, example(fo.StartReversed))
    assert found == {"s": {STARTED.trial_id: {"days": {LAST: 3, "2025-01-01": 1, "0001-01-01": 1}}}}


def test_the_same_stands_under_each_text_of_a_list() -> None:
    projection = of_rule(it.NeedRegistered, Section("s", {"of": UnderEach("licences", Of.YES)}), "need_id")
    licences = ("B", "", "æ", 'say "no"', "B", "😀", "\t")
    found = shown(projection, example(it.NeedRegistered, licences=licences))
    assert found == {"s": {"of": dict.fromkeys(licences, True)}}


def test_an_event_may_belong_to_several_documents_or_to_none() -> None:
    projection = of_rule(it.NeedRegistered, Section("s", {"p": Of.POSITION}), "slot_ids")
    need = example(it.NeedRegistered)
    found = all_shown(
        projection,
        *(need.model_copy(update={"slot_ids": ids}) for ids in (("b", "a"), (), ("", "b", 'say "no"'), ("d", "d"))),
    )
    assert {name: each["s"]["p"] for name, each in found.items()} == {"b": 3, "a": 1, "": 3, 'say "no"': 3, "d": 4}
    assert list(found) == ["b", "a", "", 'say "no"', "d"]


EVERYTHING: Mapping[type[Event], tuple[str, Rule]] = {
    it.NeedRegistered: ("slot_ids", Section("need", {"org": "org_number", "of": UnderEach("slot_ids", Of.NO)})),
    ma.CandidateMatched: ("slot_id", Entry("matches", "match_id", {"score": "score", "rules": Also("rule_version")})),
    fo.StartReversed: ("slot_id", Entry("trials", "trial_id", {"not": UnderEach("check_ins_not_missed_on", Of.NO)})),
    fo.CheckInMissed: ("slot_id", Entry("trials", "trial_id", {"not": Under("due_on", Of.YES)})),
    DelayReported: ("slot_id", Item("delays", {"from": "from_on", "at": Of.RECORDED})),
}


def read_in_python(projection: Projection, events: Sequence[Event], *, slim: bool) -> list[Record]:
    readers = {each: slim_parser_of(each) if slim else parser_of(each) for each in projection.reads}
    found = [arrived(*sent(event, position), readers) for position, event in enumerate(events, 1)]
    return [each for each in found if each is not None]


def test_the_same_document_is_made_of_events_of_structs_and_of_records() -> None:
    projection = declared("everything", (), EVERYTHING)
    events = [example(each) for each in projection.reads] * 3
    of_events = fold_all(projection, read_in_python(projection, events, slim=False))
    assert list(of_events) == [SLOT]
    assert fold_all(projection, read_in_python(projection, events, slim=True)) == of_events
    assert shown(projection, *events) == of_events[SLOT]
    assert of_events[SLOT]["matches"] == {
        example(ma.CandidateMatched).match_id: {"score": 82, "rules": ["2025-01-01"] * 3}
    }


def test_a_fold_does_not_change_what_it_is_given() -> None:
    projection = declared("everything", (), EVERYTHING)
    document: dict[str, Any] | None = None
    for record in read_in_python(projection, [example(each) for each in projection.reads] * 2, slim=False):
        before = copy.deepcopy(document)
        after = projection.fold(SLOT, document, record)
        assert document == before, record.type
        assert after is not document
        document = after


class Odd(Event):
    """An event with what those of the contracts do not have."""

    SUBJECT: ClassVar[str] = "odd:{name}"
    PARTITION_KEY: ClassVar[str] = "{name}"

    name: str
    number: int
    on: date
    days: tuple[date, ...]
    numbers: tuple[int, ...]
    some: tuple[str | None, ...]
    nested: tuple[tuple[str, ...], ...]
    perhaps: str | None = None
    perhaps_days: tuple[date, ...] | None = None


class Narrow(Event):
    """Whose types do not say all."""

    name: str

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        return name[:1]


RIGHT = Section("s", {"name": "name"})
WRONG: dict[str, tuple[type[Event], str, Rule]] = {
    "a field that there is not": (Odd, "name", Section("s", {"a": "nothing"})),
    "a number that is not whole": (fo.AgreementDrafted, "slot_id", Section("s", {"a": "hours_per_week"})),
    "a list as it is": (Odd, "name", Section("s", {"a": "days"})),
    "an object as it is": (it.NeedRegistered, "slot_ids", Section("s", {"a": "language"})),
    "such a field in an item": (Odd, "name", Section("s", {"a": Also("days")})),
    "such a field in an object of an item": (Odd, "name", Section("s", {"a": Also({"b": "days"})})),
    "such a field under a name": (Odd, "name", Section("s", {"a": Under("name", "days")})),
    "documents of a field that there is not": (Odd, "nothing", RIGHT),
    "documents of what need not be there": (Odd, "perhaps", RIGHT),
    "documents of a day": (Odd, "on", RIGHT),
    "documents of a number": (Odd, "number", RIGHT),
    "documents of days": (Odd, "days", RIGHT),
    "documents of texts of which some may be missing": (Odd, "some", RIGHT),
    "documents of lists": (Odd, "nested", RIGHT),
    "an entry that need not be there": (Odd, "name", Entry("s", "perhaps", {})),
    "an entry of a list": (Odd, "name", Entry("s", "days", {})),
    "under what need not be there": (Odd, "name", Section("s", {"a": Under("perhaps", Of.YES)})),
    "under a list": (Odd, "name", Section("s", {"a": Under("days", Of.YES)})),
    "under each of what is no list": (Odd, "name", Section("s", {"a": UnderEach("name", Of.YES)})),
    "under each number": (Odd, "name", Section("s", {"a": UnderEach("numbers", Of.YES)})),
    "under each of what may be missing": (Odd, "name", Section("s", {"a": UnderEach("some", Of.YES)})),
    "under each of a list that need not be there": (
        Odd,
        "name",
        Section("s", {"a": UnderEach("perhaps_days", Of.YES)}),
    ),
    "under each object": (ma.CandidateMatched, "slot_id", Section("s", {"a": UnderEach("reasons", Of.YES)})),
    "a class of which types do not say all": (Narrow, "name", RIGHT),
    **{f"a section {name}": (Odd, "name", Section(name, {})) for name in ("_id", "at", "gone", "rev")},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_rule_that_cannot_be_followed_is_refused_when_it_is_declared(what: str) -> None:
    known, key, rule = WRONG[what]
    with pytest.raises(ValueError, match=r"\w"):
        of_rule(known, rule, key)
    assert what.startswith("a class") or of_rule(Odd, RIGHT, "name").program


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Section("s", {}), Item("s", {})),
        (Item("s", {}), Entry("s", "trial_id", {})),
        (Section("s", {"a": Of.NOTHING}), Section("s", {"a": Also(Of.YES)})),
        (Section("s", {"a": Also("on")}), Section("s", {"a": Under("trial_id", Of.YES)})),
        (Entry("s", "trial_id", {"a": "trial_id"}), Entry("s", "trial_id", {"a": Under("trial_id", Of.YES)})),
    ],
)
def test_what_one_rule_takes_for_a_list_no_other_takes_for_something_else(one: Rule, other: Rule) -> None:
    with pytest.raises(ValueError, match="two ways"):
        declared("of tests", (), {fo.TrialClosed: ("slot_id", one), fo.StartReversed: ("slot_id", other)})
