"""Traces: what one command leads to, in all services, is one trace (W3C trace context).

Invariant: without an exporter nothing is recorded and no socket opened, yet a caller's trace goes on to whoever
follows; an attribute is an id, a code, a number or a name from the code, and an error's text is never one.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

if TYPE_CHECKING:
    import httpx
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Active", "SpanKind", "begin_traces", "carry", "current", "span", "spans", "well_formed"]

Attributes = Mapping[str, str | int | float | bool]

STOP_SECONDS = 3.0
"""How long the last spans may take to be sent when the process ends; a collector may be away."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_tracer: Tracer | None = None


def well_formed(traceparent: str | None) -> str | None:
    """The same, or None where it is not a `traceparent` of version 00."""
    return traceparent if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) else None


def current() -> str | None:
    """The `traceparent` of the work that this task is at."""
    return _current.get()


async def carry(request: httpx.Request) -> None:
    """A request hook for httpx: another service's work belongs to the same trace."""
    if (traceparent := current()) is not None:
        request.headers["traceparent"] = traceparent


@dataclass(frozen=True)
class Active:
    """Work that is being done. `traceparent` is what its children name; unrecorded work passes its parent's on."""

    traceparent: str | None
    _span: Span | None = None

    def note(self, attributes: Attributes) -> None:
        """Add what has become known meanwhile."""
        if self._span is not None:
            self._span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        """Name it when the name is known; a name is a template, as a metric's label is."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, code: str) -> None:
        """It did not succeed: the type of the error or a code, never its text, which may quote what a person typed."""
        if self._span is not None:
            self._span.set_status(Status(StatusCode.ERROR, code))
            self._span.set_attribute("error.type", code)


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Active]:
    """Record the work of the block, as a child of a `traceparent`, else of what this task is at, else a new trace."""
    active = _begin(name, _current.get() if parent is None else parent, attributes, kind)
    token = _current.set(active.traceparent)
    try:
        yield active
    except BaseException as error:
        active.fail(type(error).__name__)
        raise
    finally:
        _current.reset(token)
        _end(active)


@contextmanager
def spans(name: str, works: Iterable[tuple[str | None, Attributes]], *, kind: SpanKind) -> Iterator[None]:
    """Record the block once in each of several traces: what a batch does belongs to all whose work is in it.

    Works without a trace are left out; while nothing is recorded, `works` is not even looked at.
    """
    if _tracer is None:
        yield
        return
    batch = [_begin(name, parent, attributes, kind) for parent, attributes in works if parent is not None]
    try:
        yield
    except BaseException as error:
        for active in batch:
            active.fail(type(error).__name__)
        raise
    finally:
        for active in batch:
            _end(active)


def _begin(name: str, parent: str | None, attributes: Attributes | None, kind: SpanKind) -> Active:
    if _tracer is None:
        return Active(parent)
    begun = _tracer.start_span(name, _context_of(parent), kind, dict(attributes or {}))
    found = begun.get_span_context()
    return Active(f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}", begun)


def _end(active: Active) -> None:
    if active._span is not None:
        active._span.end()


def _context_of(traceparent: str | None) -> Context:
    # Never the library's own current span: it is not ours.
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None:
        return Context()
    trace, caller, flags = (int(part, 16) for part in match.groups())
    parent = SpanContext(trace, caller, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def begin_traces(service: str, exporter: SpanExporter | None = None) -> Callable[[], None]:
    """Record from here on, and export; call what comes back to stop, which takes at most `STOP_SECONDS`.

    Without `exporter`: to the OTLP endpoint (HTTP, protobuf) that the standard variables name; none named, or
    `OTEL_TRACES_EXPORTER=none` or `OTEL_SDK_DISABLED=true`: nothing is recorded. The other standard variables (headers,
    certificates, time-out, sampler, resource attributes) hold too.
    """
    global _tracer
    if exporter is None and not _wanted():
        return _nothing
    # Here, since a process that exports nothing need not load them.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    processor: SpanProcessor
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        processor = BatchSpanProcessor(OTLPSpanExporter())
    else:
        processor = SimpleSpanProcessor(exporter)
    name = os.environ.get("OTEL_SERVICE_NAME") or f"dugnad-{service}"
    # Not at exit: it would wait there for a collector that is away.
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("dugnad")

    def stop() -> None:
        global _tracer
        _tracer = None
        # A thread of its own, left behind when it takes too long: the library would wait half a minute.
        sending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)

    return stop


def _wanted() -> bool:
    off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    none = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    return any(os.environ.get(name) for name in ENDPOINTS) and not off and not none


def _nothing() -> None:
    """Nothing was begun."""
