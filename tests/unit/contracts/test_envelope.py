"""The envelope: what is written can be read, and what is not an event is refused with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import envelope
from contracts.envelope import Undecodable, UnknownType, decode, encode_stored, header, position
from contracts.intake import ConsentGiven, NeedRegistered
from contracts.registry import BY_TYPE
from tests.unit.contracts.examples import EXAMPLES, GOLDEN, OCCURRED, RECORDED, golden_record, golden_text, record

NEED = "dugnad.NeedRegistered.v2"
Raw = list[tuple[str, bytes | None]]


def changed(name: str, value: bytes | None, *, drop: bool = False) -> Raw:
    headers: Raw = [pair for pair in record(EXAMPLES[NEED]).headers if pair[0] != name]
    return headers if drop else [*headers, (name, value)]


def refused(headers: Raw, *, key: bytes | None = None, value: bytes | None = b"{}") -> str:
    with pytest.raises(Undecodable) as caught:
        decode(record(EXAMPLES[NEED]).key if key is None else key, value, headers)
    return caught.value.reason


@pytest.mark.parametrize("type_name", sorted(EXAMPLES))
def test_an_event_is_the_same_after_a_journey_through_kafka(type_name: str) -> None:
    found = decode(*record(EXAMPLES[type_name]))
    assert found.event == EXAMPLES[type_name]
    assert (found.subject, found.partition_key) == (EXAMPLES[type_name].subject, EXAMPLES[type_name].partition_key)
    assert (found.time, found.recorded, found.sequence) == (OCCURRED, RECORDED, 43)


def test_the_headers_are_those_of_the_contract_and_no_more() -> None:
    assert dict(record(EXAMPLES[NEED]).headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"dugnad/intake#43",
        "ce_source": b"dugnad/intake",
        "ce_type": b"dugnad.NeedRegistered.v2",
        "ce_subject": b"need:01JHF3M0Q8N0ZV5X6T7B8C9D0E",
        "ce_partitionkey": b"need:01JHF3M0Q8N0ZV5X6T7B8C9D0E",
        "ce_time": b"2025-01-13T09:00:00.123Z",
        "ce_recordedtime": b"2025-01-13T09:00:00.456Z",
        "ce_sequence": b"00000000000000000043",
        "ce_dataschema": b"https://dugnad.example/schemas/NeedRegistered.v2.json",
        "ce_correlationid": b"01JHF3M0Q8R7ZV5X6T7B8C9D0E",
        "ce_causationid": b"dugnad/intake#42",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "content-type": b"application/json",
    }


def test_the_key_is_the_partition_key_and_the_value_is_compact_json_in_utf_8() -> None:
    found = record(EXAMPLES["dugnad.AddressProtectionChanged.v1"])
    assert found.key == b"candidate:01JHF3M0Q8C2ZV5X6T7B8C9D0E"
    assert found.value == b'{"candidate_id":"01JHF3M0Q8C2ZV5X6T7B8C9D0E","protected":true}'


def test_what_is_sealed_is_never_published() -> None:
    event = EXAMPLES["dugnad.CandidateRegistered.v1"].model_copy(update={"sealed": {"name": "Canary Kanarifugl"}})
    published = record(event)
    assert b"Canary" not in published.value + b"".join(raw for _, raw in published.headers)
    assert "sealed" not in json.loads(published.value)


def stored(**changes: Any) -> envelope.KafkaRecord:
    event = EXAMPLES[NEED]
    parts: dict[str, Any] = {
        "type_name": NEED,
        "subject": event.subject,
        "partition_key": event.partition_key,
        "occurred": OCCURRED,
        "data": event.data(),
        "source": "dugnad/intake",
        "position": 43,
        "recorded": RECORDED,
        "correlation": None,
        "causation": None,
        "traceparent": None,
        "schema_base_url": "https://dugnad.example/schemas/",
    }
    return encode_stored(**{**parts, **changes})


def test_stored_parts_give_the_same_record_as_the_event() -> None:
    whole = record(EXAMPLES[NEED])
    optional = set(envelope.OPTIONAL_HEADERS)
    assert stored() == whole._replace(headers=[pair for pair in whole.headers if pair[0] not in optional])


def test_headers_that_say_nothing_are_left_out_and_read_as_nothing() -> None:
    found = decode(*stored())
    assert (found.correlation, found.causation, found.traceparent) == (None, None, None)


@pytest.mark.parametrize("text", ["need:æ", "need:a\nb", "need:a\x7f", ""])
def test_a_header_that_is_not_plain_ascii_is_never_sent(text: str) -> None:
    with pytest.raises(ValueError, match="ce_subject would not be plain ASCII"):
        stored(subject=text)


def test_an_instant_without_offset_is_never_sent() -> None:
    with pytest.raises(ValueError, match="offset"):
        stored(occurred=datetime(2025, 1, 13, 9, 0))  # noqa: DTZ001


def test_positions_begin_at_one() -> None:
    with pytest.raises(ValueError, match="begin at 1"):
        stored(position=0)


def test_an_event_without_a_time_is_never_sent() -> None:
    with pytest.raises(ValueError, match="has no time"):
        record(EXAMPLES[NEED].model_copy(update={"occurred": None}))


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    oslo = timezone(timedelta(hours=1))
    assert envelope.instant_text(datetime(2025, 1, 13, 10, 0, 0, 123999, tzinfo=oslo)) == "2025-01-13T09:00:00.123Z"


def test_an_instant_of_another_producer_is_read_as_utc_in_whole_milliseconds() -> None:
    headers = changed("ce_time", b"2025-01-13T10:00:00.123456+01:00")
    assert decode(record(EXAMPLES[NEED]).key, b"{}", headers).time == OCCURRED.replace(tzinfo=UTC)


@pytest.mark.parametrize("name", envelope.REQUIRED_HEADERS)
def test_a_missing_header_is_named(name: str) -> None:
    assert refused(changed(name, None, drop=True)) == f"header {name} is missing"
    assert refused(changed(name, None)) == f"header {name} is missing"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ce_specversion", b"0.3", "ce_specversion is not 1.0"),
        ("content-type", b"text/plain", "content-type is not application/json"),
        ("ce_type", b"NeedRegistered", "ce_type is not of the form dugnad.Name.v1"),
        ("ce_sequence", b"43", "ce_sequence is not a position of 20 digits"),
        ("ce_sequence", b"00000000000000000000", "ce_sequence is not a position of 20 digits"),
        ("ce_sequence", b"0000000000000000004x", "ce_sequence is not a position of 20 digits"),
        ("ce_id", b"dugnad/intake#44", "ce_id is not ce_source#ce_sequence"),
        ("ce_partitionkey", b"need:another", "the record's key is not ce_partitionkey"),
        ("ce_time", b"2025-01-13", "ce_time is not an RFC 3339 instant"),
        ("ce_time", b"2025-01-13T09:00:00", "ce_time is not an RFC 3339 instant"),
        ("ce_time", b"2025-02-30T09:00:00.000Z", "ce_time is not an RFC 3339 instant"),
        ("ce_time", b"9999-12-31T23:59:59-14:00", "ce_time is not an RFC 3339 instant"),
        ("ce_time", b"0001-01-01T00:00:00+14:00", "ce_time is not an RFC 3339 instant"),
        ("ce_recordedtime", b"yesterday", "ce_recordedtime is not an RFC 3339 instant"),
        ("ce_subject", "need:æ".encode(), "header ce_subject is not ASCII"),
    ],
)
def test_a_malformed_header_is_named_with_what_is_wrong(name: str, value: bytes, reason: str) -> None:
    assert refused(changed(name, value)) == reason


def test_a_header_that_comes_twice_is_refused() -> None:
    headers: Raw = [*record(EXAMPLES[NEED]).headers, ("ce_type", b"dugnad.NeedWithdrawn.v1")]
    assert refused(headers) == "header ce_type comes twice"


def test_a_record_without_key_or_value_is_refused() -> None:
    headers: Raw = list(record(EXAMPLES[NEED]).headers)
    with pytest.raises(Undecodable, match="key"):
        decode(None, b"{}", headers)
    assert refused(headers, value=None) == "the record has no value"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "the value of dugnad.NeedRegistered.v2 is not JSON"),
        (b"{", "the value of dugnad.NeedRegistered.v2 is not JSON"),
        (b'{"need_id":"\xff"}', "the value of dugnad.NeedRegistered.v2 is not JSON"),
        (b'{"a":' * 100_000, "the value of dugnad.NeedRegistered.v2 is not JSON"),
        (b"[]", "the value of dugnad.NeedRegistered.v2 is not a JSON object"),
    ],
)
def test_a_value_that_is_not_json_is_refused(value: bytes, reason: str) -> None:
    with pytest.raises(Undecodable) as caught:
        _ = replace(decode(*record(EXAMPLES[NEED])), data=value).event
    assert caught.value.reason == reason


def test_a_value_that_is_not_its_event_names_the_fields_and_never_what_stood_in_them() -> None:
    data = {**EXAMPLES[NEED].data(), "hours_per_week": "Canary Kanarifugl"}
    del data["occupation"]
    with pytest.raises(Undecodable) as caught:
        _ = replace(decode(*record(EXAMPLES[NEED])), data=json.dumps(data).encode()).event
    assert "/hours_per_week float_parsing" in caught.value.reason
    assert "/occupation missing" in caught.value.reason
    assert "Canary" not in caught.value.reason
    # The chain would bring pydantic's text, and with it the input, into a logged traceback.
    assert caught.value.__suppress_context__


def test_an_unknown_type_is_told_apart_from_a_broken_record() -> None:
    found = decode(record(EXAMPLES[NEED]).key, b"{}", changed("ce_type", b"dugnad.MoonLanded.v1"))
    with pytest.raises(UnknownType, match=r"dugnad\.MoonLanded\.v1") as caught:
        _ = found.event
    assert caught.value.type_name == "dugnad.MoonLanded.v1"


def test_a_reader_ignores_fields_and_accepts_list_values_that_it_does_not_know() -> None:
    data = {**EXAMPLES[NEED].data(), "colour": "blue", "measure": "a_measure_of_2031"}
    found = replace(decode(*record(EXAMPLES[NEED])), data=json.dumps(data).encode()).event
    assert isinstance(found, NeedRegistered)
    assert found.measure == "a_measure_of_2031"
    assert not hasattr(found, "colour")


def test_a_later_version_of_a_known_event_is_read_by_its_class() -> None:
    later = replace(decode(*record(EXAMPLES[NEED])), type="dugnad.NeedRegistered.v3")
    assert later.event == EXAMPLES[NEED]


def test_a_header_is_found_by_scanning_without_decoding_the_others() -> None:
    headers: Raw = [("noise", b"\xff\xfe"), ("empty", None), *record(EXAMPLES[NEED]).headers]
    assert header(headers, "ce_type") == NEED
    assert header(headers, "empty") is None
    assert header(headers, "ce_absent") is None
    assert position(headers) == 43
    with pytest.raises(Undecodable, match="noise is not ASCII"):
        header(headers, "noise")


def test_a_position_that_is_missing_is_refused_by_the_scan_too() -> None:
    with pytest.raises(Undecodable, match="ce_sequence is missing"):
        position([])


def test_there_is_no_number_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="finite"):
        NeedRegistered.model_validate({**EXAMPLES[NEED].data(), "hours_per_week": float("nan")})


@given(
    st.integers(1, 10**19),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
def test_any_position_instant_and_text_survive_the_journey(at: int, occurred: datetime, scope: str) -> None:
    event = ConsentGiven.model_validate(
        {**EXAMPLES["dugnad.ConsentGiven.v1"].data(), "scope": scope, "occurred": occurred}
    )
    found = decode(*record(event, position=at))
    assert found.sequence == at
    assert found.time == occurred.replace(microsecond=occurred.microsecond // 1000 * 1000)
    assert found.event == event.model_copy(update={"occurred": found.time})


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_record_ever_published_still_loads(path: Any) -> None:
    found = decode(*golden_record(path))
    read = found.event.data()
    for name, value in json.loads(found.data).items():
        assert read[name] == value, name
    assert (found.event.subject, found.event.partition_key) == (found.subject, found.partition_key)


def test_every_event_type_and_version_has_its_golden_file() -> None:
    assert {f"dugnad.{path.stem}" for path in GOLDEN.glob("*.json")} >= set(BY_TYPE) == set(EXAMPLES)


@pytest.mark.parametrize("type_name", sorted(EXAMPLES))
def test_a_writer_of_today_writes_what_the_golden_file_says_or_adds_to_it(type_name: str) -> None:
    path = GOLDEN / f"{type_name.removeprefix('dugnad.')}.json"
    golden, today = golden_record(path), record(EXAMPLES[type_name])
    assert (today.key, today.headers) == (golden.key, golden.headers)
    assert json.loads(today.value).items() >= json.loads(golden.value).items()
    assert golden_text(golden) == path.read_text("utf-8")
