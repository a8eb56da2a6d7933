"""Spans over a real socket to a collector, and what happens when it is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chassis.telemetry import STOP_SECONDS, begin_traces, span

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Collector:
    address: str
    received: list[tuple[str, bytes]] = field(default_factory=list)


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            running.received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    running = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield running
    server.shutdown()
    server.server_close()
    thread.join()


def test_with_an_endpoint_set_spans_go_there_as_otlp_over_http(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    stop = begin_traces("intake")
    with span("append", parent=PARENT, attributes={"dugnad.events": 1}):
        pass
    stop()
    ((path, body),) = collector.received
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert ("service.name", "dugnad-intake") in [
        (each.key, each.value.string_value) for each in resource.resource.attributes
    ]
    (sent,) = resource.scope_spans[0].spans
    assert (sent.name, sent.trace_id.hex(), sent.parent_span_id.hex()) == ("append", PARENT[3:35], PARENT[36:52])


def test_a_collector_that_is_away_holds_up_neither_the_work_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    stop = begin_traces("intake")
    begun = monotonic()
    for _ in range(5000):
        with span("append"):
            pass
    worked = monotonic()
    stop()
    assert worked - begun < 5
    assert monotonic() - worked < STOP_SECONDS + 1
