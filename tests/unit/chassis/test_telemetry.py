"""Traces: what is recorded, what is passed on, and what is never told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis.telemetry import SpanKind, begin_traces, carry, current, span, spans, well_formed

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    stop = begin_traces("thing", exporter)
    yield exporter
    stop()


def _only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (found,) = exporter.get_finished_spans()
    return found


def test_without_an_exporter_work_passes_its_parent_on() -> None:
    with span("outer", parent=PARENT) as outer, span("inner") as inner:
        inner.note({"a": 1})
        inner.fail("x")
        inner.rename("other")
        assert (outer.traceparent, inner.traceparent, current()) == (PARENT, PARENT, PARENT)
    assert current() is None


def test_without_an_exporter_nobody_looks_at_the_works_of_a_batch() -> None:
    def works() -> Iterator[tuple[str | None, dict[str, str | int | float | bool]]]:
        raise AssertionError("looked at")
        yield None, {}

    with spans("publish", works(), kind=SpanKind.PRODUCER):
        pass


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    ],
    ids=["nothing_set", "empty", "no_traces", "disabled"],
)
def test_without_an_endpoint_nothing_of_the_exporter_is_even_loaded(variables: dict[str, str]) -> None:
    code = (
        "import sys; from chassis.telemetry import begin_traces; begin_traces('thing')();"
        "assert not {'opentelemetry.sdk.trace', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=variables)


def test_children_name_their_parents(exporter: InMemorySpanExporter) -> None:
    with span("outer", parent=PARENT) as outer, span("inner"):
        pass
    inner, found = exporter.get_finished_spans()
    assert found.context is not None
    assert found.parent is not None
    assert inner.parent is not None
    assert f"{found.parent.span_id:016x}" == "b7ad6b7169203331"
    assert inner.parent.span_id == found.context.span_id
    assert outer.traceparent == f"00-{TRACE}-{found.context.span_id:016x}-01"


def test_a_batch_is_recorded_once_in_each_trace_that_its_works_belong_to(exporter: InMemorySpanExporter) -> None:
    other = PARENT.replace("0af7", "0af8")
    with spans("fold", [(PARENT, {"n": 1}), (None, {"n": 2}), (other, {"n": 3})], kind=SpanKind.CONSUMER):
        assert exporter.get_finished_spans() == ()
    told = {each.attributes["n"] for each in exporter.get_finished_spans() if each.attributes is not None}
    assert told == {1, 3}


def test_what_a_caller_does_not_want_sampled_is_not_recorded_but_passed_on(exporter: InMemorySpanExporter) -> None:
    with span("request", parent=UNSAMPLED) as active:
        assert active.traceparent is not None
        assert (active.traceparent[3:35], active.traceparent[-2:]) == (TRACE, "00")
    assert exporter.get_finished_spans() == ()


def test_an_error_is_told_by_its_type_and_never_by_its_text(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Kari"), span("append"):
        raise ValueError("Kari Nordmann 15528012345")
    found = _only(exporter)
    assert (found.status.is_ok, found.status.description, found.events) == (False, "ValueError", ())
    assert "Kari" not in found.to_json()


@pytest.mark.parametrize(
    "given",
    ["", "00-", PARENT + "0", PARENT.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{TRACE}-{'0' * 16}-01"],
)
def test_a_malformed_traceparent_begins_a_new_trace(exporter: InMemorySpanExporter, given: str) -> None:
    assert well_formed(given) is None
    with span("request", parent=given):
        pass
    assert _only(exporter).parent is None


async def test_a_request_to_another_service_carries_the_trace() -> None:
    request, outside = httpx.Request("POST", "http://intake.test"), httpx.Request("POST", "http://intake.test")
    await carry(outside)
    with span("request", parent=PARENT):
        await carry(request)
    assert request.headers["traceparent"] == PARENT
    assert "traceparent" not in outside.headers
