"""The compiled fold makes what Python makes of the same records, or leaves them to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chassis import native
from chassis.compiled import Compiled, can_fold
from chassis.fetching import Batch, Span
from chassis.projection import fold_all
from contracts import followup as fo
from contracts import intake as it
from contracts import matching as ma
from contracts.envelope import KafkaRecord
from contracts.registry import BY_TYPE
from services.reporting.views import placement
from tests.unit.chassis.batches import GZIP, PARTITION, Folded, Sent, batch_of, same, sent, sent_again, wrapped
from tests.unit.contracts.examples import EXAMPLES, GOLDEN, golden_record
from tests.unit.reporting.simulation import simulate

NEED = EXAMPLES["dugnad.NeedRegistered.v2"]
MATCHED = EXAMPLES["dugnad.CandidateMatched.v1"]
READ = sorted(name for name in EXAMPLES if BY_TYPE[name] in placement.reads)
FIRST, LAST = sent(NEED, 1), sent(MATCHED, 9)
MANY = 40


@cache
def simulated(cases: int = 300) -> list[KafkaRecord]:
    return [sent_again(each) for each in simulate(11, cases).records() if each.source != it.BACKGROUND_SOURCE]


def folded(*records: Sent, codec: int = 0, until: dict[str, int] | None = None) -> tuple[Folded, int | None]:
    return same(wrapped(batch_of(records, codec=codec)), until=until)


def with_value(record: KafkaRecord, old: bytes, new: bytes) -> KafkaRecord:
    assert old in record.value
    return record._replace(value=record.value.replace(old, new))


def ends(between: Sent, at: int | None) -> None:
    """A record between two others is refused there, and changes nothing; or is folded (`at` is None)."""
    found, refused = folded(FIRST, between, LAST)
    assert refused == at
    if at is not None:
        assert found == folded(FIRST)[0]
        assert len(found.documents) == 1


def test_the_library_is_built_and_has_the_form_that_is_asked_of_it() -> None:
    assert native.library() is not None, "`make install` builds it"
    assert native.library().fold_form() == native.FORM
    assert can_fold(placement)


@pytest.mark.parametrize("type_name", READ)
@pytest.mark.parametrize("codec", [0, GZIP])
def test_every_event_that_is_read_gives_the_same_document(type_name: str, codec: int) -> None:
    event = EXAMPLES[type_name]
    found, refused = folded(*[sent(event, position) for position in range(1, MANY)], codec=codec)
    assert refused is None
    assert (len(found.documents), found.counts) == (1, (MANY - 1, 0, 0))
    assert "at" in found.shown[0]


@pytest.mark.parametrize("type_name", sorted(EXAMPLES))
def test_events_that_are_not_read_are_noted_and_those_of_other_topics_left_to_python(type_name: str) -> None:
    found, refused = folded(FIRST, sent(EXAMPLES[type_name], 2))
    if type_name in READ:
        assert (refused, found.counts[2]) == (None, 0)
    elif BY_TYPE[type_name] in (it.BackgroundDeclared, it.BackgroundWithdrawn):
        assert refused == 1
    else:
        assert (refused, found.counts) == (None, (1, 0, 1))


def batches_of(records: Sequence[Sent], size: int, codec: int = 0) -> list[Batch]:
    parts = [records[first : first + size] for first in range(0, len(records), size)]
    return [
        batch
        for number, part in enumerate(parts)
        for batch in wrapped(batch_of(part, base=number * size, codec=codec if number % 2 else 0))
    ]


@pytest.mark.parametrize("size", [3, 500])
def test_simulated_cases_give_the_same_documents(size: int) -> None:
    found, refused = same(batches_of(simulated(), size, codec=GZIP))
    assert (refused, len(found.documents) > 500, found.counts[0] > 5_000) == (None, True, True)
    shown = {
        each["_id"]: {name: each[name] for name in each if name not in ("_id", "at", "rev")} for each in found.shown
    }
    assert shown == fold_all(placement, simulate(11, 300).records())


@pytest.mark.parametrize("seed", range(3))
def test_duplicates_and_other_orders_between_topics_give_the_same_documents(seed: int) -> None:
    world = simulate(seed, 60)
    records = [sent_again(each) for each in world.shuffled() if each.source != it.BACKGROUND_SOURCE]
    found, refused = same(batches_of([*records, *records[:MANY]], 33))
    assert refused is None
    assert found.counts[1] >= MANY, "what came twice was dropped"


def test_partitions_are_folded_each_for_itself_in_turns() -> None:
    halves = [simulated()[0::2], simulated()[1::2]]
    folds = [Compiled(placement, None), Compiled(placement, None)]
    for pair in zip(*(batches_of(half, 50) for half in halves), strict=False):
        assert [fold.fold(batch) for fold, batch in zip(folds, pair, strict=True)] == [None, None]
    for fold, half in zip(folds, halves, strict=True):
        found = [bytes(each.raw) for some in fold.documents(100) for each in some]
        done = sum(map(len, fold.positions().values()))
        expected, _ = same(batches_of(half[:done], 50))
        assert (found, fold.counts) == (expected.documents, expected.counts)


@pytest.mark.parametrize("file", sorted(each.name for each in GOLDEN.glob("*.json")))
def test_records_of_every_version_that_ever_was_are_folded(file: str) -> None:
    found, refused = folded(golden_record(GOLDEN / file))
    known = EXAMPLES.get(f"dugnad.{Path(file).stem}") or next(
        each for name, each in EXAMPLES.items() if name.startswith(f"dugnad.{file.partition('.')[0]}.v")
    )
    assert refused == (0 if isinstance(known, it.BackgroundDeclared | it.BackgroundWithdrawn) else None)
    assert len(found.documents) == isinstance(known, placement.reads)


def test_a_batch_may_have_very_many_records_that_only_python_reads() -> None:
    older = golden_record(GOLDEN / "NeedRegistered.v1.json")
    escaped = [with_value(sent(NEED, number), b'"3312"', rb'"\ud83d\ude00"') for number in range(44, 60)]
    found, refused = folded(older, *escaped, older, LAST, older)
    assert (refused, found.counts) == (None, (18, 2, 0))


REFUSED: dict[str, Any] = {
    "a tombstone": (FIRST.key, None, FIRST.headers),
    "no key": (None, FIRST.value, FIRST.headers),
    "another key": (b"other", FIRST.value, FIRST.headers),
    "no headers": (FIRST.key, FIRST.value, []),
    "one header too many": (FIRST.key, FIRST.value, [*FIRST.headers, ("more", b"1")]),
    "the last one missing": (FIRST.key, FIRST.value, FIRST.headers[:-1]),
    "one without a value": (FIRST.key, FIRST.value, [(n, None if n == "ce_type" else v) for n, v in FIRST.headers]),
    "two that are exchanged": (FIRST.key, FIRST.value, [*FIRST.headers[1::-1], *FIRST.headers[2:]]),
}
WRONG: dict[str, tuple[str, ...]] = {
    "ce_specversion": ("1.1", "", "1.0 "),
    "ce_id": ("dugnad/intake#2", "dugnad/intake#01", "dugnad/intake#", "dugnad/matching#1", "dugnad/intake#1 ", ""),
    "ce_source": ("dugnad/matching", ""),
    "ce_type": ("dugnad.Nothing.v1", "dugnad.NeedRegistered.v3", "NeedRegistered", "dugnad.NeedRegistered.v0", ""),
    "ce_partitionkey": ("other",),
    "ce_time": ("", "2025-02-29T09:00:00.123Z", "0000-01-01T09:00:00.123Z", "2025-01-13T09:00:60.123Z",
                "2025-01-13T25:00:00.123Z", "2025-01-13 09:00:00.123Z", "2025-01-13T09:00:00.12aZ", "2025-W01-1"),
    "ce_recordedtime": ("2025-13-13T09:00:00.123Z", "2025-01-13T09:60:00.123Z", "2025-01-13T09:00:00"),
    "ce_sequence": ("00000000000000000002", "00000000000000000000", "1", "0000000000000000001 ",
                    "-0000000000000000001"),
    "content-type": ("text/plain", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_record_that_is_no_event_ends_it(what: str) -> None:
    ends(REFUSED[what], 1)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_header_that_says_something_wrong_ends_it(name: str, text: str) -> None:
    ends((FIRST.key, FIRST.value, [(n, text.encode() if n == name else v) for n, v in FIRST.headers]), 1)


@pytest.mark.parametrize(
    "text", ["2025-01-13T24:00:00.000Z", "2024-02-29T09:00:00.123Z", "2025-01-13T09:00:00Z", "9999-12-31T23:59:59.999Z",
             "2025-01-13T10:00:00.123456+01:00", "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000+01:00"],
)  # fmt: skip
def test_instants_in_other_forms_are_what_python_makes_of_them(text: str) -> None:
    trial = sent(EXAMPLES["dugnad.TrialStarted.v1"], 3)
    headers = [(n, text.encode() if n in ("ce_recordedtime", "ce_time") else v) for n, v in trial.headers]
    folded(FIRST, trial._replace(headers=headers), LAST)


def numbered(position: int) -> KafkaRecord:
    return sent(EXAMPLES["dugnad.TrialStarted.v1"], position)


def test_positions_are_folded_up_to_the_largest_that_documents_hold() -> None:
    for position in (1, 2**31 - 1, 2**31, 2**63 - 1):
        assert folded(numbered(position))[1] is None
    found, refused = folded(numbered(2**31 - 1), numbered(2**31), numbered(2**63 - 1), numbered(2**63))
    assert (refused, found.counts) == (3, (3, 0, 0))
    ends(numbered(2**64 + 5), 1)
    ends(numbered(10**20 - 1), 1)


TEXTS = (
    "", "æøå", "日本語", "😀", "\U0010ffff", "\ufeff", "\ufffd", "\x7f", "a\\b", 'say "no"', "\t\n\r\b\f/", "\x01\x1f",
    "\u2028", "x" * 15, "x" * 16, "x" * 17, "æ" * 100_000, "x" * 15 + '"', "x" * 14 + "\\\\", "$set", "a.b",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_texts_are_kept_as_they_are(text: str) -> None:
    found, refused = folded(sent(NEED.model_copy(update={"municipality": text}), 1))
    assert refused is None
    assert found.shown[0]["need"]["municipality"] == text


# What stands in the JSON between quotation marks, and whether it is a text at all.
WRITTEN: dict[bytes, bool] = {
    rb"\u00e6\u00C6\u0041\/\"": True, rb"\ud83d\ude00": True, rb"\u001f": True, "\u00e6".encode(): True, b"\x7f": True,
    rb"\ud83d": False, rb"\ude00\ud83d": False, rb"\u12": False, rb"\u+123": False, rb"\u 123": False, rb"\x41": False,
    rb"\u123g": False, rb"\u1_23": False, b"\\": False, b"\\\\\\": False, b"\n": False, b"\x00": False, b"\xff": False,
    b"\xc0\xaf": False, b"\xe0\x80\xaf": False, b"\xed\xa0\x80": False, b"\xf4\x90\x80\x80": False, b"\xc3": False,
    b"x" * 16 + b"\xc3": False, b"\x80": False, b"\xf8\x88\x80\x80\x80": False, b"\xf0\x82\x82\xac": False,
}  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN, ids=ascii)
def test_escapes_and_bytes_are_read_as_python_reads_them(written: bytes) -> None:
    ends(with_value(sent(NEED, 2), b'"3312"', b'"' + written + b'"'), None if WRITTEN[written] else 1)


def test_a_null_is_left_to_python_since_no_name_in_a_document_can_have_one() -> None:
    ends(with_value(sent(NEED, 2), b'"3312"', rb'"\u0000"'), 1)
    ends(with_value(sent(NEED, 2), b'"01JHF3M0Q8S1ZV5X6T7B8C9D0E"', rb'"a\u0000b"'), 1)


PERIOD = sent(EXAMPLES["dugnad.EmploymentConfirmed.v1"], 2)
# What stands in place of a number, and where it ends the fold, if it does.
WHOLE: dict[bytes, int | None] = {
    b"0": None, b"-0": None, b"9223372036854775807": None, b"-9223372036854775808": None, b"2147483648": None,
    b"3.0": None, b"1e1": None, b'"3"': None, b"--3": 1,
    b"9223372036854775808": 1, b"-9223372036854775809": 1, b"18446744073709551616": 1, b"03": 1, b"+3": 1, b"3.": 1,
    b"": 1, b"-": 1, b"0x3": 1, b"null": 1, b"3.5": 1, b"NaN": 1, b"1_0": 1, b"00": 1, b"-01": 1, b"9" * 400: 1,
}  # fmt: skip
NUMBERS: dict[bytes, int | None] = {
    b"37": None, b"-0": None, b"-0.0": None, b"37.500": None, b"1e2": None, b"1E+2": None, b"1e-5": None,
    b"9007199254740993": None, b"0." + b"1" * 400: None, b'"37.5"': None,
    b"1e999": 1, b"-Infinity": 1, b"NaN": 1, b".5": 1, b"5.": 1, b"01.5": 1, b"1e": 1, b"": 1, b"0.5.5": 1, b"null": 1,
}  # fmt: skip


@pytest.mark.parametrize("written", WHOLE)
def test_whole_numbers_are_read_as_python_reads_them(written: bytes) -> None:
    ends(with_value(PERIOD, b'"after_months":3', b'"after_months":' + written), WHOLE[written])


@pytest.mark.parametrize("written", NUMBERS)
def test_numbers_are_read_as_python_reads_them(written: bytes) -> None:
    drafted = sent(EXAMPLES["dugnad.AgreementDrafted.v1"], 2)
    ends(with_value(drafted, b'"hours_per_week":37.5', b'"hours_per_week":' + written), NUMBERS[written])


DAYS: dict[bytes, int | None] = {
    b"2024-02-29": None, b"2000-02-29": None, b"0001-01-01": None, b"9999-12-31": None, b"2025-01-13T00:00:00": None,
    b"2025-02-29": 1, b"1900-02-29": 1, b"0000-01-01": 1, b"2025-13-01": 1, b"2025-00-01": 1, b"2025-04-31": 1,
    b"2025-1-013": 1, b"20250113": 1, b"2025-01-1": 1, b"+025-01-13": 1, b"2025-01-13 ": 1, b"": 1,
    b"2025-01-00": 1, b"2025\\u002d01-13": None,
}  # fmt: skip


@pytest.mark.parametrize("written", DAYS)
def test_days_are_read_as_python_reads_them(written: bytes) -> None:
    asked = sent(EXAMPLES["dugnad.CandidateAsked.v1"], 2)
    folded(FIRST, with_value(asked, b'"asked_on":"2025-01-13"', b'"asked_on":"' + written + b'"'), LAST)
    if DAYS[written] is None:
        assert folded(FIRST, with_value(asked, b'"asked_on":"2025-01-13"', b'"asked_on":"' + written + b'"'))[1] is None


FORMS = (
    lambda data: b" " + data, lambda data: data + b"\n", lambda data: b"\xef\xbb\xbf" + data, lambda data: data + data,
    lambda data: data[:-1], lambda data: data[:-1] + b",}", lambda data: data.replace(b",", b" , "), lambda data: b"",
    lambda data: data[:-1] + b',"unknown":{"a":[1]}}', lambda data: data[:-1] + b',"need_id":"other"}',
    lambda data: data[:-1] + b',"sealed":{"a":1},"occurred":1}', lambda data: b"[" + data + b"]", lambda data: b"null",
    lambda data: b'{"need_id":' * 5_000, lambda data: data.replace(b"[", b"[ "), lambda data: data.replace(b"]", b",]"),
    lambda data: data.replace(b'"slot_ids":["', b'"slot_ids":[,"'), lambda data: data.replace(b"}", b"}}"),
    lambda data: data.decode().encode("utf-16"), lambda data: data.replace(b'"need_id"', b'"need_\\u0069d"'),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(FORMS)))
def test_json_in_other_forms_is_read_as_python_reads_it(number: int) -> None:
    need = sent(NEED, 2)
    folded(FIRST, need._replace(value=FORMS[number](need.value)), LAST)


def test_a_span_may_begin_and_end_in_the_middle_of_a_batch() -> None:
    records, broken = simulated()[:MANY], (b"other", b"{}", FIRST.headers)
    for start, end in [(0, MANY), (100, 120), (110, 111), (139, 200), (0, 100), (140, 150), (100, 140), (120, 120)]:
        data = batch_of(records, base=100)
        taken = [each for number, each in enumerate(records, 100) if start <= number < end]
        found, refused = same(wrapped(data, Span(PARTITION, start, end)))
        assert (found, refused) == same(wrapped(batch_of(taken)))[:2] if taken else not found.documents
        compressed, _ = same(wrapped(batch_of(records, base=100, codec=GZIP), Span(PARTITION, start, end)))
        assert compressed == found
    outside = batch_of([broken, FIRST, broken], base=100)
    assert same(wrapped(outside, Span(PARTITION, 101, 102)))[1] is None, "what is outside is not looked at"


def test_offsets_may_have_holes_and_the_first_that_is_refused_is_told_by_its_own() -> None:
    data = batch_of([FIRST, LAST, (b"other", b"{}", FIRST.headers)], base=1_000, offsets=[0, 70, 90_000])
    found, refused = same(wrapped(data))
    assert (refused, len(found.documents)) == (91_000, 1)
    found, refused = same(wrapped(data, Span(PARTITION, 1_001, 1_071)))
    assert (refused, found.counts) == (None, (1, 0, 0))


@pytest.mark.parametrize(
    "until", [{}, {it.SOURCE: 0}, {it.SOURCE: 40}, {it.SOURCE: 2**62, fo.SOURCE: 100, ma.SOURCE: 1}]
)
def test_only_what_belongs_to_a_generation_is_folded(until: dict[str, int]) -> None:
    records = simulated(60)
    for codec in (0, GZIP):
        found, refused = same(batches_of(records, 20, codec), until=until)
        assert refused is None
        assert {source: max(each) for source, each in found.positions.items()} == {
            source: min(last, sum(dict(each.headers)["ce_source"] == source.encode() for each in records))
            for source, last in until.items()
            if last
        }


def test_what_does_not_belong_is_not_looked_at() -> None:
    later = sent(NEED, 7)._replace(value=b"{")
    assert folded(FIRST, later, until={it.SOURCE: 6})[1] is None
    assert folded(FIRST, later, until={it.SOURCE: 7})[1] == 1
